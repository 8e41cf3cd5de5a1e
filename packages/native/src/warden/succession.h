// The door at which a warden whose agent is gone waits for the next one, for a limited time.
#pragma once
#include <optional>
#include <string>

#include "adoption_protocol.h"
#include "fd.h"

namespace lendbuf {

// CLOCK_BOOTTIME, nanoseconds.
uint64_t BootNow();

class Succession {
 public:
  // `door`: where to listen; empty: there is none.
  explicit Succession(std::string door) : door_(std::move(door)) {}
  ~Succession() { Close(); }
  Succession(const Succession&) = delete;
  Succession& operator=(const Succession&) = delete;

  // Throws BrokenAgent where there is no door to wait at.
  void Allow(const protocol::Wait& wait);
  bool allowed() const { return ms_ > 0; }
  bool waiting() const { return static_cast<bool>(listener_); }
  // Begins to wait. Throws SystemError.
  void Open();
  // To be polled for input; -1: there is none now. One candidate is heard at a time.
  int listener() const { return candidate_ ? -1 : listener_.get(); }
  int candidate() const { return candidate_.get(); }
  int alarm() const { return alarm_.get(); }
  // The alarm rings at this time of the boot clock, or when one of its own has come.
  void Arm(uint64_t next_ns);
  // Takes note of what time it is; true once nobody has come in time.
  bool IsOver(uint64_t now_ns);
  // Lets one in that is of our own user.
  void Admit();
  // Its ADOPT, once it has said it with the secret; whoever says anything else is shown out.
  std::optional<protocol::Adopt> Hear();
  // The socket of whoever said ADOPT last; closes the door.
  Fd Take();

 private:
  void Listen();
  void Close();

  std::string door_;
  uint32_t ms_ = 0;
  uint8_t secret_[protocol::kSecretSize] = {};
  Fd listener_;
  Fd candidate_;
  Fd alarm_;
  uint64_t until_ns_ = 0;
  uint64_t candidate_until_ns_ = 0;
};

}  // namespace lendbuf
