#include "backing.h"

#include <sys/mman.h>

#include "error.h"

namespace lendbuf {

Backing::Backing(uint64_t size) : size_(size), written_(size / kPage) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  memory_ = static_cast<char*>(Check(memory, "mmap"));
}

Backing::~Backing() { munmap(memory_, size_); }

char* Backing::Writable(uint64_t offset, uint64_t length) {
  for (uint64_t page = offset / kPage; page * kPage < offset + length; page++) written_[page] = true;
  return memory_ + offset;
}

void Backing::Zero(uint64_t offset, uint64_t length) {
  for (;;) {
    protocol::Range run = NextRun(offset, offset + length);
    if (run.length == 0) return;
    madvise(memory_ + run.offset, run.length, MADV_DONTNEED);
    for (uint64_t page = run.offset / kPage; page * kPage < run.offset + run.length; page++) written_[page] = false;
  }
}

protocol::Range Backing::NextRun(uint64_t offset, uint64_t end) const {
  while (offset < end && !written_[offset / kPage]) offset += kPage;
  uint64_t start = offset;
  while (offset < end && written_[offset / kPage]) offset += kPage;
  return {start, offset - start};
}

}  // namespace lendbuf
