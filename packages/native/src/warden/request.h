// EXPORT and ACCESS packets, read and checked once.
#pragma once
#include <cstring>
#include <span>

#include "exporter.h"

namespace lendbuf {

// An agent that breaks the protocol: nothing it says can be trusted.
class BrokenAgent : public std::exception {
 public:
  explicit BrokenAgent(std::string words) : words_(std::move(words)) {}
  const char* what() const noexcept override { return words_.c_str(); }

 private:
  std::string words_;
};

// Copies the struct at the packet's start. Throws BrokenAgent where the packet is too short.
template <class Packet>
Packet ReadPacket(std::span<const char> bytes) {
  if (bytes.size() < sizeof(Packet))
    throw BrokenAgent("a packet of " + std::to_string(bytes.size()) + " bytes is too short");
  Packet packet;
  memcpy(&packet, bytes.data(), sizeof packet);
  return packet;
}

// The same for one that has nothing behind the struct.
template <class Packet>
Packet ReadWhole(std::span<const char> bytes) {
  auto packet = ReadPacket<Packet>(bytes);
  if (bytes.size() == sizeof packet) return packet;
  throw BrokenAgent("a packet of type " + std::to_string(static_cast<uint32_t>(packet.header.type)) + " has " +
                    std::to_string(bytes.size()) + " bytes");
}

// Throws BrokenAgent where the packet's length is wrong. The ranges are as the agent sent them: CheckRequest comes
// next.
Request ReadExport(std::span<const char> bytes, const protocol::Export& packet);

// The same for a SCRUB; its id means nothing.
Request ReadScrub(std::span<const char> bytes, const protocol::Scrub& packet);

// Throws Refusal (EINVAL) where there is no access of such a width, or the word is wider.
void CheckWord(uint64_t word, uint32_t width);

// Throws Refusal where the device has no such ranges to lend (EINVAL, ENODEV for a BAR that is not there, EPERM for the
// MSI-X table); sets the request's size.
void CheckRequest(Request& request, uint32_t flags, std::span<const protocol::Region> regions);

// Throws Refusal, with the same errnos, where there is no such word.
void CheckAccess(const protocol::RegisterAccess& access, std::span<const protocol::Region> regions);

}  // namespace lendbuf
