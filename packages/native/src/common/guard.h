// Access to memory that the kernel may take away at any moment.
//
// One SIGBUS handler per process, one armed range per thread: a fault inside of the range ends the access and Guarded
// answers false; any other SIGBUS goes on to whoever handled it before. A handler that is installed later and does not
// chain to ours (Node's process.on("SIGBUS") is one) defeats the guard, so InstallGuard is called again at each
// mapping.
#pragma once
#include <setjmp.h>

#include <atomic>

namespace lendbuf {

// Makes our handler the process's SIGBUS handler, unless it is already. Thread-safe.
void InstallGuard();

namespace guard_internal {
struct Armed {
  sigjmp_buf* jump;
  const char* low;
  const char* high;
};
// initial-exec: the handler must not meet a thread-local block that is allocated on first use.
extern constinit thread_local __attribute__((tls_model("initial-exec"))) Armed armed;
}  // namespace guard_internal

// Runs `access`, which touches [low, high) and has neither destructors nor exceptions. False where the memory was gone.
template <class Access>
[[nodiscard]] __attribute__((noinline)) bool Guarded(const void* low, const void* high, Access access) {
  using guard_internal::armed;
  sigjmp_buf jump;
  if (sigsetjmp(jump, 0)) {  // 0: the handler restores the mask, sparing a system call on each access
    armed = {};
    return false;
  }
  armed = {&jump, static_cast<const char*>(low), static_cast<const char*>(high)};
  std::atomic_signal_fence(std::memory_order_seq_cst);
  access();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  armed = {};
  return true;
}

}  // namespace lendbuf
