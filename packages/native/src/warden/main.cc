// lendbuf-warden --device NAME --simulated --instance UUID --last-word PATH, with fd 3 a SOCK_SEQPACKET socket to the
// agent. Exits with 0 when the agent is gone and all is revoked or listed, 1 where it cannot start, 2 where the agent
// broke the protocol.
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "error.h"
#include "guard.h"
#include "last_word.h"
#include "request.h"
#include "simulated.h"
#include "warden.h"

namespace lendbuf {

namespace {

constexpr int kAgent = 3;

struct Options {
  std::string device;
  std::string instance;
  std::string last_word;
  bool simulated = false;
};

// They are copied into JSON and logs as they are.
bool IsPlain(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return isalnum(c) || std::string_view(":._-").find(c) != std::string_view::npos;
  });
}

Options ParseOptions(int count, char** arguments) {
  const option known[] = {{"device", required_argument, nullptr, 'd'},
                          {"instance", required_argument, nullptr, 'i'},
                          {"last-word", required_argument, nullptr, 'l'},
                          {"simulated", no_argument, nullptr, 's'},
                          {}};
  Options options;
  for (int found; (found = getopt_long(count, arguments, "", known, nullptr)) != -1;) {
    if (found == 'd') options.device = optarg;
    if (found == 'i') options.instance = optarg;
    if (found == 'l') options.last_word = optarg;
    if (found == 's') options.simulated = true;
    if (found == '?') throw Refusal(EINVAL, "unknown option");
  }
  if (!options.simulated || !IsPlain(options.device) || !IsPlain(options.instance) || options.last_word.empty() ||
      optind != count)
    throw Refusal(
        EINVAL,
        "usage: lendbuf-warden --device NAME --simulated --instance UUID --last-word PATH (the agent starts it)");
  return options;
}

void CheckAgent() {
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(kAgent, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_SEQPACKET)
    throw Refusal(EBADF, "fd 3 is not a SOCK_SEQPACKET socket: the agent starts its wardens, do not start one by hand");
  Check(fcntl(kAgent, F_SETFD, FD_CLOEXEC), "fcntl");
}

// Only the end of the agent ends us: a Ctrl-C in the terminal must not take the exports down before it.
void IgnoreSignals() {
  for (int one : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) signal(one, SIG_IGN);
}

// A stray copy of an agent's socket would keep another warden from seeing its agent's end.
void CloseInherited() { close_range(kAgent + 1, ~0u, 0); }

void RaiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) return;
  rlimit wanted{1 << 20, 1 << 20};
  if (!setrlimit(RLIMIT_NOFILE, &wanted)) return;  // root only
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Run(const Options& options) {
  LastWord last_word(options.last_word);
  SimulatedDevice device;
  Warden warden(device, kAgent);
  int status = 0;
  try {
    warden.Serve();
  } catch (const std::exception& failure) {
    fprintf(stderr, "lendbuf-warden %s: %s: revoking everything\n", options.device.c_str(), failure.what());
    status = 2;
  }
  auto unrevoked = warden.RevokeAll();
  if (!last_word.Write(options.instance, options.device, warden.made(), unrevoked))
    fprintf(stderr, "lendbuf-warden %s: the last word could not be written\n", options.device.c_str());
  return status;
}

}  // namespace

}  // namespace lendbuf

int main(int count, char** arguments) {
  using namespace lendbuf;
  IgnoreSignals();
  try {
    Options options = ParseOptions(count, arguments);
    CheckAgent();
    CloseInherited();
    RaiseFileLimit();
    InstallGuard();
    return Run(options);
  } catch (const std::exception& failure) {
    fprintf(stderr, "lendbuf-warden: %s\n", failure.what());
    return 1;
  }
}
