// Sockets that come from elsewhere than a server: a path, a pair, a descriptor.
#pragma once
#include <napi.h>

namespace lendbuf {

Napi::Value ConnectPacketSocket(const Napi::CallbackInfo& info);
Napi::Value PacketSocketPair(const Napi::CallbackInfo& info);
Napi::Value AdoptPacketSocket(const Napi::CallbackInfo& info);

}  // namespace lendbuf
