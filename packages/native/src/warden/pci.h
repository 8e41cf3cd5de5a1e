// What a PCI function's configuration space says about its BARs.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol.h"

namespace lendbuf {

// "0000:01:00.0", as sysfs spells it.
bool IsPciAddress(std::string_view name);

constexpr uint32_t kBars = 6;

// What VFIO says about one BAR. Size 0: it is not there, has no address, or is the upper half of the one before.
struct BarInfo {
  uint64_t size = 0;
  uint32_t flags = 0;  // protocol::kReadable, kWritable, kMappable
};

class PciConfig {
 public:
  static constexpr size_t kSize = 256;
  // At least the first 256 bytes of the configuration space.
  explicit PciConfig(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) { bytes_.resize(kSize); }

  bool IsIo(uint32_t bar) const;
  // By PCI's definition a read of it has no side effects.
  bool IsPrefetchable(uint32_t bar) const;
  // The pages of a BAR that hold the MSI-X table; length 0: none.
  protocol::Range MsixTable(uint32_t bar) const;

 private:
  uint32_t Load(size_t offset, size_t width) const;
  size_t FindCapability(uint32_t id) const;

  std::vector<uint8_t> bytes_;
};

std::vector<protocol::Region> DescribeBars(const PciConfig& config, const std::array<BarInfo, kBars>& bars);

}  // namespace lendbuf
