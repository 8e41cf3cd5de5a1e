// Accesses to the device under way, and those that are done. A device that does not answer blocks nobody else.
#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "device.h"
#include "fd.h"
#include "pool.h"

namespace lendbuf {

class Accesses {
 public:
  struct Done {
    protocol::Accessed answer;
    std::string words;
  };

  explicit Accesses(Device& device);
  void Start(const protocol::RegisterAccess& access);
  // Readable when TakeDone has something.
  int fd() const { return signal_.get(); }
  std::vector<Done> TakeDone();

 private:
  Done Make(const protocol::RegisterAccess& access);

  Device& device_;
  Fd signal_;
  std::mutex mutex_;
  std::vector<Done> done_;
  Pool pool_;  // last: its thread uses all of the above
};

}  // namespace lendbuf
