#include "succession.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "error.h"
#include "packet.h"
#include "request.h"

namespace lendbuf {

namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint64_t kNsPerSecond = 1000 * kNsPerMs;
// Whoever is let in says what it wants at once.
constexpr uint64_t kPatienceNs = kNsPerSecond;

// By way of a descriptor of its folder, so that its length does not matter.
sockaddr_un AddressIn(int folder, const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX};
  std::string name = path.substr(path.rfind('/') + 1);
  int length = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, name.c_str());
  if (length >= static_cast<int>(sizeof address.sun_path)) throw SystemError(ENAMETOOLONG, "bind", path);
  return address;
}

std::string FolderOf(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

bool IsOurUser(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

}  // namespace

uint64_t BootNow() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

void Succession::Allow(const protocol::Wait& wait) {
  if (wait.ms > 0 && door_.empty()) throw BrokenAgent("a WAIT, but the warden was started without --door");
  ms_ = wait.ms;
  memcpy(secret_, wait.secret, sizeof secret_);
}

void Succession::Open() {
  alarm_ = Fd(Check(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create"));
  Listen();
  until_ns_ = BootNow() + ms_ * kNsPerMs;
}

void Succession::Listen() {
  Fd folder(Check(open(FolderOf(door_).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), "open"));
  sockaddr_un address = AddressIn(folder.get(), door_);
  unlink(door_.c_str());
  Fd listener(Check(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
  mode_t before = umask(0177);
  int bound = bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  umask(before);
  if (bound) throw SystemError(errno, "bind", door_);
  if (listen(listener.get(), 8)) throw SystemError(errno, "listen", door_);
  listener_ = std::move(listener);
}

void Succession::Arm(uint64_t next_ns) {
  next_ns = std::min(next_ns, until_ns_);
  if (candidate_) next_ns = std::min(next_ns, candidate_until_ns_);
  itimerspec setting{};
  setting.it_value.tv_sec = static_cast<time_t>(next_ns / kNsPerSecond);
  setting.it_value.tv_nsec = static_cast<long>(next_ns % kNsPerSecond);
  if (next_ns == 0) setting.it_value.tv_nsec = 1;  // 0 would disarm it
  Check(timerfd_settime(alarm_.get(), TFD_TIMER_ABSTIME, &setting, nullptr), "timerfd_settime");
}

bool Succession::IsOver(uint64_t now_ns) {
  if (candidate_ && now_ns >= candidate_until_ns_) candidate_.Reset();
  return now_ns >= until_ns_;
}

void Succession::Admit() {
  Fd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket || !IsOurUser(socket.get())) return;
  candidate_ = std::move(socket);
  candidate_until_ns_ = BootNow() + kPatienceNs;
}

std::optional<protocol::Adopt> Succession::Hear() {
  char space[sizeof(protocol::Adopt)];
  Received received = ReceivePacket(candidate_.get(), space, false);
  if (received.size == -EAGAIN) return std::nullopt;
  protocol::Adopt adopt;
  bool is_whole = received.size == sizeof adopt && !received.truncated && !received.control_truncated;
  if (is_whole) memcpy(&adopt, space, sizeof adopt);
  if (is_whole && adopt.header.type == protocol::Type::kAdopt && !memcmp(adopt.secret, secret_, sizeof secret_))
    return adopt;
  candidate_.Reset();
  return std::nullopt;
}

Fd Succession::Take() {
  Fd agent = std::move(candidate_);
  Close();
  return agent;
}

void Succession::Close() {
  if (listener_) unlink(door_.c_str());
  listener_.Reset();
  candidate_.Reset();
  alarm_.Reset();
}

}  // namespace lendbuf
