#include "device.h"

#include <algorithm>
#include <cstring>

#include "scrub.h"

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

namespace {

constexpr uint64_t kPiece = 256 << 10;  // so that whoever else wants the device waits for no more than that

}  // namespace

uint64_t Device::Scrub(const Request& request, uint64_t word, uint32_t width) {
  std::vector<char> pattern = PatternOf(word, width, kPiece);
  std::vector<char> seen(kPiece);
  bool may_load = MayLoad(request.region);
  uint64_t checked = 0;
  for (const protocol::Range& range : request.ranges) {
    for (uint64_t done = 0; done < range.length; done += kPiece) {
      uint64_t length = std::min(kPiece, range.length - done);
      protocol::RegisterAccess first{
          .offset = range.offset + done, .region = request.region, .width = width, .is_store = 1};
      Copy(first, pattern.data(), length);
      if (!may_load) continue;
      first.is_store = 0;
      Copy(first, seen.data(), length);
      CheckPattern(seen.data(), pattern.data(), length, request.region, first.offset);
      checked += length;
    }
  }
  return checked;
}

}  // namespace lendbuf
