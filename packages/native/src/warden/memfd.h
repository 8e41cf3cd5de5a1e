// Exports as sealed memfds: one per delegation, revoked by truncating it, on every kernel.
#pragma once
#include <cstddef>

#include "exporter.h"
#include "fd.h"

namespace lendbuf {

class MemfdExport;

// Where the bytes that memfd exports show come from, and where a writer's go.
class MemfdContents {
 public:
  virtual ~MemfdContents() = default;
  // Whether a writer's export needs Write() later on. Read-only ones always can.
  virtual bool WritesInto(const Request&) const { return false; }
  // Fills a fresh export, which nobody else can reach yet, and may remember it until Forget.
  virtual void Fill(MemfdExport&) {}
  // Any thread; may block.
  virtual void Keep(MemfdExport&) {}
  virtual void Forget(MemfdExport&) {}
};

// A holder may truncate it or punch holes at any moment, and a holder that writes from memory whose page fault never
// ends (FUSE, userfaultfd) keeps the inode's lock for as long: so whoever must not wait uses Read and Write, which take
// no such lock, and never pwrite, fallocate, SEEK_DATA or ftruncate.
class MemfdExport : public Export {
 public:
  MemfdExport(Request request, MemfdContents& contents);
  ~MemfdExport() override;
  MemfdExport(const MemfdExport&) = delete;
  MemfdExport& operator=(const MemfdExport&) = delete;

  int fd() const override { return reader_ ? reader_.get() : memfd_.get(); }
  protocol::Scope scope() const override { return protocol::Scope::kBuffer; }
  void Delivered() override { reader_.Reset(); }
  void PrepareDelivery() override;
  void KeepContents() override;
  Proof Revoke() override;

  const Request& request() const { return request_; }
  int memfd() const { return memfd_.get(); }
  // Before anybody else can reach the export: leaner than faulting in our mapping page by page.
  void Prefill(uint64_t offset, const void* from, size_t length);
  // Copies into the export through our mapping; false where the holder has taken the memory away.
  bool Write(uint64_t offset, const void* from, size_t length);
  // One store, never torn.
  bool Store32(uint64_t offset, uint32_t value) { return Store(offset, value); }
  bool Store64(uint64_t offset, uint64_t value) { return Store(offset, value); }
  // One load or store at this offset of the export; false where the holder has taken the memory away.
  bool AccessAt(uint64_t offset, const protocol::RegisterAccess& access, uint64_t* value) const;
  // Bytes read, fewer where the holder has cut it short. Holes are zeros and stay holes.
  size_t Read(uint64_t offset, void* into, size_t length) const;

 private:
  template <class Word>
  bool Store(uint64_t offset, Word value);
  void Map();
  void Seal();

  Request request_;
  MemfdContents& contents_;
  Fd memfd_;   // writable; ours alone where the export is read-only
  Fd reader_;  // read-only, until it is delivered
  char* mapping_ = nullptr;
};

class MemfdExporter : public Exporter {
 public:
  explicit MemfdExporter(MemfdContents& contents) : contents_(contents) {}
  protocol::Kind kind() const override { return protocol::Kind::kMemfd; }
  Capability SelfTest() override;
  std::shared_ptr<Export> Make(Request request) override;

 private:
  MemfdContents& contents_;
};

}  // namespace lendbuf
