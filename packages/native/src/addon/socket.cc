#include "socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <vector>

#include "argument.h"
#include "entry.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5, include/uapi/asm-generic/socket.h
#endif

namespace lendbuf {

namespace {

ucred PeerOf(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  Check(getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length), "getsockopt");
  return peer;
}

// Also where it only said that it sends no more: it is not told apart from an empty packet otherwise.
bool HasPeerShutDown(int socket) {
  pollfd state{.fd = socket, .events = POLLRDHUP, .revents = 0};
  return poll(&state, 1, 0) == 1 && (state.revents & (POLLRDHUP | POLLHUP));
}

bool IsPeerGone(int error) { return error == EPIPE || error == ECONNRESET; }

// A string is encoded into `space`.
std::span<const char> PacketArgument(Napi::Value data, std::span<char> space) {
  std::span<const char> bytes;
  if (data.IsString()) {
    size_t length = 0;
    napi_get_value_string_utf8(data.Env(), data, space.data(), space.size(), &length);
    bytes = space.first(length);
  } else {
    bytes = argument::Bytes(data, "data");
  }
  if (bytes.empty()) throw Napi::RangeError::New(data.Env(), "an empty packet would read as the end of the stream");
  if (bytes.size() > kMaxPacketBytes) throw SystemError(EMSGSIZE, "sendmsg");
  return bytes;
}

Napi::FunctionReference Handler(Napi::Object options, const char* name) {
  return Napi::Persistent(argument::Function(options.Get(name), name));
}

bool IsTextEncoding(Napi::Value value) {
  std::string encoding = argument::Text(value, "encoding");
  if (encoding != "utf8" && encoding != "bytes")
    throw Napi::TypeError::New(value.Env(), "encoding must be \"utf8\" or \"bytes\"");
  return encoding == "utf8";
}

Napi::Value BytesValue(Napi::Env env, std::span<const char> bytes) {
  auto value = Napi::Uint8Array::New(env, bytes.size());
  memcpy(value.Data(), bytes.data(), bytes.size());
  return value;
}

}  // namespace

void PacketSocket::Export(Napi::Env env) {
  Environment::Of(env).packet_socket = Napi::Persistent(
      DefineClass(env, "PacketSocket",
                  {Getter<&PacketSocket::Peer>("peer"), Method<&PacketSocket::PeerPidfd>("peerPidfd"),
                   Method<&PacketSocket::PeerGroups>("peerGroups"), Method<&PacketSocket::Start>("start"),
                   Method<&PacketSocket::Send>("send"), Getter<&PacketSocket::Queued>("queued"),
                   Method<&PacketSocket::HasUnread>("hasUnread"), Method<&PacketSocket::SetReferenced>("ref"),
                   Method<&PacketSocket::SetUnreferenced>("unref"), Method<&PacketSocket::CloseFromJs>("close")}));
}

Napi::Object PacketSocket::New(Napi::Env env, const SocketSource& source) {
  Environment& environment = Environment::Of(env);
  environment.socket_source = &source;
  return environment.packet_socket.New({});
}

PacketSocket::PacketSocket(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<PacketSocket>(info), environment_(Environment::Of(info.Env())) {
  Constructing(info.Env(), [&] {
    const SocketSource* source = std::exchange(environment_.socket_source, nullptr);
    if (!source)
      throw Napi::TypeError::New(info.Env(), "a PacketSocket comes from a server, a path, a pair or a descriptor");
    peer_ = PeerOf(source->fd.get());
    accepted_ = source->accepted;
    poll_.emplace(environment_, source->fd, *this);
    environment_.Add(this);
  });
}

PacketSocket::~PacketSocket() {
  held_ = false;  // whoever destroys it has dropped that reference
  Close();
}

// socket.peer: { pid: number, uid: number, gid: number }
Napi::Value PacketSocket::Peer(const Napi::CallbackInfo& info) {
  auto peer = Napi::Object::New(info.Env());
  peer["pid"] = Napi::Number::New(info.Env(), peer_.pid);
  peer["uid"] = Napi::Number::New(info.Env(), peer_.uid);
  peer["gid"] = Napi::Number::New(info.Env(), peer_.gid);
  return peer;
}

// socket.peerPidfd(): number
Napi::Value PacketSocket::PeerPidfd(const Napi::CallbackInfo& info) {
  int pidfd = -1;
  socklen_t length = sizeof pidfd;
  if (getsockopt(Open("getsockopt").fd(), SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) != 0)
    throw SystemError(errno == EINVAL ? ESRCH : errno, "getsockopt");  // before 6.16 a reaped peer is EINVAL
  return Napi::Number::New(info.Env(), pidfd);
}

// socket.peerGroups(): number[]
Napi::Value PacketSocket::PeerGroups(const Napi::CallbackInfo& info) {
  int fd = Open("getsockopt").fd();
  std::vector<gid_t> groups(64);
  socklen_t length = groups.size() * sizeof(gid_t);
  while (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) != 0) {
    if (errno != ERANGE) throw SystemError(errno, "getsockopt");
    groups.resize(length / sizeof(gid_t));  // the kernel has said how many there are
  }
  auto numbers = Napi::Array::New(info.Env());
  for (uint32_t i = 0; i < length / sizeof(gid_t); i++) numbers[i] = Napi::Number::New(info.Env(), groups[i]);
  return numbers;
}

// socket.start(options: { encoding: "utf8" | "bytes", acceptFds: boolean, onPacket, onClose, onDrain? }): void
void PacketSocket::Start(const Napi::CallbackInfo& info) {
  auto options = argument::Object(info[0], "options");
  bool has_on_drain = !Napi::Value(options.Get("onDrain")).IsUndefined();
  Handlers handlers{
      .receiver = Napi::Persistent(options),
      .on_packet = Handler(options, "onPacket"),
      .on_close = Handler(options, "onClose"),
      .on_drain = has_on_drain ? Handler(options, "onDrain") : Napi::FunctionReference(),
      .as_text = IsTextEncoding(options.Get("encoding")),
      .accept_fds = argument::Boolean(options.Get("acceptFds"), "acceptFds"),
  };
  Open("recvmsg");
  if (handlers_) throw SystemError(EALREADY, "recvmsg");
  handlers_ = std::move(handlers);
  Watch();
}

// socket.send(data: string | Uint8Array, fds?: number[]): number
Napi::Value PacketSocket::Send(const Napi::CallbackInfo& info) {
  std::vector<int> fds = argument::Descriptors(info[1], "fds");  // first: it may run JavaScript that sends, too
  std::span<const char> bytes = PacketArgument(info[0], environment_.packet_space());
  int socket = Open("sendmsg").fd();
  int error = queue_.empty() ? SendPacket(socket, bytes, fds) : EAGAIN;
  if (error != 0 && error != EAGAIN) throw SystemError(error, "sendmsg");
  if (error == EAGAIN) Enqueue(bytes, fds);
  return Napi::Number::New(info.Env(), queued_);
}

// socket.queued: number
Napi::Value PacketSocket::Queued(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), queued_); }

// socket.hasUnread(): boolean
Napi::Value PacketSocket::HasUnread(const Napi::CallbackInfo& info) {
  int bytes = 0;
  Check(ioctl(Open("ioctl").fd(), SIOCOUTQ, &bytes), "ioctl");
  return Napi::Boolean::New(info.Env(), bytes != 0);
}

// socket.ref(): void
void PacketSocket::SetReferenced(const Napi::CallbackInfo&) {
  if (poll_) poll_->SetReferenced(true);
}

// socket.unref(): void
void PacketSocket::SetUnreferenced(const Napi::CallbackInfo&) {
  if (poll_) poll_->SetReferenced(false);
}

// socket.close(): void
void PacketSocket::CloseFromJs(const Napi::CallbackInfo&) { Close(); }

void PacketSocket::Close() {
  if (!poll_) return;
  environment_.Remove(this);
  poll_.reset();
  DropQueue();
  handlers_.reset();
  Hold(false);
}

void PacketSocket::OnReady(bool failed, int events) {
  Napi::HandleScope scope(Env());
  [[maybe_unused]] Napi::Value self = Value();  // a callback may drop the last reference
  // A peer that died with packets of ours unread: the next call takes the error away, and what the peer left for us
  // comes after.
  if (failed || (events & UV_WRITABLE)) FlushSome();
  ReadSome();
  if (poll_) Watch();
}

void PacketSocket::ReadSome() {
  for (int i = 0; i < kPacketsPerWake && Reads(); i++) {
    auto space = environment_.packet_space().first(kMaxPacketBytes);
    Received received = ReceivePacket(poll_->fd(), space, handlers_->accept_fds);
    if (received.size == -ECONNRESET) continue;
    if (received.size == -EAGAIN && !peer_takes_no_more_) return;
    if (std::optional<int> reason = ReasonToEnd(received)) {
      received.fds.clear();  // before anybody hears of it
      return Finish(*reason, "recvmsg");
    }
    Deliver(received);
  }
}

// 0 where the peer ended it.
std::optional<int> PacketSocket::ReasonToEnd(const Received& received) const {
  if (received.size == -EAGAIN) return 0;
  if (received.size < 0) return static_cast<int>(-received.size);
  if (received.control_truncated) return EPROTO;
  if (received.truncated) return EMSGSIZE;
  if (received.size == 0) return HasPeerShutDown(poll_->fd()) ? 0 : EPROTO;
  return std::nullopt;
}

void PacketSocket::Deliver(Received& received) {
  Napi::HandleScope scope(Env());
  std::span<const char> bytes(environment_.packet_space().data(), received.size);
  Napi::Value data =
      handlers_->as_text ? Napi::String::New(Env(), bytes.data(), bytes.size()) : BytesValue(Env(), bytes);
  auto fds = Napi::Array::New(Env(), received.fds.size());
  for (size_t i = 0; i < received.fds.size(); i++) fds[i] = Napi::Number::New(Env(), received.fds[i].get());
  if (!environment_.Call(handlers_->receiver, handlers_->on_packet, {data, fds})) return;
  for (Fd& fd : received.fds) fd.Release();
}

void PacketSocket::Enqueue(std::span<const char> bytes, std::span<const int> fds) {
  Outgoing packet{.bytes = {bytes.begin(), bytes.end()}, .fds = {}};
  for (int fd : fds) packet.fds.emplace_back(Check(fcntl(fd, F_DUPFD_CLOEXEC, 3), "fcntl"));
  queue_.push_back(std::move(packet));
  queued_ += bytes.size();
  Watch();
}

void PacketSocket::FlushSome() {
  if (queue_.empty()) return;
  for (int i = 0; i < kPacketsPerWake && !queue_.empty(); i++) {
    const Outgoing& packet = queue_.front();
    std::vector<int> fds;
    for (const Fd& fd : packet.fds) fds.push_back(fd.get());
    int error = SendPacket(poll_->fd(), packet.bytes, fds);
    if (error == EAGAIN) return;
    if (IsPeerGone(error)) {  // it may have left packets: they are read before the end is told
      peer_takes_no_more_ = true;
      return DropQueue();
    }
    if (error != 0) return Finish(error, "sendmsg");
    queued_ -= packet.bytes.size();
    queue_.pop_front();
  }
  if (queue_.empty() && handlers_ && !handlers_->on_drain.IsEmpty())
    environment_.Call(handlers_->receiver, handlers_->on_drain);
}

void PacketSocket::DropQueue() {
  queue_.clear();
  queued_ = 0;
}

void PacketSocket::Finish(int error, const char* call) {
  std::optional<Handlers> handlers = std::move(handlers_);
  handlers_.reset();  // a moved-from optional still has a value, and Reads() asks for one
  bool refused = error == EPROTO || error == EMSGSIZE;
  if (refused)
    Watch();  // no more reading, but the peer can still be told why
  else
    Close();
  if (!handlers) return Close();
  if (error == 0)
    environment_.Call(handlers->receiver, handlers->on_close);
  else
    environment_.Call(handlers->receiver, handlers->on_close, {ErrorValue(Env(), SystemError(error, call))});
  Close();
}

bool PacketSocket::Reads() const { return handlers_ && !(accepted_ && queued_ > kCongestedBytes); }

void PacketSocket::Watch() {
  bool writes = !queue_.empty();
  poll_->Watch((Reads() ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0));
  Hold(handlers_ || writes);
}

void PacketSocket::Hold(bool held) {
  if (held == held_) return;
  held_ = held;
  held ? Ref() : Unref();
}

Poll& PacketSocket::Open(const char* call) {
  if (!poll_) throw SystemError(EBADF, call);
  return *poll_;
}

}  // namespace lendbuf
