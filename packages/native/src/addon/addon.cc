// What JavaScript may call: the table of contents. ../addon.ts is its documentation.
#include <napi.h>

#include "connect.h"
#include "entry.h"
#include "environment.h"
#include "mapping.h"
#include "server.h"
#include "socket.h"
#include "system.h"
#include "timer.h"

namespace lendbuf {

Napi::Object Export(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment(env));
  PacketSocket::Export(env);
  exports["PacketServer"] = PacketServer::Define(env);
  exports["Mapping"] = Mapping::Define(env);
  exports["BootTimer"] = BootTimer::Define(env);
  const napi_property_descriptor functions[] = {
      Method<ConnectPacketSocket>("connectPacketSocket"),
      Method<PacketSocketPair>("packetSocketPair"),
      Method<AdoptPacketSocket>("adoptPacketSocket"),
      Method<BootTimeMs>("bootTimeMs"),
      Method<TryLock>("tryLock"),
      Method<RaiseFileLimit>("raiseFileLimit"),
      Method<CreateMemfd>("createMemfd"),
      Method<SendDatagramTo>("sendDatagram"),
  };
  napi_define_properties(env, exports, std::size(functions), functions);
  return exports;
}

NODE_API_MODULE(lendbuf, Export)

}  // namespace lendbuf
