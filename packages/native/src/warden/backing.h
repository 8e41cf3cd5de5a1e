// The memory of one simulated region. Pages that were never written cost nothing. Not thread-safe.
#pragma once
#include <cstdint>
#include <vector>

#include "protocol.h"

namespace lendbuf {

class Backing {
 public:
  static constexpr uint64_t kPage = 4096;

  explicit Backing(uint64_t size);
  ~Backing();
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;

  const char* at(uint64_t offset) const { return memory_ + offset; }
  uint64_t size() const { return size_; }
  // Memory that the caller is about to write.
  char* Writable(uint64_t offset, uint64_t length);
  // Page-aligned.
  void Zero(uint64_t offset, uint64_t length);
  // The first run of pages in [offset, end) that may hold anything but zeros; length 0: none. Page-aligned.
  protocol::Range NextRun(uint64_t offset, uint64_t end) const;

 private:
  uint64_t size_;
  char* memory_;
  std::vector<bool> written_;  // by page
};

}  // namespace lendbuf
