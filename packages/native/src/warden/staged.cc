#include "staged.h"

#include <algorithm>

#include "error.h"
#include "overlap.h"

namespace lendbuf {

namespace {

constexpr uint64_t kPiece = 16 << 10;  // so that a revoke waits for no more than that

Refusal WasRevoked() { return Refusal(EBADFD, "the window was revoked: what was not copied before never is"); }

Refusal WasCutShort() { return Refusal(EFAULT, "whoever has the window has cut it short: borrow it anew"); }

void CheckSync(const protocol::Sync& sync, const Request& request) {
  uint64_t word = sync.width / 8;
  if (sync.width != 8 && sync.width != 16 && sync.width != 32 && sync.width != 64)
    throw Refusal(EINVAL, "an access is of 8, 16, 32 or 64 bits, not " + std::to_string(sync.width));
  if (sync.offset % word || sync.length % word)
    throw Refusal(EINVAL, "offset " + std::to_string(sync.offset) + " and length " + std::to_string(sync.length) +
                              " are not both multiples of " + std::to_string(sync.width) + " bits");
  if (sync.offset > request.size || sync.length > request.size - sync.offset)
    throw Refusal(EINVAL, "bytes " + std::to_string(sync.offset) + "+" + std::to_string(sync.length) +
                              " are not in the window, which has " + std::to_string(request.size));
  if (sync.to_device && request.read_only)
    throw Refusal(EACCES, "the window is read-only: nothing is copied from it to the device");
}

}  // namespace

Proof StagedExport::Revoke() {
  ended_ = true;
  Proof proof = MemfdExport::Revoke();
  std::lock_guard wait(copying_);
  return proof;
}

void StagedExport::Sync(const protocol::Sync& sync) {
  CheckSync(sync, request());
  uint64_t start = 0;  // of the range in the export
  for (const protocol::Range& range : request().ranges) {
    uint64_t end = std::min(sync.offset + sync.length, start + range.length);
    for (uint64_t at = std::max(sync.offset, start); at < end;) {
      uint64_t length = std::min(kPiece, end - at);
      SyncPiece(sync, at, range.offset + (at - start), length);
      at += length;
    }
    start += range.length;
  }
}

void StagedExport::SyncPiece(const protocol::Sync& sync, uint64_t export_offset, uint64_t region_offset,
                             uint64_t length) {
  std::lock_guard lock(copying_);
  if (ended_) throw WasRevoked();
  protocol::RegisterAccess first{
      .offset = region_offset, .region = request().region, .width = sync.width, .is_store = sync.to_device};
  alignas(uint64_t) char bytes[kPiece];
  if (sync.to_device && Read(export_offset, bytes, length) != length) throw ended_ ? WasRevoked() : WasCutShort();
  device_.Copy(first, bytes, length);
  if (!sync.to_device && !Write(export_offset, bytes, length)) throw ended_ ? WasRevoked() : WasCutShort();
}

std::shared_ptr<Export> StagedExporter::Make(Request request) {
  MemfdContents& contents = *this;
  return std::make_shared<StagedExport>(std::move(request), contents, device_);
}

Capability StagedExporter::SelfTest() {
  Capability found = MemfdExporter(*this).SelfTest();
  if (!found.works) return found;
  try {
    found.words = TryCopy();
  } catch (const Refusal& failure) {
    return {.words = failure.what(), .rungs = found.rungs};
  } catch (const SystemError& failure) {
    return {.words = failure.what(), .rungs = found.rungs};
  }
  return found;
}

// Answers what was seen.
std::string StagedExporter::TryCopy() {
  std::vector<protocol::Region> regions = device_.regions();
  auto is_lendable = [](const protocol::Region& region) { return region.unlendable == protocol::Unlendable::kNo; };
  if (std::none_of(regions.begin(), regions.end(), is_lendable))
    throw Refusal(ENODEV, "none of the device's BARs can be lent");
  auto found = std::find_if(regions.begin(), regions.end(), [&](const protocol::Region& region) {
    return is_lendable(region) && device_.MayLoad(region.index);
  });
  if (found == regions.end())
    return "a window was mapped, revoked and seen gone; nothing was copied, for loads from this device may have "
           "effects";
  constexpr uint64_t kPage = 4096;
  uint64_t offset = found->withheld.length && found->withheld.offset == 0 ? found->withheld.length : 0;
  StagedExport lent({.region = found->index, .ranges = {{offset, kPage}}, .size = kPage}, *this, device_);
  lent.Sync({.length = kPage, .width = 32});
  if (!lent.Revoke().safe) throw Refusal(EIO, "a window could not be revoked");
  return "a window onto a page of region " + std::to_string(found->index) +
         " was filled with 32-bit loads; windows are revoked by truncation and were seen gone";
}

}  // namespace lendbuf
