#include "revoke_method.h"

#include "error.h"

namespace lendbuf {

namespace {

struct FeatureCall {
  uint32_t argsz;
  uint32_t flags;
  uapi::VfioDeviceFeatureDmaBufRevoke data;
};

}  // namespace

int DmaBufRevoke::Ask(int dmabuf) { return ioctl(dmabuf, uapi::kDmaBufIoctlRevoke) ? errno : 0; }

// Whatever else the number may mean to this kernel, asking what it can do changes nothing.
void FeatureRevoke::Probe() {
  if (number_ == 0)
    throw Refusal(ENOTSUP,
                  "not tried: the number of this feature is not settled between kernels. Where the kernel has "
                  "it, configure the device's revoke feature");
  FeatureCall call{.argsz = sizeof call, .flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET | number_};
  if (ioctl(device_.fd(), VFIO_DEVICE_FEATURE, &call))
    throw Refusal(errno, "this kernel has no VFIO_DEVICE_FEATURE " + std::to_string(number_) + " that can be set (" +
                             SystemError::CodeOf(errno) + ")");
}

int FeatureRevoke::Ask(int dmabuf) {
  FeatureCall call{.argsz = sizeof call, .flags = VFIO_DEVICE_FEATURE_SET | number_, .data = {dmabuf}};
  return ioctl(device_.fd(), VFIO_DEVICE_FEATURE, &call) ? errno : 0;
}

}  // namespace lendbuf
