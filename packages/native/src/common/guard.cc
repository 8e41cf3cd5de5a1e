#include "guard.h"

#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include <cstdint>
#include <mutex>

namespace lendbuf {

namespace guard_internal {
constinit thread_local __attribute__((tls_model("initial-exec"))) Armed armed{};
}

namespace {

using guard_internal::armed;

struct sigaction previous;
std::mutex installing;

void Chain(int signal_number, siginfo_t* info, void* context) {
  bool sent_by_kill = info->si_code <= 0;
  // Noted in this signal's facts and nowhere else: the handler before us may leave by a jump.
  const int seen = static_cast<int>(reinterpret_cast<uintptr_t>(&previous)) | 1;
  if (info->si_errno == seen) {  // two handlers that each think that the other came first
    signal(signal_number, SIG_DFL);
    return;
  }
  info->si_errno = seen;
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal_number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal_number);
  } else if (!(previous.sa_handler == SIG_IGN && sent_by_kill)) {
    signal(signal_number, SIG_DFL);  // a real fault happens again and ends the process as it would have without us
    if (sent_by_kill) raise(signal_number);  // kill(2) does not
  }
}

void OnBusError(int signal_number, siginfo_t* info, void* context) {
  const char* address = static_cast<const char*>(info->si_addr);
  bool ours = info->si_code > 0 && armed.jump && address >= armed.low && address < armed.high;
  if (!ours) return Chain(signal_number, info, context);
  // A handler that chained to us may run without SA_NODEFER: leave no signal blocked behind the jump.
  pthread_sigmask(SIG_SETMASK, &static_cast<ucontext_t*>(context)->uc_sigmask, nullptr);
  siglongjmp(*armed.jump, 1);
}

}  // namespace

void InstallGuard() {
  std::lock_guard lock(installing);
  struct sigaction current;
  sigaction(SIGBUS, nullptr, &current);
  if ((current.sa_flags & SA_SIGINFO) && current.sa_sigaction == OnBusError) return;
  struct sigaction ours {};
  ours.sa_sigaction = OnBusError;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&ours.sa_mask);
  previous = current;
  sigaction(SIGBUS, &ours, nullptr);
}

}  // namespace lendbuf
