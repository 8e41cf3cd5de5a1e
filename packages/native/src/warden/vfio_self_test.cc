// What VFIO exports can do here and which rungs of the ladder hold, tried on exports of our own.
#include <fcntl.h>

#include "error.h"
#include "vfio_exporter.h"
#include "view.h"

namespace lendbuf {

namespace {

void Expect(bool held, int error, const std::string& words) {
  if (!held) throw Refusal(error, words);
}

std::string NameOf(int error) { return error ? SystemError::CodeOf(error) : "0"; }

uint64_t FirstPage(const protocol::Region& region) {
  return region.withheld.length && region.withheld.offset == 0 ? region.withheld.length : 0;
}

std::string WordsOnNoExport(int error) {
  std::string answer = "this kernel does not export BARs as dma-bufs (" + SystemError::CodeOf(error) + ")";
  return error == ENOTTY ? answer + ": Linux 6.19 or later with CONFIG_VFIO_PCI_DMABUF does" : answer;
}

}  // namespace

VfioExporter::Page VfioExporter::FindTestPage() const {
  PciConfig config = device_.ReadConfig();
  const protocol::Region* found = nullptr;
  std::vector<protocol::Region> regions = DescribeBars(config, device_.ReadBars());
  for (const protocol::Region& region : regions) {
    if (region.unlendable != protocol::Unlendable::kNo) continue;
    if (!found || (config.IsPrefetchable(region.index) && !config.IsPrefetchable(found->index))) found = &region;
  }
  if (!found) throw Refusal(ENODEV, "none of the device's BARs can be lent");
  return {found->index, FirstPage(*found), config.IsPrefetchable(found->index)};
}

Fd VfioExporter::ExportPage(const Page& page, int open_flags) const {
  Request request{.region = page.region, .ranges = {{page.offset, View::kSize}}, .size = View::kSize};
  return ExportDmaBuf(device_.fd(), request, open_flags);
}

// Answers what was seen; throws Refusal or SystemError where it does not hold.
std::string VfioExporter::TryRevoke(RevokeMethod& method, const Page& page) const {
  Expect(MayUse(method), ENOTSUP, "not tried: the device's configuration leaves it out");
  method.Probe();
  Fd dmabuf = ExportPage(page, O_RDONLY);
  View view(dmabuf.get(), PROT_READ);
  uint32_t seen = 0;
  if (mappable_) Expect(bool(view), view.error(), "an export cannot be mapped: " + NameOf(view.error()));
  if (view && page.may_load) Expect(view.Load(&seen), 0, "a mapped export cannot be read");

  int error = method.Ask(dmabuf.get());
  Expect(error == 0, error, method.name() + " answers " + NameOf(error));
  if (view) Expect(!view.Load(&seen), 0, method.name() + " answers 0, yet a mapping lives on");
  int again = method.Ask(dmabuf.get());
  Expect(again == method.again(), again, method.name() + " answers " + NameOf(again) + " the second time");
  int probe = View(dmabuf.get(), PROT_READ).error();
  if (view) Expect(probe == ENODEV, probe, method.name() + " answers 0, yet a new mapping meets " + NameOf(probe));

  std::string words = method.name() + " answers 0, then " + NameOf(again);
  if (!view) return words + "; no mapping could be seen to go, for exports cannot be mapped here";
  std::string loaded = page.may_load ? "" : ", which was never loaded from, for this BAR's reads may have effects,";
  return words + "; the mapping of a page of BAR " + std::to_string(page.region) + loaded +
         " faults, and a new one meets ENODEV";
}

Rung VfioExporter::Try(RevokeMethod& method, const Page& page) const {
  Rung rung{.method = method.method(), .scope = method.scope()};
  try {
    rung.words = TryRevoke(method, page);
    rung.works = true;
  } catch (const Refusal& failure) {
    rung.error = failure.error();
    rung.words = failure.what();
  } catch (const SystemError& failure) {
    rung.error = failure.error();
    rung.words = failure.what();
  }
  return rung;
}

Capability VfioExporter::SelfTest() {
  Capability found;
  Page page{};
  try {
    page = FindTestPage();
    Fd dmabuf = ExportPage(page, O_RDONLY);
    mappable_ = found.mappable = bool(View(dmabuf.get(), PROT_READ));
  } catch (const Refusal& failure) {
    return {.words = failure.what()};
  } catch (const SystemError& failure) {
    return {.words = WordsOnNoExport(failure.error())};
  }
  for (auto& method : ladder_) {
    found.rungs.push_back(Try(*method, page));
    if (!best_ && found.rungs.back().works) best_ = method.get();
  }
  device_.Close();  // the last rung did, if it was tried at all
  device_.Open();
  if (!best_) {
    found.words = "no way to revoke works here: " + found.rungs.back().words;
    return found;
  }
  found.works = true;
  found.method = best_->method();
  found.scope = best_->scope();
  found.words = found.mappable ? "an export of a BAR was mapped, revoked and seen gone"
                               : "an export of a BAR was revoked; a device can import it, no process can map it here";
  return found;
}

}  // namespace lendbuf
