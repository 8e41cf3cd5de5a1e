// What the simulated device does with the exports that show its registers.
#include <cstring>

#include "simulated.h"

namespace lendbuf {

namespace {

using Page = char[Digitizer::kRegistersSize];

}  // namespace

// Writers first, so that readers see the outcome within the same tick.
void SimulatedDevice::ServeRegisters() {
  Page page;
  for (bool read_only : {false, true}) {
    for (MemfdExport* lent : served_) {
      const Request& request = lent->request();
      if (request.region != 0 || request.read_only != read_only || lent->Read(0, page, sizeof page) != sizeof page)
        continue;
      if (!read_only) digitizer_.Accept(page);
      if (read_only) digitizer_.Publish();
      CorrectRegisters(*lent, page);
    }
  }
}

// Writes only what differs from what was seen, so that a holder's store in the meantime is not undone.
void SimulatedDevice::CorrectRegisters(MemfdExport& lent, const char* seen) {
  const char* right = registers_.at(0);
  for (uint64_t offset = 0; offset < Digitizer::kRegistersSize; offset += 8) {
    bool low = memcmp(right + offset, seen + offset, 4) != 0;
    bool high = memcmp(right + offset + 4, seen + offset + 4, 4) != 0;
    uint64_t value;
    memcpy(&value, right + offset, sizeof value);
    bool reached = true;
    if (low && high) reached = lent.Store64(offset, value);
    if (low && !high) reached = lent.Store32(offset, static_cast<uint32_t>(value));
    if (high && !low) reached = lent.Store32(offset + 4, static_cast<uint32_t>(value >> 32));
    if (!reached) return;
  }
}

void SimulatedDevice::KeepRegisters(MemfdExport& lent) {
  Page page;
  bool whole = lent.Read(0, page, sizeof page) == sizeof page;
  std::lock_guard lock(mutex_);
  digitizer_.Advance();
  if (whole) digitizer_.Accept(page);
}

}  // namespace lendbuf
