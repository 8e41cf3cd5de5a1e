#include "vfio_exporter.h"

#include <fcntl.h>
#include <linux/dma-buf.h>

#include <algorithm>
#include <cstring>

#include "error.h"
#include "uapi.h"
#include "view.h"

namespace lendbuf {

Proof VfioExport::Revoke() {
  Proof proof{.method = method_.method(), .error = method_.Ask(fd())};
  proof.probe = View(fd(), PROT_READ).error();
  proof.safe = method_.IsSafe(proof.error) && (!mappable_ || proof.probe == ENODEV);
  return proof;
}

VfioExporter::VfioExporter(VfioHandle& device, Options options) : device_(device), options_(std::move(options)) {
  ladder_.push_back(std::make_unique<DmaBufRevoke>());
  ladder_.push_back(std::make_unique<FeatureRevoke>(device, options_.revoke_feature));
  ladder_.push_back(std::make_unique<DeviceClose>(device));
  for (const std::string& key : options_.rungs)
    if (std::none_of(ladder_.begin(), ladder_.end(), [&](const auto& method) { return method->key() == key; }))
      throw Refusal(EINVAL, "there is no way to revoke named " + key +
                                ": there are dma-buf-revoke, vfio-feature-revoke and device-close");
}

bool VfioExporter::MayUse(const RevokeMethod& method) const {
  const std::vector<std::string>& chosen = options_.rungs;
  return chosen.empty() || std::find(chosen.begin(), chosen.end(), method.key()) != chosen.end();
}

Fd ExportDmaBuf(int device, const Request& request, int open_flags) {
  size_t ranges_size = request.ranges.size() * sizeof(uapi::VfioRegionDmaRange);
  size_t size = sizeof(vfio_device_feature) + sizeof(uapi::VfioDeviceFeatureDmaBuf) + ranges_size;
  std::vector<uint64_t> space((size + 7) / 8);  // aligned as the kernel's structs are
  char* at = reinterpret_cast<char*>(space.data());
  auto* feature = new (at) vfio_device_feature{.argsz = static_cast<uint32_t>(size),
                                               .flags = VFIO_DEVICE_FEATURE_GET | uapi::kVfioDeviceFeatureDmaBuf};
  at += sizeof *feature;
  uapi::VfioDeviceFeatureDmaBuf asked{.region_index = request.region,
                                      .open_flags = static_cast<uint32_t>(open_flags | O_CLOEXEC),
                                      .nr_ranges = static_cast<uint32_t>(request.ranges.size())};
  memcpy(at, &asked, sizeof asked);
  static_assert(sizeof(uapi::VfioRegionDmaRange) == sizeof(protocol::Range));
  memcpy(at + sizeof asked, request.ranges.data(), ranges_size);
  return Fd(Check(ioctl(device, VFIO_DEVICE_FEATURE, feature), "ioctl(VFIO_DEVICE_FEATURE_DMA_BUF)"));
}

std::shared_ptr<Export> VfioExporter::Make(Request request) {
  Fd dmabuf = ExportDmaBuf(device_.fd(), request, request.read_only ? O_RDONLY : O_RDWR);
  std::string name = "lendbuf:" + std::to_string(request.id);  // at most 31 characters (DMA_BUF_NAME_LEN)
  Check(ioctl(dmabuf.get(), DMA_BUF_SET_NAME_B, name.c_str()), "ioctl(DMA_BUF_SET_NAME)");
  return std::make_shared<VfioExport>(std::move(dmabuf), *best_, mappable_);
}

}  // namespace lendbuf
