// What a system call answered, kept as errno and the call's name up to whoever can interpret it.
#pragma once
#include <cerrno>
#include <cstring>
#include <exception>
#include <string>

namespace lendbuf {

class SystemError : public std::exception {
 public:
  // `about` is what the call was about, such as a path.
  SystemError(int error, const char* call, const std::string& about = "")
      : error_(error),
        call_(call),
        what_(call + (about.empty() ? "" : " " + about) + ": " + CodeOf(error) + ", " + strerror(error)) {}

  int error() const { return error_; }
  const char* call() const { return call_; }
  const char* what() const noexcept override { return what_.c_str(); }

  // "EBADFD". libuv does not know all of the kernel's errnos, glibc does.
  static std::string CodeOf(int error) {
    const char* name = strerrorname_np(error);
    return name ? name : std::to_string(error);
  }

 private:
  int error_;
  const char* call_;
  std::string what_;
};

// Throws where a call answered -1; hands any other answer on.
template <class T>
T Check(T result, const char* call) {
  if (result == (T)-1) throw SystemError(errno, call);
  return result;
}

}  // namespace lendbuf
