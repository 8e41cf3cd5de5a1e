// Every packet between the agent and a warden, over a SOCK_SEQPACKET socketpair (the warden's end is fd 3).
// Little-endian, naturally aligned, one packet per message. ../warden/protocol.ts mirrors this file; a test compares
// them.
//
// The agent asks with `serial` (its own count, not 0), the answer carries the same. Packets are taken in the order in
// which they were sent, so a REVOKE that follows an EXPORT finds it. REVOKED comes whenever a revoke is done: they
// overtake each other. When the agent's end closes, the warden revokes everything, writes its last word and exits.
#pragma once
#include <cstdint>

namespace lendbuf::protocol {

constexpr uint32_t kVersion = 1;
constexpr uint32_t kMaxPacket = 65536;
constexpr uint32_t kMaxRanges = 16;
constexpr uint32_t kMaxIds = 4096;  // in one REVOKE

enum class Type : uint32_t {
  kReady =
      1,  // warden → agent: Ready, then `region_count` Regions, then the self-test's words (UTF-8, to the packet's end)
  kExport = 2,    // agent → warden: Export, then `range_count` Ranges
  kExported = 3,  // warden → agent: Exported, with the export's fd if error is 0; after it the words that say why not
  kRevoke = 4,    // agent → warden: Revoke, then `count` u64 export ids
  kRevoked = 5,   // warden → agent: Revoked, then `count` RevokedEntries
  kLost = 6,      // warden → agent: the device is gone; the words that say why
};

struct Header {
  Type type;
  uint32_t serial;
};

struct Region {
  uint32_t index;
  uint32_t reserved;
  uint64_t size;
};

enum class Method : uint32_t {
  kNone = 0,
  kDmaBufRevoke = 1,
  kVfioFeatureRevoke = 2,
  kTruncate = 3,
  kDeviceClose = 4,
  kNeverExported = 5
};
enum class Scope : uint32_t { kNone = 0, kBuffer = 1, kDevice = 2 };

struct Ready {
  Header header;
  uint32_t version;
  uint32_t region_count;
  uint32_t works;  // the self-test: an export of our own was made, mapped, revoked and seen gone
  Method method;
  Scope scope;
  uint32_t reserved;
};

struct Range {
  uint64_t offset;
  uint64_t length;
};

constexpr uint32_t kReadOnly = 1;   // the holder may never write, whoever it is
constexpr uint32_t kScrubZero = 2;  // the borrower finds zeros and leaves none of its bytes behind

struct Export {
  Header header;
  uint64_t id;  // chosen by the agent, above all ids that this warden has exported: so it need not remember each
  uint32_t region;
  uint32_t flags;
  uint32_t range_count;
  uint32_t reserved;
};

struct Exported {
  Header header;
  uint64_t id;
  int32_t error;  // errno; 0: the packet carries one fd
  uint32_t reserved;
};

struct Revoke {
  Header header;
  uint32_t count;
  uint32_t reserved;
};

// An id not above the highest exported one that is live no more answers like a revoke that succeeded before. Without
// `safe` the export lives on and may be revoked again. All entries of a packet belong to the REVOKE with its serial.
struct RevokedEntry {
  uint64_t id;
  uint64_t duration_ns;  // from the call to its return
  Method method;         // kNeverExported: this warden never made an export of that id
  int32_t error;         // errno that the kernel answered; 0: done
  uint32_t safe;         // proven: no holder reaches the memory through this export any more
  int32_t probe_size;    // ftruncate: the size seen afterwards; else the errno that a fresh mmap met
};

struct Revoked {
  Header header;
  uint32_t count;
  uint32_t reserved;
};

constexpr uint32_t kMaxRevokedEntries = (kMaxPacket - sizeof(Revoked)) / sizeof(RevokedEntry);

}  // namespace lendbuf::protocol
