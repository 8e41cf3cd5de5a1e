// What happens in the simulated device between two borrowers.
#include <algorithm>
#include <cstring>

#include "scrub.h"
#include "simulated.h"

namespace lendbuf {

uint64_t SimulatedDevice::Scrub(const Request& request, uint64_t word, uint32_t width) {
  std::vector<char> pattern = PatternOf(word, width, Backing::kPage);
  std::lock_guard lock(mutex_);
  digitizer_.Advance();
  return request.region == 0 ? ScrubRegisters(request, pattern) : ScrubMemory(request, pattern);
}

// A page of zeros asks for the settings as at the start: the device has no other without them.
uint64_t SimulatedDevice::ScrubRegisters(const Request& request, std::span<const char> pattern) {
  bool is_zero = std::all_of(pattern.begin(), pattern.end(), [](char byte) { return byte == 0; });
  if (is_zero) {
    digitizer_.Reset();
  } else {
    digitizer_.Accept(pattern.data());
    digitizer_.Publish();
    CheckPattern(registers_.at(0), pattern.data(), pattern.size(), request.region, 0);
  }
  ServeRegisters();
  return pattern.size();
}

uint64_t SimulatedDevice::ScrubMemory(const Request& request, std::span<const char> pattern) {
  uint64_t checked = 0;
  for (const protocol::Range& range : request.ranges)
    for (uint64_t at = range.offset; at < range.offset + range.length; at += Backing::kPage) {
      memcpy(memory_.Writable(at, Backing::kPage), pattern.data(), Backing::kPage);
      CheckPattern(memory_.at(at), pattern.data(), Backing::kPage, request.region, at);
      checked += Backing::kPage;
    }
  MarkStale(request);
  return checked;
}

void SimulatedDevice::Reset() {
  std::lock_guard lock(mutex_);
  digitizer_.Advance();
  digitizer_.Reset();
  ServeRegisters();
}

}  // namespace lendbuf
