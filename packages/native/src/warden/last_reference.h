// Exports that nothing takes back: their end is proven once the kernel counts no reference to them but ours.
#pragma once
#include "exporter.h"
#include "fd.h"

namespace lendbuf {

// How many references to a dma-buf there are beside this descriptor of ours: other descriptors (also in flight between
// processes), mappings, importers. Each holds its file, and who has none can get none from us. Throws SystemError where
// the kernel does not tell.
int CountOthers(int dmabuf);

class LastReferenceExport : public Export {
 public:
  explicit LastReferenceExport(Fd dmabuf) : dmabuf_(std::move(dmabuf)) {}
  int fd() const override { return dmabuf_.get(); }
  protocol::Scope scope() const override { return protocol::Scope::kNone; }
  // Takes nothing away: EBUSY while anybody else has it.
  Proof Revoke() override;

 private:
  Fd dmabuf_;
};

}  // namespace lendbuf
