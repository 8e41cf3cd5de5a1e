// Owns one file descriptor and closes it.
#pragma once
#include <unistd.h>

#include <utility>

namespace lendbuf {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  ~Fd() { Reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);  // never retried: Linux has freed the number even when close answers EINTR
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace lendbuf
