// The simulated device: a digitizer's registers (region 0) and memory (region 2), lent as memfds.
//
// A writer's export is the live memory of its ranges; the backing has what the next holder will find. Whatever the
// device itself changes it writes into each export that shows it. Everything below is under one lock, which is never
// held over a call that a holder could make wait: see MemfdExport.
#pragma once
#include <mutex>
#include <span>
#include <unordered_set>
#include <vector>

#include "backing.h"
#include "device.h"
#include "digitizer.h"
#include "memfd.h"
#include "staged.h"

namespace lendbuf {

class SimulatedDevice : public Device, private MemfdContents {
 public:
  SimulatedDevice();
  std::vector<protocol::Region> regions() const override;
  std::vector<Exporter*> exporters() override { return {&exporter_, &staged_}; }
  uint64_t MakeAccess(const protocol::RegisterAccess& access) override;
  uint64_t Scrub(const Request& request, uint64_t word, uint32_t width) override;
  void Reset() override;
  int tick_period_ms() override;
  void Tick() override;

 private:
  using Set = std::unordered_set<MemfdExport*>;

  bool WritesInto(const Request& request) const override;
  void Fill(MemfdExport& lent) override;
  void Keep(MemfdExport& lent) override;
  void Forget(MemfdExport& lent) override;

  Backing& BackingOf(const Request& request);
  void BringUpToDate(const Request& request);
  void Copy(MemfdExport& lent);
  void Enlist(MemfdExport& lent);
  void SpreadSamples(uint64_t offset, uint64_t length);
  void ServeRegisters();
  void CorrectRegisters(MemfdExport& lent, const char* seen);
  void KeepRegisters(MemfdExport& lent);
  uint64_t ScrubRegisters(const Request& request, std::span<const char> pattern);
  uint64_t ScrubMemory(const Request& request, std::span<const char> pattern);
  uint64_t AccessRegister(const protocol::RegisterAccess& access);
  uint64_t AccessMemory(const protocol::RegisterAccess& access);
  bool AccessWriter(const protocol::RegisterAccess& access, uint64_t* value);
  void KeepRange(MemfdExport& lent, uint64_t from, const protocol::Range& range);
  void KeepData(MemfdExport& lent, uint64_t from, const protocol::Range& range);
  void AbsorbWriters(const Request& request);
  void Absorb(MemfdExport& writer);
  void Refresh(MemfdExport& reader);
  void MarkStale(const Request& changed);

  std::mutex mutex_;
  Backing registers_;
  Backing memory_;
  Digitizer digitizer_;
  MemfdExporter exporter_;
  StagedExporter staged_;
  Set writers_;
  Set readers_;
  Set served_;   // show registers or rings, so that each tick writes into them
  Set watched_;  // writers whose plain memory a reader sees too
  Set leaving_;  // writers whose contents are being kept: what is stored there now is lost
  Set stale_;    // readers that may show old contents
  std::vector<char> scratch_;
};

}  // namespace lendbuf
