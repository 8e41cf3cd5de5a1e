// Windows onto a device's memory, for processes on kernels whose exports cannot be mapped: memfds whose bytes are
// copied from and to the device when the holder asks for it, and taken back by truncation, each by itself, on every
// kernel.
#pragma once
#include <atomic>
#include <mutex>

#include "device.h"
#include "memfd.h"

namespace lendbuf {

// Starts as zeros: what a load does to the device only its borrower knows.
class StagedExport : public MemfdExport {
 public:
  StagedExport(Request request, MemfdContents& contents, Device& device)
      : MemfdExport(std::move(request), contents), device_(device) {}
  // After it nothing that the holder wrote reaches the device either.
  Proof Revoke() override;
  void Sync(const protocol::Sync& sync) override;

 private:
  void SyncPiece(const protocol::Sync& sync, uint64_t export_offset, uint64_t region_offset, uint64_t length);

  Device& device_;
  std::atomic<bool> ended_ = false;
  std::mutex copying_;
};

class StagedExporter : public Exporter, private MemfdContents {
 public:
  explicit StagedExporter(Device& device) : device_(device) {}
  protocol::Kind kind() const override { return protocol::Kind::kStaged; }
  Capability SelfTest() override;
  std::shared_ptr<Export> Make(Request request) override;

 private:
  bool WritesInto(const Request&) const override { return true; }
  std::string TryCopy();

  Device& device_;
};

}  // namespace lendbuf
