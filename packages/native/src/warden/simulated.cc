#include "simulated.h"

#include "overlap.h"

namespace lendbuf {

namespace {

constexpr uint32_t kRegistersRegion = 0;
constexpr uint32_t kMemoryRegion = 2;
constexpr uint64_t kMemorySize = 16 << 20;
constexpr int kTickMs = 20;

bool ShowsRegisters(const Request& request) { return request.region == kRegistersRegion; }

bool ShowsRing(const Request& request, uint32_t channel) {
  return request.region == kMemoryRegion && Overlaps(request, channel * Digitizer::kRingSize, Digitizer::kRingSize);
}

}  // namespace

SimulatedDevice::SimulatedDevice()
    : registers_(Digitizer::kRegistersSize),
      memory_(kMemorySize),
      digitizer_(registers_, memory_, [this](uint64_t offset, uint64_t length) { SpreadSamples(offset, length); }),
      exporter_(*this),
      staged_(*this),
      scratch_(256 << 10) {}

std::vector<protocol::Region> SimulatedDevice::regions() const {
  constexpr uint32_t kFlags = protocol::kReadable | protocol::kWritable | protocol::kMappable;
  return {{.index = kRegistersRegion, .flags = kFlags, .size = registers_.size()},
          {.index = kMemoryRegion, .flags = kFlags, .size = memory_.size()}};
}

Backing& SimulatedDevice::BackingOf(const Request& request) { return ShowsRegisters(request) ? registers_ : memory_; }

bool SimulatedDevice::WritesInto(const Request& request) const {
  return ShowsRegisters(request) || (request.region == kMemoryRegion && Overlaps(request, 0, Digitizer::kRingsSize));
}

int SimulatedDevice::tick_period_ms() {
  std::lock_guard lock(mutex_);
  return served_.empty() && watched_.empty() && stale_.empty() ? 0 : kTickMs;
}

void SimulatedDevice::Tick() {
  std::lock_guard lock(mutex_);
  digitizer_.Advance();
  for (MemfdExport* lent : served_) BringUpToDate(lent->request());
  ServeRegisters();
  for (MemfdExport* writer : watched_) Absorb(*writer);
  for (MemfdExport* reader : stale_) Refresh(*reader);
  stale_.clear();
}

void SimulatedDevice::BringUpToDate(const Request& request) {
  for (uint32_t channel = 0; channel < Digitizer::kChannels; channel++)
    if (ShowsRing(request, channel)) digitizer_.Capture(channel);
}

void SimulatedDevice::SpreadSamples(uint64_t offset, uint64_t length) {
  for (MemfdExport* lent : served_) {
    if (ShowsRegisters(lent->request())) continue;
    EachOverlap(lent->request(), offset, length, [&](uint64_t export_offset, uint64_t region_offset, uint64_t size) {
      (void)lent->Write(export_offset, memory_.at(region_offset),
                        size);  // a holder that cut its own memory gets no samples
    });
  }
}

void SimulatedDevice::Fill(MemfdExport& lent) {
  std::lock_guard lock(mutex_);
  const Request& request = lent.request();
  if (WritesInto(request)) {
    digitizer_.Advance();
    BringUpToDate(request);
    digitizer_.Publish();
  }
  if (request.read_only && !ShowsRegisters(request)) AbsorbWriters(request);
  Copy(lent);
  Enlist(lent);
}

void SimulatedDevice::AbsorbWriters(const Request& request) {
  for (MemfdExport* writer : writers_)
    if (Overlap(writer->request(), request)) Absorb(*writer);
}

void SimulatedDevice::Copy(MemfdExport& lent) {
  Backing& backing = BackingOf(lent.request());
  uint64_t export_offset = 0;
  for (const protocol::Range& range : lent.request().ranges) {
    uint64_t end = range.offset + range.length;
    for (uint64_t at = range.offset;;) {
      protocol::Range run = backing.NextRun(at, end);
      if (run.length == 0) break;
      lent.Prefill(export_offset + (run.offset - range.offset), backing.at(run.offset), run.length);
      at = run.offset + run.length;
    }
    export_offset += range.length;
  }
}

void SimulatedDevice::Enlist(MemfdExport& lent) {
  const Request& request = lent.request();
  (request.read_only ? readers_ : writers_).insert(&lent);
  if (WritesInto(request)) served_.insert(&lent);
  if (ShowsRegisters(request)) return;
  for (MemfdExport* other : request.read_only ? writers_ : readers_)
    if (Overlap(other->request(), request)) watched_.insert(request.read_only ? other : &lent);
}

void SimulatedDevice::Forget(MemfdExport& lent) {
  std::lock_guard lock(mutex_);
  for (Set* set : {&writers_, &readers_, &served_, &watched_, &leaving_, &stale_}) set->erase(&lent);
  std::erase_if(watched_, [this](MemfdExport* writer) {
    return std::none_of(readers_.begin(), readers_.end(),
                        [&](MemfdExport* reader) { return Overlap(reader->request(), writer->request()); });
  });
}

}  // namespace lendbuf
