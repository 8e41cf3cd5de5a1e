// Every packet between the agent and a warden, over a SOCK_SEQPACKET socketpair (the warden's end is fd 3).
// Little-endian, naturally aligned, one packet per message. ../warden/protocol.ts mirrors this file; a test compares
// them.
//
// The agent asks with `serial` (its own count, not 0), the answer carries the same. Packets are taken in the order in
// which they were sent, so a REVOKE that follows an EXPORT finds it. REVOKED comes whenever a revoke is done, DONE
// whenever what was asked of the device is: they overtake each other. When the agent's end closes, the warden revokes
// everything, writes its last word and exits, unless it was told to wait for another agent (adoption_protocol.h).
#pragma once
#include <cstdint>

namespace lendbuf::protocol {

constexpr uint32_t kVersion = 5;
constexpr uint32_t kMaxPacket = 65536;
constexpr uint32_t kMaxRanges = 16;
constexpr uint32_t kMaxIds = 4096;  // in one REVOKE

enum class Type : uint32_t {
  kReady = 1,  // warden → agent: Ready, `region_count` Regions, `exporter_count` Exporters, the Rungs of all exporters,
               // then the words of each exporter and those of each rung (UTF-8, each text ended by a NUL)
  kExport = 2,    // agent → warden: Export, then `range_count` Ranges
  kExported = 3,  // warden → agent: Exported, with the export's fd if error is 0; after it the words that say why not
  kRevoke = 4,    // agent → warden: Revoke, then `count` u64 export ids
  kRevoked = 5,   // warden → agent: Revoked, then `count` RevokedEntries
  kLost = 6,    // warden → agent: the device is gone, or was given up by a device-wide revoke; the words that say why
  kAccess = 7,  // agent → warden: RegisterAccess
  kDone = 8,  // warden → agent: Done, to what asks something of the device; where it was refused the words that say why
  kSync = 9,      // agent → warden: Sync
  kSuspend = 10,  // agent → warden: Suspend
  kScrub = 11,    // agent → warden: Scrub, then `range_count` Ranges
  kReset = 12,    // agent → warden: Reset
  // Of adoption_protocol.h:
  kWait = 32,      // agent → warden: Wait
  kDeadline = 33,  // agent → warden: Deadline
  kAdopt = 34,     // agent → warden: Adopt, the first packet of an agent that comes to the door
  kAdopted = 35,   // warden → agent: Adopted
  kHeld = 36,      // warden → agent: Held, with the export's fd if error is 0
};

struct Header {
  Type type;
  uint32_t serial;
};

struct Range {
  uint64_t offset;
  uint64_t length;
};

// Of a Region.
constexpr uint32_t kReadable = 1;
constexpr uint32_t kWritable = 2;
constexpr uint32_t kMappable = 4;

enum class Unlendable : uint32_t {
  kNo = 0,          // it can be lent, but for what is withheld
  kIoPorts = 1,     // an I/O BAR is no memory
  kUnassigned = 2,  // not there, without an address, or the upper half of the BAR before
  kMsixTable = 3,   // all of its pages are withheld
  kSubPage = 4,     // smaller than a page
};

struct Region {
  uint32_t index;
  uint32_t flags;
  uint64_t size;
  Unlendable unlendable;
  uint32_t reserved;
  // The pages of the MSI-X table, which are never lent: whoever writes there chooses what the device's interrupts do.
  // Length 0: none.
  Range withheld;
};

enum class Method : uint32_t {
  kNone = 0,
  kDmaBufRevoke = 1,
  kVfioFeatureRevoke = 2,
  kTruncate = 3,
  kDeviceClose = 4,
  kNeverExported = 5,
  kLastReference = 6,  // nothing revokes it: it ends when nobody has it any more
  kEndedBefore = 7     // by the exporter's method, when it was revoked first
};
enum class Scope : uint32_t { kNone = 0, kBuffer = 1, kDevice = 2 };

enum class Kind : uint32_t { kMemfd = 1, kVfio = 2, kStaged = 3, kUdmabuf = 4, kDmaHeap = 5 };
enum class Access : uint32_t { kNone = 0, kCdev = 1, kGroup = 2 };  // how a VFIO device was opened

// One rung of the revocation ladder, as its self-test on an export of its own found it.
struct Rung {
  Method method;
  Scope scope;
  uint32_t works;
  int32_t error;  // errno that decided against it; 0: it works, or what was seen speaks against it (words)
};

// One way to lend this device's memory.
struct Exporter {
  Kind kind;
  uint32_t works;  // the self-test: an export of our own was made, mapped where possible, revoked and seen gone
  Method method;   // of the best rung that works, which is the one in use
  Scope scope;
  uint32_t mappable;  // a client can mmap an export; else devices can import it, no more
  uint32_t rung_count;
};

struct Ready {
  Header header;
  uint32_t version;
  uint32_t region_count;
  uint32_t exporter_count;  // the one to be preferred first
  Access access;
};

constexpr uint32_t kReadOnly = 1;  // the holder may never write, whoever it is

struct Export {
  Header header;
  uint64_t id;  // chosen by the agent, above all ids that this warden has exported: so it need not remember each
  uint32_t region;
  uint32_t flags;
  uint32_t range_count;
  Kind kind;
};

struct Exported {
  Header header;
  uint64_t id;
  int32_t error;  // errno; 0: the packet carries one fd
  uint32_t reserved;
};

// Where an export's scope is `device`, its revoke gives up the whole device and ends every export of it, of whatever
// exporter. So it must name all that live, or say kDeviceWide; else it is not tried: method kNone, error EBUSY, not
// safe. The answer lists every export that it ended, named or not. Until the device is proven closed nothing is safe,
// no export is made, and each further REVOKE looks again; then the warden sends LOST and exits, and another one may
// open the device. Elsewhere kDeviceWide means nothing.
constexpr uint32_t kDeviceWide = 1;

struct Revoke {
  Header header;
  uint32_t count;
  uint32_t flags;
};

// An id not above the highest exported one that is live no more answers like a revoke that succeeded before. Without
// `safe` the export lives on and may be revoked again. All entries of a packet belong to the REVOKE with its serial.
struct RevokedEntry {
  uint64_t id;
  uint64_t duration_ns;  // from the call to its return
  Method method;         // kNeverExported: this warden never made an export of that id
  int32_t error;         // errno that the kernel answered; 0: done
  uint32_t safe;         // proven: no holder reaches the memory through this export any more
  // ftruncate: the size seen afterwards. The last reference: how many others there are. Else the errno that a fresh
  // mmap met, 0 where it succeeded; it is a proof where exports are mappable (ENODEV), and says nothing elsewhere.
  int32_t probe;
};

struct Revoked {
  Header header;
  uint32_t count;
  uint32_t reserved;
};

// One load or store of the device itself, whoever has its memory. Never of what is withheld.
struct RegisterAccess {
  Header header;
  uint64_t offset;  // in the region; a multiple of the width
  uint64_t value;   // to store
  uint32_t region;
  uint32_t width;  // bits: 8, 16, 32 or 64; the access is of exactly this width
  uint32_t is_store;
  uint32_t reserved;
};

// Copies between a staged export's window and the device's memory, with accesses of exactly the width. Where it fails
// in the middle, the bytes before are copied.
struct Sync {
  Header header;
  uint64_t id;
  uint64_t offset;  // in the export; like the length a multiple of the width
  uint64_t length;
  uint32_t width;      // bits: 8, 16, 32 or 64
  uint32_t to_device;  // else from it
};

// Takes the memory of the device from everybody for now, or gives it back. An export that is made meanwhile is
// suspended too; one that is revoked meanwhile stays revoked.
struct Suspend {
  Header header;
  uint32_t suspend;  // else resume
  uint32_t reserved;
};

// Between two borrowers: writes `word` all over the ranges, with accesses of exactly the width, and reads it back where
// loads from the region can be no command to the device. Refused (EBUSY) while anybody may write there.
struct Scrub {
  Header header;
  uint64_t word;
  uint32_t region;
  uint32_t range_count;
  uint32_t width;  // bits: 8, 16, 32 or 64
  uint32_t reserved;
};

// Gives the device its state as after power-on, as far as it has such a reset. Refused (EBUSY) while anybody may write
// anywhere.
struct Reset {
  Header header;
};

struct Done {
  Header header;
  uint64_t value;  // ACCESS: what was loaded; SCRUB: the bytes that were read back and found right
  int32_t error;   // errno; 0: it was done
  uint32_t reserved;
};

constexpr uint32_t kMaxRevokedEntries = (kMaxPacket - sizeof(Revoked)) / sizeof(RevokedEntry);

}  // namespace lendbuf::protocol
