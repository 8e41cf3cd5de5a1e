// A mapping of an export's first page, for a self-test: accesses answer false where the memory is gone.
#pragma once
#include <sys/mman.h>

#include <cerrno>
#include <cstddef>

#include "guard.h"

namespace lendbuf {

class View {
 public:
  static constexpr size_t kSize = 4096;

  View(int fd, int protection)
      : start_(mmap(nullptr, kSize, protection, MAP_SHARED, fd, 0)), error_(start_ == MAP_FAILED ? errno : 0) {}
  ~View() {
    if (*this) munmap(start_, kSize);
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  explicit operator bool() const { return error_ == 0; }
  // errno that mmap answered.
  int error() const { return error_; }

  template <class Word>
  bool Store(Word value) {
    Word* at = static_cast<Word*>(start_);
    return Guarded(at, at + 1, [=] { *static_cast<volatile Word*>(at) = value; });
  }
  template <class Word>
  bool Load(Word* value) const {
    const Word* at = static_cast<const Word*>(start_);
    return Guarded(at, at + 1, [=] { *value = *static_cast<const volatile Word*>(at); });
  }

 private:
  void* start_;
  int error_;
};

}  // namespace lendbuf
