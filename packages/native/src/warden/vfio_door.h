// The two ways in which Linux opens a VFIO device, and by which it proves that nobody has it open any more.
#pragma once
#include <memory>
#include <string>

#include "fd.h"
#include "protocol.h"

namespace lendbuf {

class VfioDoor {
 public:
  virtual ~VfioDoor() = default;
  virtual protocol::Access access() const = 0;
  // Opens the device, which must be closed; throws Refusal with what is in the way. Its fd dies before the door does.
  virtual Fd Open() = 0;
  // After our fd was closed. 0: nobody at all has the device open; else the errno that says otherwise.
  virtual int ConfirmClosed() = 0;
};

// Chooses by what can be opened here, cdev first. Throws Refusal with what is in the way and what to do about it.
std::unique_ptr<VfioDoor> FindVfioDoor(const std::string& address);

}  // namespace lendbuf
