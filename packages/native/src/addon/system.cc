#include "system.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "address.h"
#include "argument.h"
#include "error.h"
#include "fd.h"

namespace lendbuf {

namespace {

// Not even root may have more.
rlim_t KernelFileLimit() {
  rlim_t limit = 1'048'576;
  std::ifstream("/proc/sys/fs/nr_open") >> limit;
  return limit;
}

}  // namespace

// bootTimeMs(): number
Napi::Value BootTimeMs(const Napi::CallbackInfo& info) {
  timespec now;
  Check(clock_gettime(CLOCK_BOOTTIME, &now), "clock_gettime");
  return Napi::Number::New(info.Env(), static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6);
}

// tryLock(fd: number): boolean
Napi::Value TryLock(const Napi::CallbackInfo& info) {
  int fd = argument::Descriptor(info[0], "fd");
  int result;
  do {
    result = flock(fd, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno != EWOULDBLOCK) throw SystemError(errno, "flock");
  return Napi::Boolean::New(info.Env(), result == 0);
}

// raiseFileLimit(wanted: number): number
Napi::Value RaiseFileLimit(const Napi::CallbackInfo& info) {
  auto wanted = static_cast<rlim_t>(argument::Integer(info[0], "wanted", 1));
  rlimit limit;
  Check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  rlim_t more = std::min(wanted, KernelFileLimit());
  rlimit raised{.rlim_cur = more, .rlim_max = more};
  if (more <= limit.rlim_max || setrlimit(RLIMIT_NOFILE, &raised) != 0) {  // EPERM: only root raises the hard limit
    raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    Check(setrlimit(RLIMIT_NOFILE, &raised), "setrlimit");
  }
  return Napi::Number::New(info.Env(), static_cast<double>(raised.rlim_cur));
}

// createMemfd(name: string, size: number): number
Napi::Value CreateMemfd(const Napi::CallbackInfo& info) {
  std::string name = argument::Text(info[0], "name");
  auto size = static_cast<off_t>(argument::Integer(info[1], "size"));
  Fd fd(Check(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
  Check(ftruncate(fd.get(), size), "ftruncate");
  return Napi::Number::New(info.Env(), fd.Release());
}

// sendDatagram(path: string, bytes: Uint8Array): void
void SendDatagramTo(const Napi::CallbackInfo& info) {
  std::string path = argument::Path(info[0], "path");
  SendDatagram(path, argument::Bytes(info[1], "bytes"));
}

}  // namespace lendbuf
