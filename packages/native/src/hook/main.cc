// lendbuf-hook [--uid UID] -- /PATH [ARGUMENT...]
//
// Runs an operator's program with nothing of ours: no descriptor, no privilege, no environment that was not given. It
// ends when its program has ended or its standard input has (the agent is gone, or the time is up), and then whatever
// the program started has ended too, in whatever session it is. Exits as the program did, with 128 and the signal
// where it died of one.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "error.h"
#include "fd.h"

namespace lendbuf {

namespace {

constexpr int kNotStarted = 127;

struct Options {
  std::optional<uid_t> uid;
  char** command = nullptr;
};

Options ParseOptions(char** arguments) {
  Options options;
  char** next = arguments + 1;
  if (*next && !strcmp(*next, "--uid") && next[1]) {
    options.uid = static_cast<uid_t>(strtoul(next[1], nullptr, 10));
    next += 2;
  }
  if (!*next || strcmp(*next, "--") || !next[1]) {
    fprintf(stderr, "usage: lendbuf-hook [--uid UID] -- /PATH [ARGUMENT...] (the agent runs it)\n");
    exit(kNotStarted);
  }
  options.command = next + 1;
  return options;
}

void DropCapabilities() {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int one = 0; one <= CAP_LAST_CAP; one++)
    prctl(PR_CAPBSET_DROP, one, 0, 0, 0);  // root's, where we have that right
}

void BecomeNobody(uid_t uid) {
  Check(setgroups(0, nullptr), "setgroups");
  Check(setresgid(uid, uid, uid), "setresgid");
  Check(setresuid(uid, uid, uid), "setresuid");
}

void ForgetCapabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  Check(syscall(SYS_capset, &header, none), "capset");
}

void ForgetSignals() {
  for (int one = 1; one < NSIG; one++) signal(one, SIG_DFL);  // an ignored one would stay so in the program
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void Become(const Options& options) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Fd nothing(open("/dev/null", O_RDWR));
  dup2(nothing.get(), STDIN_FILENO);
  nothing.Release();  // closed with all others
  close_range(STDERR_FILENO + 1, ~0u, 0);
  ForgetSignals();
  umask(077);
  try {
    Check(chdir("/"), "chdir");
    rlimit files{1024, 1024};
    Check(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
    DropCapabilities();
    if (options.uid) BecomeNobody(*options.uid);
    ForgetCapabilities();
    Check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)");
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of uid takes it away
    execv(options.command[0], options.command);
    throw SystemError(errno, "execv", options.command[0]);
  } catch (const SystemError& failure) {
    fprintf(stderr, "%s\n", failure.what());
  }
  _exit(kNotStarted);
}

// Those of our children that are there now: whoever loses its parent becomes one.
void KillChildren() {
  FILE* list = fopen(("/proc/self/task/" + std::to_string(getpid()) + "/children").c_str(), "re");
  if (!list) return;
  for (int pid; fscanf(list, "%d", &pid) == 1;) kill(pid, SIGKILL);
  fclose(list);
}

void EndEverything(pid_t program) {
  kill(-program, SIGKILL);
  do KillChildren();
  while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR);
}

// The program's end, or that of standard input.
int Await(pid_t program) {
  Fd process(static_cast<int>(syscall(SYS_pidfd_open, program, 0)));
  pollfd events[] = {{STDIN_FILENO, POLLIN, 0}, {process.get(), POLLIN, 0}};
  while (poll(events, 2, -1) < 0 || !(events[0].revents || events[1].revents)) {
  }
  if (!events[1].revents) kill(program, SIGKILL);
  int status = 0;
  waitpid(program, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

}  // namespace lendbuf

int main(int, char** arguments) {
  using namespace lendbuf;
  Options options = ParseOptions(arguments);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t program = fork();
  if (program == 0) Become(options);
  if (program < 0) {
    fprintf(stderr, "%s\n", SystemError(errno, "fork").what());
    return kNotStarted;
  }
  int status = Await(program);
  EndEverything(program);
  return status;
}
