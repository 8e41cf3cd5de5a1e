// Kernel interfaces newer than the headers of the oldest machine that builds this (Debian 12: Linux 6.1), each with its
// origin. In a namespace of their own, so that they meet newer headers without a clash.
#pragma once
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include <cstdint>

namespace lendbuf::uapi {

// include/uapi/linux/vfio.h, Linux 6.6: struct vfio_device_bind_iommufd, on a fresh fd of /dev/vfio/devices/vfioN.
struct VfioDeviceBindIommufd {
  uint32_t argsz;
  uint32_t flags;
  int32_t iommufd;
  uint32_t out_devid;
};
constexpr unsigned long kVfioDeviceBindIommufd = _IO(VFIO_TYPE, VFIO_BASE + 18);

// include/uapi/linux/vfio.h, Linux 6.19: VFIO_DEVICE_FEATURE_DMA_BUF (GET), struct vfio_region_dma_range and the fixed
// part of struct vfio_device_feature_dma_buf, which `nr_ranges` ranges follow. The ioctl answers the new fd.
constexpr uint32_t kVfioDeviceFeatureDmaBuf = 11;
struct VfioRegionDmaRange {
  uint64_t offset;
  uint64_t length;
};
struct VfioDeviceFeatureDmaBuf {
  uint32_t region_index;
  uint32_t open_flags;
  uint32_t flags;
  uint32_t nr_ranges;
};

// Numbers below this one have other meanings in Linux 7.3 (12 is the last that every architecture has).
constexpr uint32_t kFirstFreeVfioFeature = 13;
// Later form of the revoke series (not merged, its number is not settled): VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE (SET).
struct VfioDeviceFeatureDmaBufRevoke {
  int32_t dmabuf_fd;
};

// include/uapi/linux/dma-buf.h of the RFC "dma-buf: revoke" of 2026-02-26 (not merged): DMA_BUF_IOCTL_REVOKE.
constexpr unsigned long kDmaBufIoctlRevoke = _IO('b', 4);

}  // namespace lendbuf::uapi
