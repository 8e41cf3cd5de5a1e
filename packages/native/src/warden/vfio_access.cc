// Single loads and stores of a VFIO device's BARs.
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "exporter.h"
#include "single_access.h"
#include "vfio_handle.h"

namespace lendbuf {

namespace {

constexpr uint64_t kPage = 4096;

// The processor's own load or store, so of any width. A BAR whose device sleeps or has its memory switched off has no
// pages (vfio_pci_core_do_fault: SIGBUS).
uint64_t AccessMapped(int device, const vfio_region_info& info, const protocol::RegisterAccess& access) {
  off_t page = static_cast<off_t>(info.offset + access.offset / kPage * kPage);
  int protection = access.is_store ? PROT_READ | PROT_WRITE : PROT_READ;
  void* start = Check(mmap(nullptr, kPage, protection, MAP_SHARED, device, page), "mmap(BAR)");
  uint64_t value = 0;
  bool reached = AccessOnce(static_cast<char*>(start) + access.offset % kPage, access, &value);
  munmap(start, kPage);
  if (!reached) throw Refusal(EIO, "the device's memory cannot be reached: it sleeps, is being reset or is gone");
  return value;
}

// The kernel's load or store: for an aligned 1, 2 or 4 bytes a single one of that width (vfio_pci_core_do_io_rw). It
// makes two of 8 bytes before Linux 6.11, and does not say so.
uint64_t AccessThroughKernel(int device, const vfio_region_info& info, const protocol::RegisterAccess& access) {
  if (access.width == 64)
    throw Refusal(ENOTSUP,
                  "this region cannot be mapped, so the kernel would make two accesses of 32 bits: ask for "
                  "those");
  off_t at = static_cast<off_t>(info.offset + access.offset);
  size_t size = access.width / 8;
  uint64_t value = access.value;  // little-endian, as PCI is
  ssize_t count = access.is_store ? pwrite(device, &value, size, at) : pread(device, &value, size, at);
  if (Check(count, access.is_store ? "pwrite(BAR)" : "pread(BAR)") != static_cast<ssize_t>(size))
    throw Refusal(EIO, "the kernel made " + std::to_string(count) + " of " + std::to_string(size) + " bytes");
  return access.is_store ? 0 : value;
}

}  // namespace

uint64_t VfioHandle::MakeAccess(const protocol::RegisterAccess& access) {
  std::lock_guard lock(closing_);  // a mapping would keep the device open
  if (!device_) throw Refusal(ENODEV, "the device was given up to revoke every export of it: wait for the next warden");
  vfio_region_info info{.argsz = sizeof info, .index = VFIO_PCI_BAR0_REGION_INDEX + access.region};
  Check(ioctl(fd(), VFIO_DEVICE_GET_REGION_INFO, &info), "ioctl(VFIO_DEVICE_GET_REGION_INFO)");
  if (info.flags & VFIO_REGION_INFO_FLAG_MMAP) return AccessMapped(fd(), info, access);
  return AccessThroughKernel(fd(), info, access);
}

}  // namespace lendbuf
