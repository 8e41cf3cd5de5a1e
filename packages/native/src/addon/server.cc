#include "server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "argument.h"
#include "entry.h"
#include "socket.h"

namespace lendbuf {

namespace {

constexpr int kConnectionsPerWake = 16;
constexpr int kPauseMs = 100;

Fd OpenReserve() { return Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

Napi::Function PacketServer::Define(Napi::Env env) {
  return DefineClass(env, "PacketServer", {Method<&PacketServer::CloseFromJs>("close")});
}

// new PacketServer(options: { path: string, mode: number, onConnection, onError })
PacketServer::PacketServer(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<PacketServer>(info), environment_(Environment::Of(info.Env())) {
  Constructing(info.Env(), [&] {
    auto options = argument::Object(info[0], "options");
    std::string path = argument::Path(options.Get("path"), "path");
    auto mode = static_cast<mode_t>(argument::Integer(options.Get("mode"), "mode", 0, 0777));
    receiver_ = Napi::Persistent(options);
    on_connection_ = Napi::Persistent(argument::Function(options.Get("onConnection"), "onConnection"));
    on_error_ = Napi::Persistent(argument::Function(options.Get("onError"), "onError"));
    reserve_ = OpenReserve();
    address_.emplace(path, mode);
    poll_.emplace(environment_, address_->socket(), *this);
    pause_ = new uv_timer_t;
    uv_timer_init(environment_.loop(), pause_);
    environment_.CountHandle();
    pause_->data = this;
    environment_.Add(this);
    poll_->Watch(UV_READABLE);
    Ref();
  });
}

PacketServer::~PacketServer() = default;

// server.close(): void
void PacketServer::CloseFromJs(const Napi::CallbackInfo&) { Close(); }

void PacketServer::Close() {
  if (!poll_) return;
  environment_.Remove(this);
  address_.reset();
  poll_.reset();
  environment_.Dispose(pause_);
  reserve_.Reset();
  receiver_.Reset();
  on_connection_.Reset();
  on_error_.Reset();
  Unref();
}

void PacketServer::OnReady(bool, int) {
  Napi::HandleScope scope(Env());
  [[maybe_unused]] Napi::Value self = Value();  // a callback may close the server
  for (int i = 0; i < kConnectionsPerWake && poll_; i++)
    if (!AcceptOne()) return;
}

bool PacketServer::AcceptOne() {
  Fd connection(accept4(poll_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection) {
    HandOver(connection);
    return true;
  }
  int error = errno;
  if (error == EAGAIN) return false;
  if (error == EINTR || error == ECONNABORTED) return true;
  if (error == EMFILE || error == ENFILE) return TurnAwayOne(error);
  Pause();
  Report(SystemError(error, "accept4"));
  return false;
}

void PacketServer::HandOver(Fd& connection) {
  Napi::HandleScope scope(Env());
  Napi::Object socket;
  try {
    socket = PacketSocket::New(Env(), {.fd = connection, .accepted = true});
  } catch (const Napi::Error& error) {
    environment_.Call(receiver_, on_error_, {error.Value()});
    return;
  }
  environment_.Call(receiver_, on_connection_, {socket});
}

bool PacketServer::TurnAwayOne(int reason) {
  reserve_.Reset();
  Fd turned_away(accept4(poll_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  int error = turned_away ? 0 : errno;
  turned_away.Reset();
  reserve_ = OpenReserve();
  if (error == EAGAIN) return false;  // accept4 misses the descriptor before it sees that nobody waits
  if (error != 0) Pause();
  Report(SystemError(reason, "accept4"));
  return error == 0;
}

void PacketServer::Report(const SystemError& error) {
  Napi::HandleScope scope(Env());
  environment_.Call(receiver_, on_error_, {ErrorValue(Env(), error)});
}

void PacketServer::Pause() {
  poll_->Watch(0);
  auto resume = [](uv_timer_t* timer) { static_cast<PacketServer*>(timer->data)->poll_->Watch(UV_READABLE); };
  uv_timer_start(pause_, resume, kPauseMs, 0);
}

}  // namespace lendbuf
