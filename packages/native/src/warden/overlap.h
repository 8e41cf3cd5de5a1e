// Where ranges of one region meet.
#pragma once
#include <algorithm>

#include "exporter.h"

namespace lendbuf {

// Calls visit(export offset, region offset, length) for each piece of [offset, offset + length) of the region that is
// in the request's ranges.
template <class Visit>
void EachOverlap(const Request& request, uint64_t offset, uint64_t length, Visit visit) {
  uint64_t export_offset = 0;
  for (const protocol::Range& range : request.ranges) {
    uint64_t start = std::max(offset, range.offset);
    uint64_t end = std::min(offset + length, range.offset + range.length);
    if (start < end) visit(export_offset + (start - range.offset), start, end - start);
    export_offset += range.length;
  }
}

inline bool Overlaps(const Request& request, uint64_t offset, uint64_t length) {
  bool found = false;
  EachOverlap(request, offset, length, [&](uint64_t, uint64_t, uint64_t) { found = true; });
  return found;
}

inline bool Overlap(const Request& a, const Request& b) {
  return a.region == b.region && std::any_of(b.ranges.begin(), b.ranges.end(), [&](const protocol::Range& range) {
           return Overlaps(a, range.offset, range.length);
         });
}

}  // namespace lendbuf
