#include "pci.h"

#include <linux/pci_regs.h>

namespace lendbuf {

namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kMostCapabilities = 48;  // what fits, so that a list that bites its tail ends

bool IsHex(std::string_view digits) { return digits.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

bool Covers(const protocol::Range& range, uint64_t size) { return range.offset == 0 && range.length >= size; }

protocol::Unlendable WhyNot(const PciConfig& config, uint32_t bar, uint64_t size) {
  using protocol::Unlendable;
  if (size == 0) return Unlendable::kUnassigned;
  if (config.IsIo(bar)) return Unlendable::kIoPorts;
  if (size < kPage) return Unlendable::kSubPage;
  if (Covers(config.MsixTable(bar), size)) return Unlendable::kMsixTable;
  return Unlendable::kNo;
}

}  // namespace

bool IsPciAddress(std::string_view name) {
  return name.size() == 12 && name[4] == ':' && name[7] == ':' && name[10] == '.' && name[11] >= '0' &&
         name[11] <= '7' && IsHex(name.substr(0, 4)) && IsHex(name.substr(5, 2)) && IsHex(name.substr(8, 2));
}

uint32_t PciConfig::Load(size_t offset, size_t width) const {
  uint32_t value = 0;
  for (size_t i = 0; i < width; i++) value |= uint32_t{bytes_[(offset + i) % kSize]} << (8 * i);
  return value;
}

bool PciConfig::IsIo(uint32_t bar) const { return Load(PCI_BASE_ADDRESS_0 + 4 * bar, 4) & PCI_BASE_ADDRESS_SPACE_IO; }

bool PciConfig::IsPrefetchable(uint32_t bar) const {
  return !IsIo(bar) && (Load(PCI_BASE_ADDRESS_0 + 4 * bar, 4) & PCI_BASE_ADDRESS_MEM_PREFETCH);
}

size_t PciConfig::FindCapability(uint32_t id) const {
  if (!(Load(PCI_STATUS, 2) & PCI_STATUS_CAP_LIST)) return 0;
  size_t at = Load(PCI_CAPABILITY_LIST, 1) & ~3u;
  for (size_t seen = 0; at >= PCI_STD_HEADER_SIZEOF && seen < kMostCapabilities; seen++) {
    if (Load(at + PCI_CAP_LIST_ID, 1) == id) return at;
    at = Load(at + PCI_CAP_LIST_NEXT, 1) & ~3u;
  }
  return 0;
}

protocol::Range PciConfig::MsixTable(uint32_t bar) const {
  size_t at = FindCapability(PCI_CAP_ID_MSIX);
  if (at == 0) return {};
  uint32_t table = Load(at + PCI_MSIX_TABLE, 4);
  if ((table & PCI_MSIX_TABLE_BIR) != bar) return {};
  uint64_t entries = (Load(at + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE) + 1;
  uint64_t start = table & PCI_MSIX_TABLE_OFFSET;
  uint64_t end = start + entries * PCI_MSIX_ENTRY_SIZE;
  uint64_t first_page = start / kPage * kPage;
  return {first_page, (end + kPage - 1) / kPage * kPage - first_page};
}

std::vector<protocol::Region> DescribeBars(const PciConfig& config, const std::array<BarInfo, kBars>& bars) {
  std::vector<protocol::Region> regions;
  for (uint32_t bar = 0; bar < kBars; bar++)
    regions.push_back({.index = bar,
                       .flags = bars[bar].flags,
                       .size = bars[bar].size,
                       .unlendable = WhyNot(config, bar, bars[bar].size),
                       .withheld = config.MsixTable(bar)});
  return regions;
}

}  // namespace lendbuf
