// What the agent asks of the device itself: under way, and done. A device that does not answer blocks nobody else.
#pragma once
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "fd.h"
#include "pool.h"
#include "protocol.h"

namespace lendbuf {

class Jobs {
 public:
  struct Done {
    protocol::Done answer;
    std::string words;
  };

  Jobs();
  // Runs it soon. What it answers is DONE's value; what it throws (Refusal or SystemError) is DONE's error.
  void Start(uint32_t serial, std::function<uint64_t()> job);
  // Readable when TakeDone has something.
  int fd() const { return signal_.get(); }
  std::vector<Done> TakeDone();

 private:
  static Done Run(uint32_t serial, const std::function<uint64_t()>& job);

  Fd signal_;
  std::mutex mutex_;
  std::vector<Done> done_;
  Pool pool_;  // last: its threads use all of the above
};

}  // namespace lendbuf
