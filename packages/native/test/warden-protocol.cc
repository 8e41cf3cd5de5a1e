// Prints what protocol.h says, as JSON.
#include <cstddef>
#include <cstdio>

#include "../src/warden/protocol.h"

using namespace lendbuf::protocol;

static const char* separator = "{";

template <class Value>
static void Print(const char* name, Value value) {
  printf("%s\"%s\":%llu", separator, name, static_cast<unsigned long long>(value));
  separator = ",";
}

int main() {
  Print("VERSION", kVersion);
  Print("MAX_PACKET", kMaxPacket);
  Print("MAX_RANGES", kMaxRanges);
  Print("MAX_IDS", kMaxIds);
  Print("MAX_REVOKED_ENTRIES", kMaxRevokedEntries);
  Print("type ready", Type::kReady);
  Print("type export", Type::kExport);
  Print("type exported", Type::kExported);
  Print("type revoke", Type::kRevoke);
  Print("type revoked", Type::kRevoked);
  Print("type lost", Type::kLost);
  Print("method null", Method::kNone);
  Print("method dma-buf-revoke", Method::kDmaBufRevoke);
  Print("method vfio-feature-revoke", Method::kVfioFeatureRevoke);
  Print("method ftruncate", Method::kTruncate);
  Print("method device-close", Method::kDeviceClose);
  Print("method never-exported", Method::kNeverExported);
  Print("scope none", Scope::kNone);
  Print("scope buffer", Scope::kBuffer);
  Print("scope device", Scope::kDevice);
  Print("flag readOnly", kReadOnly);
  Print("flag scrubZero", kScrubZero);
  Print("size header", sizeof(Header));
  Print("size region", sizeof(Region));
  Print("size ready", sizeof(Ready));
  Print("size range", sizeof(Range));
  Print("size export", sizeof(Export));
  Print("size exported", sizeof(Exported));
  Print("size revoke", sizeof(Revoke));
  Print("size revokedEntry", sizeof(RevokedEntry));
  Print("size revoked", sizeof(Revoked));
  Print("at header.serial", offsetof(Header, serial));
  Print("at export.id", offsetof(Export, id));
  Print("at export.region", offsetof(Export, region));
  Print("at export.flags", offsetof(Export, flags));
  Print("at export.range_count", offsetof(Export, range_count));
  Print("at revoke.count", offsetof(Revoke, count));
  Print("at revoked.count", offsetof(Revoked, count));
  Print("at revokedEntry.id", offsetof(RevokedEntry, id));
  Print("at revokedEntry.duration_ns", offsetof(RevokedEntry, duration_ns));
  Print("at revokedEntry.method", offsetof(RevokedEntry, method));
  Print("at revokedEntry.error", offsetof(RevokedEntry, error));
  Print("at revokedEntry.safe", offsetof(RevokedEntry, safe));
  Print("at revokedEntry.probe_size", offsetof(RevokedEntry, probe_size));
  puts("}");
}
