// The machine's own memory as a device: dma-bufs of fresh pages, for programs and devices that take nothing else. Once
// lent nothing takes them back by force.
#pragma once
#include <atomic>
#include <memory>

#include "device.h"
#include "fd.h"

namespace lendbuf {

// How much may be lent at once, to all borrowers together.
class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t size) : left_(size) {}
  // False where so much is not left. Any thread.
  bool Take(uint64_t size);
  void GiveBack(uint64_t size) { left_ += size; }

 private:
  std::atomic<uint64_t> left_;
};

// Each export is memory of its own, born as zeros, which nobody had before and nobody gets after.
class SystemMemoryExporter : public Exporter {
 public:
  explicit SystemMemoryExporter(MemoryBudget& budget) : budget_(budget) {}
  Capability SelfTest() override;
  std::shared_ptr<Export> Make(Request request) override;

 private:
  // A dma-buf of so many bytes. Throws Refusal or SystemError.
  virtual Fd Allocate(uint64_t size, bool read_only) = 0;
  std::string TryLastReference();

  MemoryBudget& budget_;
};

// /dev/udmabuf: the pages of a memfd that nobody else ever has.
class UdmabufExporter : public SystemMemoryExporter {
 public:
  using SystemMemoryExporter::SystemMemoryExporter;
  protocol::Kind kind() const override { return protocol::Kind::kUdmabuf; }

 private:
  Fd Allocate(uint64_t size, bool read_only) override;
};

// /dev/dma_heap/system.
class DmaHeapExporter : public SystemMemoryExporter {
 public:
  using SystemMemoryExporter::SystemMemoryExporter;
  protocol::Kind kind() const override { return protocol::Kind::kDmaHeap; }

 private:
  Fd Allocate(uint64_t size, bool read_only) override;
};

class SystemMemoryDevice : public Device {
 public:
  // Throws Refusal where there is no such memory to lend.
  explicit SystemMemoryDevice(uint64_t size);
  std::vector<protocol::Region> regions() const override;
  std::vector<Exporter*> exporters() override { return {&udmabuf_, &dma_heap_}; }
  uint64_t MakeAccess(const protocol::RegisterAccess&) override;
  // Each borrower gets pages of its own: there is nothing left of another's.
  uint64_t Scrub(const Request&, uint64_t, uint32_t) override { return 0; }
  int tick_period_ms() override { return 0; }
  void Tick() override {}

 private:
  uint64_t size_;
  MemoryBudget budget_;
  UdmabufExporter udmabuf_;
  DmaHeapExporter dma_heap_;
};

}  // namespace lendbuf
