// What one warden owns: regions, a way to lend them, and whatever must be done from time to time while they are lent.
#pragma once
#include <vector>

#include "exporter.h"

namespace lendbuf {

class Device {
 public:
  virtual ~Device() = default;
  virtual std::vector<protocol::Region> regions() const = 0;
  virtual Exporter& exporter() = 0;
  // Milliseconds from one Tick to the next; 0 while nothing that is lent needs any.
  virtual int tick_period_ms() = 0;
  virtual void Tick() = 0;
};

}  // namespace lendbuf
