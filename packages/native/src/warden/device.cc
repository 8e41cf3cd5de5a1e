#include "device.h"

#include <cstring>

namespace lendbuf {

void Device::Copy(protocol::RegisterAccess access, char* bytes, uint64_t length) {
  size_t word = access.width / 8;
  for (uint64_t done = 0; done < length; done += word) {
    if (access.is_store) memcpy(&access.value, bytes + done, word);
    uint64_t value = MakeAccess(access);
    if (!access.is_store) memcpy(bytes + done, &value, word);
    access.offset += word;
  }
}

}  // namespace lendbuf
