#include "scrub.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "exporter.h"

namespace lendbuf {

std::vector<char> PatternOf(uint64_t word, uint32_t width, uint64_t size) {
  std::vector<char> pattern(size);
  for (uint64_t at = 0; at < size; at += width / 8) memcpy(pattern.data() + at, &word, width / 8);
  return pattern;
}

void CheckPattern(const char* seen, const char* wanted, uint64_t size, uint32_t region, uint64_t offset) {
  const char* found = std::mismatch(seen, seen + size, wanted).first;
  if (found == seen + size) return;
  uint64_t at = static_cast<uint64_t>(found - seen);
  char words[160];
  snprintf(
      words, sizeof words,
      "byte 0x%llx of region %u reads 0x%02x after 0x%02x was written there: the device keeps something of its own",
      static_cast<unsigned long long>(offset + at), region, static_cast<unsigned char>(*found),
      static_cast<unsigned char>(wanted[at]));
  throw Refusal(EIO, words);
}

}  // namespace lendbuf
