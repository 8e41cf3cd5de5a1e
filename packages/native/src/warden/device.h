// What one warden owns: regions, a way to lend them, and whatever must be done from time to time while they are lent.
#pragma once
#include <string>
#include <vector>

#include "exporter.h"

namespace lendbuf {

class Device {
 public:
  virtual ~Device() = default;
  virtual std::vector<protocol::Region> regions() const = 0;
  // The ways to lend it, the one to be preferred first.
  virtual std::vector<Exporter*> exporters() = 0;
  virtual protocol::Access access() const { return protocol::Access::kNone; }
  // Readable once the device is gone or wanted back; -1: that cannot happen.
  virtual int loss() const { return -1; }
  virtual std::string WhyLost() { return ""; }
  // One load or store, checked against the regions; answers what was loaded. Throws Refusal or SystemError. On any
  // thread; may block.
  virtual uint64_t MakeAccess(const protocol::RegisterAccess& access) = 0;
  // Loads or stores `length` bytes, one access of the width after the other, `first` being the first one. Throws
  // Refusal or SystemError, and then some may be done. On any thread; may block.
  virtual void Copy(protocol::RegisterAccess first, char* bytes, uint64_t length);
  // Whether a load from this region can be no command to the device.
  virtual bool MayLoad(uint32_t) const { return true; }
  // Writes the word all over what is requested, with accesses of its width, and answers how many bytes were read back
  // and found right. Throws Refusal or SystemError, and then some may be written. On any thread; may block.
  virtual uint64_t Scrub(const Request& request, uint64_t word, uint32_t width);
  // Gives the device its state as after power-on, while nobody has anything of it. Throws Refusal or SystemError. On
  // any thread; may block.
  virtual void Reset() { throw Refusal(ENOTSUP, "there is nothing to reset"); }
  // Takes its memory from everybody for now, or gives it back. Throws Refusal or SystemError. On any thread; may block.
  virtual void Suspend(bool) { throw Refusal(ENOTSUP, "only the memory of a PCI device can be suspended"); }
  // Gives the device up, when no revoke is under way. True where that is proven to end whatever was exported.
  virtual bool Close() { return false; }
  // Milliseconds from one Tick to the next; 0 while nothing that is lent needs any.
  virtual int tick_period_ms() = 0;
  virtual void Tick() = 0;
};

}  // namespace lendbuf
