#include "connect.h"

#include <fcntl.h>

#include "address.h"
#include "argument.h"
#include "error.h"
#include "socket.h"

namespace lendbuf {

namespace {

int Option(int socket, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  Check(getsockopt(socket, SOL_SOCKET, option, &value, &length), "getsockopt");
  return value;
}

void RequireConnectedPacketSocket(int fd) {
  if (Option(fd, SO_DOMAIN) != AF_UNIX || Option(fd, SO_TYPE) != SOCK_SEQPACKET)
    throw SystemError(EPROTOTYPE, "getsockopt");
  sockaddr_storage peer;
  socklen_t length = sizeof peer;
  Check(getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length), "getpeername");
}

}  // namespace

// connectPacketSocket(path: string): PacketSocket
Napi::Value ConnectPacketSocket(const Napi::CallbackInfo& info) {
  Fd fd = ConnectTo(argument::Path(info[0], "path"));
  return PacketSocket::New(info.Env(), {.fd = fd, .accepted = false});
}

// packetSocketPair(): { socket: PacketSocket, fd: number }
Napi::Value PacketSocketPair(const Napi::CallbackInfo& info) {
  int ends[2];
  Check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
  Fd ours(ends[0]);
  Fd theirs(ends[1]);
  auto pair = Napi::Object::New(info.Env());
  pair["socket"] = PacketSocket::New(info.Env(), {.fd = ours, .accepted = false});
  pair["fd"] = Napi::Number::New(info.Env(), theirs.get());
  theirs.Release();
  return pair;
}

// adoptPacketSocket(fd: number): PacketSocket
Napi::Value AdoptPacketSocket(const Napi::CallbackInfo& info) {
  int number = argument::Descriptor(info[0], "fd");
  RequireConnectedPacketSocket(number);
  Check(fcntl(number, F_SETFD, FD_CLOEXEC), "fcntl");
  Fd fd(number);
  try {
    return PacketSocket::New(info.Env(), {.fd = fd, .accepted = false});
  } catch (...) {
    fd.Release();  // it stays the caller's
    throw;
  }
}

}  // namespace lendbuf
