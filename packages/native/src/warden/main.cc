// lendbuf-warden --device NAME --simulated --instance UUID --last-word PATH
// lendbuf-warden --device NAME --system-memory BYTES --instance…
// lendbuf-warden --device 0000:01:00.0 [--bus-master on|off] [--revoke-feature NUMBER] [--rungs METHOD,METHOD]
// --instance…
//
// --door PATH: where it may wait for another agent once its own is gone, if it is told to.
//
// With fd 3 a SOCK_SEQPACKET socket to the agent. Exits with 0 when the agent or the device is gone and all is revoked
// or listed, 1 where it cannot start, 2 where the agent broke the protocol.
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "error.h"
#include "fd.h"
#include "guard.h"
#include "last_word.h"
#include "pci.h"
#include "request.h"
#include "simulated.h"
#include "system_memory.h"
#include "uapi.h"
#include "vfio_device.h"
#include "warden.h"

namespace lendbuf {

namespace {

constexpr int kAgent = 3;
constexpr int kAgentExitMs = 100;

struct Options {
  std::string device;
  std::string instance;
  std::string last_word;
  std::string door;
  bool simulated = false;
  std::optional<uint64_t> system_memory;  // bytes
  bool bus_master = false;
  VfioExporter::Options exporter;
};

// They are copied into JSON and logs as they are.
bool IsPlain(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return isalnum(c) || std::string_view(":._-").find(c) != std::string_view::npos;
  });
}

bool ReadSwitch(std::string_view word) {
  if (word == "on" || word == "off") return word == "on";
  throw Refusal(EINVAL, "--bus-master is on or off");
}

uint32_t ReadFeature(const char* digits) {
  char* end;
  unsigned long number = strtoul(digits, &end, 10);
  if (*digits && !*end && number >= uapi::kFirstFreeVfioFeature && number <= VFIO_DEVICE_FEATURE_MASK)
    return static_cast<uint32_t>(number);
  throw Refusal(EINVAL,
                "--revoke-feature is the number of VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE in this kernel's "
                "linux/vfio.h, at least " +
                    std::to_string(uapi::kFirstFreeVfioFeature));
}

uint64_t ReadBytes(const char* digits) {
  char* end;
  unsigned long long bytes = strtoull(digits, &end, 10);
  if (isdigit(*digits) && !*end) return bytes;
  throw Refusal(EINVAL, "--system-memory is a number of bytes");
}

std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream rest(list);
  for (std::string word; std::getline(rest, word, ',');) words.push_back(word);
  return words;
}

Options ParseOptions(int count, char** arguments) {
  const option known[] = {
      {"bus-master", required_argument, nullptr, 'b'},    {"device", required_argument, nullptr, 'd'},
      {"door", required_argument, nullptr, 'o'},          {"instance", required_argument, nullptr, 'i'},
      {"last-word", required_argument, nullptr, 'l'},     {"revoke-feature", required_argument, nullptr, 'r'},
      {"rungs", required_argument, nullptr, 'u'},         {"simulated", no_argument, nullptr, 's'},
      {"system-memory", required_argument, nullptr, 'm'}, {}};
  Options options;
  for (int found; (found = getopt_long(count, arguments, "", known, nullptr)) != -1;) {
    if (found == 'b') options.bus_master = ReadSwitch(optarg);
    if (found == 'd') options.device = optarg;
    if (found == 'i') options.instance = optarg;
    if (found == 'o') options.door = optarg;
    if (found == 'm') options.system_memory = ReadBytes(optarg);
    if (found == 'l') options.last_word = optarg;
    if (found == 'r') options.exporter.revoke_feature = ReadFeature(optarg);
    if (found == 'u') options.exporter.rungs = Split(optarg);
    if (found == 's') options.simulated = true;
    if (found == '?') throw Refusal(EINVAL, "unknown option");
  }
  bool is_ours = options.simulated || options.system_memory;
  bool names_device = is_ours ? IsPlain(options.device) : IsPciAddress(options.device);
  if (!names_device || !IsPlain(options.instance) || options.last_word.empty() || optind != count)
    throw Refusal(EINVAL,
                  "usage: lendbuf-warden (--device NAME --simulated | --device NAME --system-memory BYTES | --device "
                  "0000:01:00.0 "
                  "[--bus-master on|off] [--revoke-feature NUMBER] [--rungs METHOD,METHOD]) --instance UUID "
                  "--last-word PATH [--door PATH] (the agent starts it)");
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

std::unique_ptr<Device> Open(const Options& options) {
  if (options.simulated) return std::make_unique<SimulatedDevice>();
  if (options.system_memory) return std::make_unique<SystemMemoryDevice>(*options.system_memory);
  return std::make_unique<VfioDevice>(
      VfioDevice::Options{.address = options.device, .bus_master = options.bus_master, .exporter = options.exporter});
}

// The copies that a dying agent has of exports count as references until the kernel has closed all of its descriptors.
// Nothing is cut later for it: this is only for exports that cannot be cut.
void AwaitAgent(int socket) {
  ucred agent{};
  socklen_t size = sizeof agent;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &agent, &size)) return;
  Fd process(static_cast<int>(syscall(SYS_pidfd_open, agent.pid, 0)));
  pollfd exited{.fd = process.get(), .events = POLLIN};
  if (process) poll(&exited, 1, kAgentExitMs);
}

int Run(const Options& options) {
  LastWord last_word(options.last_word);
  std::unique_ptr<Device> device = Open(options);
  Warden warden(*device, Fd(kAgent), options.door);
  int status = 0;
  try {
    warden.Serve();
  } catch (const std::exception& failure) {
    fprintf(stderr, "lendbuf-warden %s: %s: revoking everything\n", options.device.c_str(), failure.what());
    status = 2;
  }
  if (options.system_memory) AwaitAgent(warden.agent());
  auto unrevoked = warden.RevokeAll();
  auto ends_with_device = [](const Exports::Unrevoked& one) { return one.ends_with_device; };
  if (!unrevoked.empty() && device->Close()) std::erase_if(unrevoked, ends_with_device);
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
