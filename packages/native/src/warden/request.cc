#include "request.h"

#include <cerrno>

namespace lendbuf {

namespace {

constexpr uint64_t kPage = 4096;

std::string Describe(const protocol::Range& range) {
  return "range " + std::to_string(range.offset) + "+" + std::to_string(range.length);
}

void CheckLendable(const protocol::Region& region) {
  using protocol::Unlendable;
  std::string name = "region " + std::to_string(region.index);
  if (region.unlendable == Unlendable::kIoPorts)
    throw Refusal(EINVAL, name + " is an I/O BAR, which is no memory: it cannot be lent");
  if (region.unlendable == Unlendable::kUnassigned)
    throw Refusal(ENODEV, name + " is not there, or has no address assigned: it cannot be lent");
  if (region.unlendable == Unlendable::kMsixTable)
    throw Refusal(EPERM, name + " holds the device's MSI-X table and nothing else to lend");
  if (region.unlendable == Unlendable::kSubPage)
    throw Refusal(EINVAL, name + " has " + std::to_string(region.size) + " bytes, less than a page of " +
                              std::to_string(kPage) + ": it cannot be lent");
}

const protocol::Region& FindRegion(uint32_t index, std::span<const protocol::Region> regions) {
  for (const protocol::Region& region : regions) {
    if (region.index != index) continue;
    CheckLendable(region);
    return region;
  }
  throw Refusal(EINVAL, "the device has no region " + std::to_string(index));
}

bool Overlap(const protocol::Range& a, const protocol::Range& b) {
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}

void CheckWithin(const protocol::Range& range, const protocol::Region& region) {
  if (range.offset > region.size || range.length > region.size - range.offset)
    throw Refusal(EINVAL, Describe(range) + " reaches past the end of region " + std::to_string(region.index) +
                              ", which has " + std::to_string(region.size) + " bytes");
}

void CheckRange(const protocol::Range& range, const protocol::Region& region) {
  if (range.length == 0) throw Refusal(EINVAL, Describe(range) + " is empty");
  if (range.offset % kPage || range.length % kPage)
    throw Refusal(EINVAL, Describe(range) + " is not aligned to pages of " + std::to_string(kPage) + " bytes");
  CheckWithin(range, region);
  if (Overlap(range, region.withheld))
    throw Refusal(EPERM, Describe(range) + " meets the MSI-X table of region " + std::to_string(region.index) +
                             ", whose pages " + std::to_string(region.withheld.offset) + "+" +
                             std::to_string(region.withheld.length) +
                             " are never lent: lend what lies before or after them");
}

}  // namespace

namespace {

std::vector<protocol::Range> ReadRanges(std::span<const char> bytes, size_t start, uint32_t count, const char* what) {
  size_t size = bytes.size() - start;
  if (size != size_t{count} * sizeof(protocol::Range))
    throw BrokenAgent(std::string(what) + " of " + std::to_string(count) + " ranges has " +
                      std::to_string(bytes.size()) + " bytes");
  std::vector<protocol::Range> ranges(count);
  if (size) memcpy(ranges.data(), bytes.data() + start, size);
  return ranges;
}

}  // namespace

Request ReadExport(std::span<const char> bytes, const protocol::Export& packet) {
  return {.id = packet.id,
          .region = packet.region,
          .read_only = (packet.flags & protocol::kReadOnly) != 0,
          .ranges = ReadRanges(bytes, sizeof packet, packet.range_count, "an EXPORT")};
}

Request ReadScrub(std::span<const char> bytes, const protocol::Scrub& packet) {
  return {.region = packet.region, .ranges = ReadRanges(bytes, sizeof packet, packet.range_count, "a SCRUB")};
}

void CheckWord(uint64_t word, uint32_t width) {
  if (width != 8 && width != 16 && width != 32 && width != 64)
    throw Refusal(EINVAL, "an access is of 8, 16, 32 or 64 bits, not " + std::to_string(width));
  if (width < 64 && word >> width)
    throw Refusal(EINVAL, std::to_string(word) + " has more than " + std::to_string(width) + " bits");
}

void CheckRequest(Request& request, uint32_t flags, std::span<const protocol::Region> regions) {
  if (flags & ~protocol::kReadOnly) throw Refusal(EINVAL, "unknown flags " + std::to_string(flags));
  size_t count = request.ranges.size();
  if (count == 0 || count > protocol::kMaxRanges)
    throw Refusal(
        EINVAL, "an export has 1 to " + std::to_string(protocol::kMaxRanges) + " ranges, not " + std::to_string(count));
  const protocol::Region& region = FindRegion(request.region, regions);
  request.size = 0;
  for (size_t i = 0; i < count; i++) {
    CheckRange(request.ranges[i], region);
    for (size_t j = 0; j < i; j++)
      if (Overlap(request.ranges[i], request.ranges[j]))
        throw Refusal(EINVAL, Describe(request.ranges[i]) + " and " + Describe(request.ranges[j]) + " overlap");
    request.size += request.ranges[i].length;
  }
}

void CheckAccess(const protocol::RegisterAccess& access, std::span<const protocol::Region> regions) {
  uint32_t width = access.width;
  CheckWord(access.is_store ? access.value : 0, width);
  if (access.offset % (width / 8))
    throw Refusal(EINVAL,
                  "offset " + std::to_string(access.offset) + " is not aligned to " + std::to_string(width) + " bits");
  const protocol::Region& region = FindRegion(access.region, regions);
  protocol::Range word{access.offset, width / 8};
  CheckWithin(word, region);
  if (Overlap(word, region.withheld))
    throw Refusal(EPERM, Describe(word) +
                             " lies in the pages of the MSI-X table, which nobody touches: whoever "
                             "writes there chooses what the device's interrupts do");
}

}  // namespace lendbuf
