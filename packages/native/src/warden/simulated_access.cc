// Single loads and stores of the simulated device. A writer's export is its live memory: they go there.
#include <cstring>

#include "overlap.h"
#include "simulated.h"
#include "single_access.h"

namespace lendbuf {

uint64_t SimulatedDevice::MakeAccess(const protocol::RegisterAccess& access) {
  std::lock_guard lock(mutex_);
  digitizer_.Advance();
  return access.region == 0 ? AccessRegister(access) : AccessMemory(access);
}

// True where a writer has the word.
bool SimulatedDevice::AccessWriter(const protocol::RegisterAccess& access, uint64_t* value) {
  for (MemfdExport* writer : writers_) {
    const Request& request = writer->request();
    if (request.region != access.region || !Overlaps(request, access.offset, access.width / 8)) continue;
    if (leaving_.contains(writer))
      throw Refusal(EBUSY, "the memory is being taken back from who had it: try again when that is done");
    uint64_t at = 0;
    EachOverlap(request, access.offset, access.width / 8,
                [&](uint64_t export_offset, uint64_t, uint64_t) { at = export_offset; });
    if (writer->AccessAt(at, access, value)) return true;
    throw Refusal(EFAULT, "who has the memory has cut it short: take it back first");
  }
  return false;
}

uint64_t SimulatedDevice::AccessRegister(const protocol::RegisterAccess& access) {
  uint64_t value = 0;
  ServeRegisters();  // what a holder has set until now
  if (!access.is_store) {
    digitizer_.Publish();
    memcpy(&value, registers_.at(access.offset), access.width / 8);
    return value;
  }
  if (!AccessWriter(access, &value)) {
    char page[Digitizer::kRegistersSize];
    memcpy(page, registers_.at(0), sizeof page);
    memcpy(page + access.offset, &access.value, access.width / 8);
    digitizer_.Accept(page);
  }
  ServeRegisters();
  return 0;
}

uint64_t SimulatedDevice::AccessMemory(const protocol::RegisterAccess& access) {
  Request page{.region = access.region, .ranges = {{access.offset / Backing::kPage * Backing::kPage, Backing::kPage}}};
  BringUpToDate(page);
  uint64_t value = 0;
  if (AccessWriter(access, &value)) return value;
  if (!access.is_store) {
    memcpy(&value, memory_.at(access.offset), access.width / 8);
    return value;
  }
  memcpy(memory_.Writable(access.offset, access.width / 8), &access.value, access.width / 8);
  MarkStale(page);
  return 0;
}

}  // namespace lendbuf
