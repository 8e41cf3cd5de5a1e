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
  Print("type access", Type::kAccess);
  Print("type done", Type::kDone);
  Print("type sync", Type::kSync);
  Print("type suspend", Type::kSuspend);
  Print("type scrub", Type::kScrub);
  Print("type reset", Type::kReset);
  Print("method null", Method::kNone);
  Print("method dma-buf-revoke", Method::kDmaBufRevoke);
  Print("method vfio-feature-revoke", Method::kVfioFeatureRevoke);
  Print("method ftruncate", Method::kTruncate);
  Print("method device-close", Method::kDeviceClose);
  Print("method never-exported", Method::kNeverExported);
  Print("method last-reference", Method::kLastReference);
  Print("method ended-before", Method::kEndedBefore);
  Print("scope none", Scope::kNone);
  Print("scope buffer", Scope::kBuffer);
  Print("scope device", Scope::kDevice);
  Print("kind memfd", Kind::kMemfd);
  Print("kind vfio", Kind::kVfio);
  Print("kind staged", Kind::kStaged);
  Print("kind udmabuf", Kind::kUdmabuf);
  Print("kind dma-heap", Kind::kDmaHeap);
  Print("access none", Access::kNone);
  Print("access cdev", Access::kCdev);
  Print("access group", Access::kGroup);
  Print("unlendable null", Unlendable::kNo);
  Print("unlendable io-ports", Unlendable::kIoPorts);
  Print("unlendable unassigned", Unlendable::kUnassigned);
  Print("unlendable msix-table", Unlendable::kMsixTable);
  Print("unlendable sub-page", Unlendable::kSubPage);
  Print("flag readOnly", kReadOnly);
  Print("flag deviceWide", kDeviceWide);
  Print("region flag readable", kReadable);
  Print("region flag writable", kWritable);
  Print("region flag mappable", kMappable);
  Print("size header", sizeof(Header));
  Print("size region", sizeof(Region));
  Print("size exporter", sizeof(Exporter));
  Print("size rung", sizeof(Rung));
  Print("size ready", sizeof(Ready));
  Print("size range", sizeof(Range));
  Print("size export", sizeof(Export));
  Print("size exported", sizeof(Exported));
  Print("size revoke", sizeof(Revoke));
  Print("size revokedEntry", sizeof(RevokedEntry));
  Print("size revoked", sizeof(Revoked));
  Print("size registerAccess", sizeof(RegisterAccess));
  Print("size sync", sizeof(Sync));
  Print("size suspend", sizeof(Suspend));
  Print("size scrub", sizeof(Scrub));
  Print("size reset", sizeof(Reset));
  Print("size done", sizeof(Done));
  Print("at header.serial", offsetof(Header, serial));
  Print("at region.index", offsetof(Region, index));
  Print("at region.flags", offsetof(Region, flags));
  Print("at region.size", offsetof(Region, size));
  Print("at region.unlendable", offsetof(Region, unlendable));
  Print("at region.withheld", offsetof(Region, withheld));
  Print("at rung.method", offsetof(Rung, method));
  Print("at rung.scope", offsetof(Rung, scope));
  Print("at rung.works", offsetof(Rung, works));
  Print("at rung.error", offsetof(Rung, error));
  Print("at exporter.kind", offsetof(Exporter, kind));
  Print("at exporter.works", offsetof(Exporter, works));
  Print("at exporter.method", offsetof(Exporter, method));
  Print("at exporter.scope", offsetof(Exporter, scope));
  Print("at exporter.mappable", offsetof(Exporter, mappable));
  Print("at exporter.rung_count", offsetof(Exporter, rung_count));
  Print("at ready.version", offsetof(Ready, version));
  Print("at ready.region_count", offsetof(Ready, region_count));
  Print("at ready.exporter_count", offsetof(Ready, exporter_count));
  Print("at ready.access", offsetof(Ready, access));
  Print("at export.id", offsetof(Export, id));
  Print("at export.region", offsetof(Export, region));
  Print("at export.flags", offsetof(Export, flags));
  Print("at export.range_count", offsetof(Export, range_count));
  Print("at export.kind", offsetof(Export, kind));
  Print("at revoke.count", offsetof(Revoke, count));
  Print("at revoke.flags", offsetof(Revoke, flags));
  Print("at revoked.count", offsetof(Revoked, count));
  Print("at revokedEntry.id", offsetof(RevokedEntry, id));
  Print("at revokedEntry.duration_ns", offsetof(RevokedEntry, duration_ns));
  Print("at revokedEntry.method", offsetof(RevokedEntry, method));
  Print("at revokedEntry.error", offsetof(RevokedEntry, error));
  Print("at revokedEntry.safe", offsetof(RevokedEntry, safe));
  Print("at revokedEntry.probe", offsetof(RevokedEntry, probe));
  Print("at registerAccess.offset", offsetof(RegisterAccess, offset));
  Print("at registerAccess.value", offsetof(RegisterAccess, value));
  Print("at registerAccess.region", offsetof(RegisterAccess, region));
  Print("at registerAccess.width", offsetof(RegisterAccess, width));
  Print("at registerAccess.is_store", offsetof(RegisterAccess, is_store));
  Print("at sync.id", offsetof(Sync, id));
  Print("at sync.offset", offsetof(Sync, offset));
  Print("at sync.length", offsetof(Sync, length));
  Print("at sync.width", offsetof(Sync, width));
  Print("at sync.to_device", offsetof(Sync, to_device));
  Print("at suspend.suspend", offsetof(Suspend, suspend));
  Print("at scrub.word", offsetof(Scrub, word));
  Print("at scrub.region", offsetof(Scrub, region));
  Print("at scrub.range_count", offsetof(Scrub, range_count));
  Print("at scrub.width", offsetof(Scrub, width));
  Print("at done.value", offsetof(Done, value));
  Print("at done.error", offsetof(Done, error));
  puts("}");
}
