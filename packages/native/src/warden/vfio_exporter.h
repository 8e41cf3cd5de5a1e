// Exports as dma-bufs of a VFIO device: ranges of one BAR, revoked by the best rung of the ladder that works here.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "exporter.h"
#include "fd.h"
#include "revoke_method.h"
#include "vfio_handle.h"

namespace lendbuf {

class VfioExport : public Export {
 public:
  VfioExport(Fd dmabuf, RevokeMethod& method, bool mappable)
      : dmabuf_(std::move(dmabuf)), method_(method), mappable_(mappable) {}
  int fd() const override { return dmabuf_.get(); }
  protocol::Scope scope() const override { return method_.scope(); }
  bool ends_with_device() const override { return true; }
  Proof Revoke() override;

 private:
  Fd dmabuf_;
  RevokeMethod& method_;
  bool mappable_;
};

class VfioExporter : public Exporter {
 public:
  struct Options {
    uint32_t revoke_feature = 0;     // this kernel's number of VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE; 0: it has none
    std::vector<std::string> rungs;  // the keys of those that may be used; empty: all
  };
  // Throws Refusal where a rung has no such key.
  VfioExporter(VfioHandle& device, Options options);
  protocol::Kind kind() const override { return protocol::Kind::kVfio; }
  Capability SelfTest() override;
  std::shared_ptr<Export> Make(Request request) override;

 private:
  struct Page {
    uint32_t region;
    uint64_t offset;
    bool may_load;  // reading it cannot be a command to the device
  };
  Page FindTestPage() const;
  Fd ExportPage(const Page& page, int open_flags) const;
  Rung Try(RevokeMethod& method, const Page& page) const;
  std::string TryRevoke(RevokeMethod& method, const Page& page) const;

  bool MayUse(const RevokeMethod& method) const;

  VfioHandle& device_;
  Options options_;
  std::vector<std::unique_ptr<RevokeMethod>> ladder_;  // best first
  RevokeMethod* best_ = nullptr;
  bool mappable_ = false;
};

// The dma-buf. Throws SystemError with what the kernel answered.
Fd ExportDmaBuf(int device, const Request& request, int open_flags);

}  // namespace lendbuf
