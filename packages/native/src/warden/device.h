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
  virtual Exporter& exporter() = 0;
  virtual protocol::Access access() const { return protocol::Access::kNone; }
  // Readable once the device is gone or wanted back; -1: that cannot happen.
  virtual int loss() const { return -1; }
  virtual std::string WhyLost() { return ""; }
  // One load or store, checked against the regions; answers what was loaded. Throws Refusal or SystemError. On any
  // thread; may block.
  virtual uint64_t MakeAccess(const protocol::RegisterAccess& access) = 0;
  // Gives the device up, when no revoke is under way. True where that is proven to end whatever was exported.
  virtual bool Close() { return false; }
  // Milliseconds from one Tick to the next; 0 while nothing that is lent needs any.
  virtual int tick_period_ms() = 0;
  virtual void Tick() = 0;
};

}  // namespace lendbuf
