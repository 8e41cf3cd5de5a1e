// How a device's memory becomes file descriptors that other processes can map or import, and how it is taken back.
#pragma once
#include <cerrno>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "protocol.h"

namespace lendbuf {

// What the agent wants to have exported: the concatenation of its ranges, all checked against the region.
struct Request {
  uint64_t id = 0;
  uint32_t region = 0;
  bool read_only = false;
  std::vector<protocol::Range> ranges;
  uint64_t size = 0;
};

// An export that cannot be made, with the errno and the words for the agent.
class Refusal : public std::exception {
 public:
  Refusal(int error, std::string words) : error_(error), words_(std::move(words)) {}
  int error() const { return error_; }
  const char* what() const noexcept override { return words_.c_str(); }

 private:
  int error_;
  std::string words_;
};

// One way to revoke, as it was found here.
struct Rung {
  protocol::Method method = protocol::Method::kNone;
  protocol::Scope scope = protocol::Scope::kNone;
  bool works = false;
  int32_t error = 0;  // errno that decided against it
  std::string words;  // what was seen; or why it does not work here
};

struct Capability {
  bool works = false;
  protocol::Method method = protocol::Method::kNone;  // of the best rung
  protocol::Scope scope = protocol::Scope::kNone;
  bool mappable = false;
  std::string words;
  std::vector<Rung> rungs;  // best first
};

// What the kernel answered to a revoke, interpreted by the only one who can: the exporter.
struct Proof {
  protocol::Method method = protocol::Method::kNone;
  int32_t error = 0;
  bool safe = false;  // no holder reaches the memory through this export any more
  int32_t probe = 0;
};

class Export {
 public:
  virtual ~Export() = default;  // drops our descriptors; holders keep theirs: revoke first
  virtual int fd() const = 0;   // what a client receives
  // What a Revoke of it ends.
  virtual protocol::Scope scope() const = 0;
  // Whether nobody reaches the memory any more once the device is proven closed.
  virtual bool ends_with_device() const { return false; }
  // The agent has its copy of fd(), so whatever served only to hand it over may go.
  virtual void Delivered() {}
  // It is to be handed over once more: fd() must be what a client receives. Throws SystemError.
  virtual void PrepareDelivery() {}
  // Saves what a holder leaves behind for the next one. Called right before a revoke, on any thread; may block.
  virtual void KeepContents() {}
  // Returns once no holder can reach the memory, or with what is in the way. On any thread; may block; safe to repeat.
  // Where the scope is `device` it ends all other exports too.
  virtual Proof Revoke() = 0;
  // Copies between what the holder sees and the device. Throws Refusal or SystemError. On any thread; may block.
  virtual void Sync(const protocol::Sync&) {
    throw Refusal(ENOTSUP,
                  "only a staged export is copied from and to the device: what is exported here is its memory");
  }
};

class Exporter {
 public:
  virtual ~Exporter() = default;
  virtual protocol::Kind kind() const = 0;
  // What it can do here, tested on an export of its own, and why not where it cannot.
  virtual Capability SelfTest() = 0;
  // Throws Refusal or SystemError, and then leaves nothing behind.
  virtual std::shared_ptr<Export> Make(Request request) = 0;
};

}  // namespace lendbuf
