// One load or store of exactly the width that was asked for: registers tell the difference.
#pragma once
#include "guard.h"
#include "protocol.h"

namespace lendbuf {

// At `address`, which lies in shared memory of the caller's. False where the memory was gone.
template <class Word>
[[nodiscard]] bool AccessWord(void* address, const protocol::RegisterAccess& access, uint64_t* value) {
  auto* word = static_cast<volatile Word*>(address);
  if (access.is_store)
    return Guarded(address, static_cast<char*>(address) + sizeof(Word),
                   [=] { *word = static_cast<Word>(access.value); });
  return Guarded(address, static_cast<char*>(address) + sizeof(Word), [=] { *value = *word; });
}

[[nodiscard]] inline bool AccessOnce(void* address, const protocol::RegisterAccess& access, uint64_t* value) {
  if (access.width == 8) return AccessWord<uint8_t>(address, access, value);
  if (access.width == 16) return AccessWord<uint16_t>(address, access, value);
  if (access.width == 32) return AccessWord<uint32_t>(address, access, value);
  return AccessWord<uint64_t>(address, access, value);
}

}  // namespace lendbuf
