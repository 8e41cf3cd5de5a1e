#include "memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstring>

#include "error.h"
#include "guard.h"
#include "single_access.h"

namespace lendbuf {

namespace {

Fd OpenReadOnly(int memfd) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", memfd);
  return Fd(Check(open(path, O_RDONLY | O_CLOEXEC), "open"));
}

}  // namespace

MemfdExport::MemfdExport(Request request, MemfdContents& contents) : request_(std::move(request)), contents_(contents) {
  memfd_ = Fd(Check(memfd_create("lendbuf", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
  Check(fchmod(memfd_.get(), 0600), "fchmod");  // a memfd is born 0777: any user could reopen it through /proc
  Check(ftruncate(memfd_.get(), static_cast<off_t>(request_.size)), "ftruncate");
  try {
    if (request_.read_only) reader_ = OpenReadOnly(memfd_.get());
    if (request_.read_only || contents_.WritesInto(request_)) Map();
    contents_.Fill(*this);
    Seal();
  } catch (...) {
    contents_.Forget(*this);
    if (mapping_) munmap(mapping_, request_.size);
    throw;
  }
}

MemfdExport::~MemfdExport() {
  contents_.Forget(*this);
  if (mapping_) munmap(mapping_, request_.size);
}

void MemfdExport::Map() {
  void* mapping = mmap(nullptr, request_.size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_.get(), 0);
  mapping_ = static_cast<char*>(Check(mapping, "mmap"));
}

// GROW: a truncated export stays empty. SEAL: no holder may add SHRINK, which would forbid the revoke. FUTURE_WRITE:
// nobody writes but through the mapping that we have already, whatever its uid.
void MemfdExport::Seal() {
  int seals = F_SEAL_GROW | F_SEAL_SEAL | (request_.read_only ? F_SEAL_FUTURE_WRITE : 0);
  Check(fcntl(memfd_.get(), F_ADD_SEALS, seals), "fcntl(F_ADD_SEALS)");
}

void MemfdExport::PrepareDelivery() {
  if (request_.read_only && !reader_) reader_ = OpenReadOnly(memfd_.get());
}

void MemfdExport::KeepContents() { contents_.Keep(*this); }

Proof MemfdExport::Revoke() {
  Proof proof{.method = protocol::Method::kTruncate, .probe = -1};
  struct stat seen;
  if (ftruncate(memfd_.get(), 0) || fstat(memfd_.get(), &seen)) {
    proof.error = errno;
    return proof;
  }
  proof.probe = static_cast<int32_t>(seen.st_size);
  proof.safe = seen.st_size == 0;
  return proof;
}

void MemfdExport::Prefill(uint64_t offset, const void* from, size_t length) {
  for (size_t done = 0; done < length;)
    done += static_cast<size_t>(Check(
        pwrite(memfd_.get(), static_cast<const char*>(from) + done, length - done, static_cast<off_t>(offset + done)),
        "pwrite"));
}

bool MemfdExport::Write(uint64_t offset, const void* from, size_t length) {
  char* to = mapping_ + offset;
  return Guarded(to, to + length, [=] { memcpy(to, from, length); });
}

template <class Word>
bool MemfdExport::Store(uint64_t offset, Word value) {
  char* to = mapping_ + offset;
  return Guarded(to, to + sizeof value, [=] { *reinterpret_cast<volatile Word*>(to) = value; });
}
template bool MemfdExport::Store(uint64_t, uint32_t);
template bool MemfdExport::Store(uint64_t, uint64_t);

bool MemfdExport::AccessAt(uint64_t offset, const protocol::RegisterAccess& access, uint64_t* value) const {
  if (mapping_) return AccessOnce(mapping_ + offset, access, value);
  constexpr uint64_t kPage = 4096;
  off_t page = static_cast<off_t>(offset / kPage * kPage);
  void* start = Check(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_.get(), page), "mmap");
  bool reached = AccessOnce(static_cast<char*>(start) + offset % kPage, access, value);
  munmap(start, kPage);
  return reached;
}

size_t MemfdExport::Read(uint64_t offset, void* into, size_t length) const {
  size_t done = 0;
  while (done < length) {
    ssize_t count =
        pread(memfd_.get(), static_cast<char*>(into) + done, length - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

std::shared_ptr<Export> MemfdExporter::Make(Request request) {
  return std::make_shared<MemfdExport>(std::move(request), contents_);
}

}  // namespace lendbuf
