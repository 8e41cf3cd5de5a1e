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
PacketServer::PacketServer(const Napi::CallbackInfo& info) try : Napi
  ::ObjectWrap<PacketServer>(info), environment_(Environment::Of(info.Env())) {
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
  }
catch (const SystemError& error) {
  throw Napi::Error(info.Env(), ErrorValue(info.Env(), error));
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
  bool is_full = error == EMFILE || error == ENFILE;
  bool goes_on = is_full && TurnAwayOne();
  if (!goes_on) Pause();  // the connection still waits: without a pause we would be woken again at once
  Report(SystemError(error, "accept4"));
  return goes_on;
}

void PacketServer::HandOver(Fd& connection) {
  Napi::HandleScope scope(Env());
  Napi::Object socket;
  try {
    socket = PacketSocket::New(Env(), connection);
  } catch (const Napi::Error& error) {
    environment_.Call(receiver_, on_error_, {error.Value()});
    return;
  }
  environment_.Call(receiver_, on_connection_, {socket});
}

bool PacketServer::TurnAwayOne() {
  if (!reserve_) reserve_ = OpenReserve();
  if (!reserve_) return false;
  reserve_.Reset();
  Fd turned_away(accept4(poll_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  bool accepted = static_cast<bool>(turned_away);
  turned_away.Reset();
  reserve_ = OpenReserve();
  return accepted;
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
