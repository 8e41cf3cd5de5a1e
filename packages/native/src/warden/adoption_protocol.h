// Packets for when a warden outlives its agent: it waits at its door (a SOCK_SEQPACKET socket) for the next one.
// ../warden/adoption-protocol.ts mirrors this file; a test compares them.
//
// An agent that wants it sends WAIT, and with each export and extension a DEADLINE. When its end closes, the warden
// opens its door for so long; each export is revoked at its deadline meanwhile. The next agent connects and sends
// ADOPT; the warden answers with READY, ADOPTED and a HELD for each export, in this order, and all is as before. After
// the time, or where anything about the door fails, it revokes everything and exits as it does without WAIT.
#pragma once
#include "protocol.h"

namespace lendbuf::protocol {

constexpr uint32_t kSecretSize = 32;

// From the last one on; the same secret opens the door each time.
struct Wait {
  Header header;
  uint32_t ms;  // 0: do not wait
  uint32_t reserved;
  uint8_t secret[kSecretSize];
};

// In force only while no agent is there, who has its own clock. Ignored where the export has ended.
struct Deadline {
  Header header;
  uint64_t id;
  uint64_t at_ns;  // CLOCK_BOOTTIME
};

// Of the same layout in every version of the protocol: where the version is another, the warden must understand that.
struct Adopt {
  Header header;
  uint32_t version;
  uint32_t dismiss;  // revoke everything and go, with LOST as the answer; likewise where the version is another
  uint8_t secret[kSecretSize];
};

struct Adopted {
  Header header;
  uint64_t highest;    // export id that was used; 0: none
  uint32_t count;      // HELDs that follow
  uint32_t serial;     // highest that an agent has used: answers to it may still come
  uint32_t suspended;  // the device's memory
  uint32_t reserved;
};

struct Held {
  Header header;
  uint64_t id;
  uint64_t deadline_ns;  // 0: none was told
  int32_t error;         // errno; 0: the packet carries the export's fd
  uint32_t revoking;     // a revoke of it is under way
};

}  // namespace lendbuf::protocol
