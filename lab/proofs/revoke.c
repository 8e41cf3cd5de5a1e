// The lab kernel takes mappings away: by the dma-buf, by the device's feature, and by the last close of the device.
#define _GNU_SOURCE
#include "proof.h"

enum { kOffset = 0x1000, kLength = 0x4000, kReadWrite = PROT_READ | PROT_WRITE };

// Two ranges, the second in front of the first: a mapping shows them in the order in which they were asked for.
static void several_ranges(int device) {
  const uint64_t front = 0x20000, back = 0x30000;
  volatile uint32_t* memory = map(NEED(export_range(device, kIvshmemBar, front, 0x20000, O_RDWR)), 0x20000, kReadWrite);
  store(memory, 0x1111);
  store(memory + (back - front) / sizeof *memory, 0x2222);
  const struct vfio_region_dma_range ranges[] = {{back, kPage}, {front, 2 * kPage}};
  int both = NEED(export_ranges(device, kIvshmemBar, ranges, 2, O_RDWR));
  volatile uint32_t* lent = map(both, 3 * kPage, kReadWrite);
  volatile uint32_t* second = lent + kPage / sizeof *lent;
  proves("an export of two ranges shows them one after the other", reads(lent, 0x2222) && reads(second, 0x1111), "%s",
         "loads");
  int error = map_error(both, 4 * kPage, PROT_READ);
  proves("an export cannot be mapped beyond its end", error == EINVAL, "%s", name_of(error));
  error = revoke_export(both);
  proves("revoking it takes both ranges away, and nothing else",
         error == 0 && is_gone(lent) && is_gone(second) && reads(memory, 0x1111), "%s", name_of(error));
}

int main(void) {
  guard();
  struct grouped ivshmem = open_in_group(find_device(IVSHMEM));
  set_command(ivshmem.device, kMemory, 0);

  int first = NEED(export_range(ivshmem.device, kIvshmemBar, kOffset, kLength, O_RDWR));
  int second = NEED(export_range(ivshmem.device, kIvshmemBar, kOffset, kLength, O_RDONLY));
  volatile uint32_t* lent = map(first, kLength, kReadWrite);
  store(lent, 0xdeadbeef);
  int error = map_error(second, kLength, kReadWrite);
  proves("an export that was made read-only cannot be mapped writable", error == EACCES, "%s", name_of(error));
  volatile uint32_t* other = map(second, kLength, PROT_READ);
  proves("two exports of one range show the same memory", reads(other, 0xdeadbeef), "%x", *other);

  error = revoke_export(first);
  proves("DMA_BUF_IOCTL_REVOKE succeeds", error == 0, "%s", name_of(error));
  proves("a load through the revoked mapping raises SIGBUS", is_gone(lent), "%s", "load");
  int raised = store(lent, 0x0badf00d);
  proves("a store through the revoked mapping raises SIGBUS", raised == SIGBUS, "signal %d", raised);
  proves("the other export of the range still reads", reads(other, 0xdeadbeef), "%s", "load");
  error = revoke_export(first);
  proves("revoking again answers EBADFD", error == EBADFD, "%s", name_of(error));
  error = map_error(first, kLength, PROT_READ);
  proves("a revoked export cannot be mapped again: ENODEV", error == ENODEV, "%s", name_of(error));

  set_command(ivshmem.device, 0, kMemory);
  proves("with the device's memory off, a mapping is suspended: SIGBUS", is_gone((void*)other), "%s", "load");
  set_command(ivshmem.device, kMemory, 0);
  proves("with the device's memory on again, it reads", reads(other, 0xdeadbeef), "%s", "load");
  proves("but the revoked mapping stays gone", is_gone(lent), "%s", "load");

  error = revoke_by_device(ivshmem.device, 0, VFIO_DEVICE_FEATURE_PROBE);
  proves("the feature can be probed", error == 0, "%s", name_of(error));
  error = revoke_by_device(ivshmem.device, -1, 0);
  proves("the feature answers EBADF for no descriptor", error == EBADF, "%s", name_of(error));
  error = revoke_by_device(ivshmem.device, STDOUT_FILENO, 0);
  proves("the feature answers EINVAL for what is no dma-buf", error == EINVAL, "%s", name_of(error));
  error = revoke_by_device(ivshmem.device, first, 0);
  proves("the feature answers EBADFD for what was revoked before", error == EBADFD, "%s", name_of(error));
  int third = NEED(export_range(ivshmem.device, kIvshmemBar, kOffset, kLength, O_RDWR));
  volatile uint32_t* fresh = map(third, kLength, kReadWrite);
  bool was_there = reads(fresh, 0xdeadbeef);
  error = revoke_by_device(ivshmem.device, third, 0);
  proves("the feature revokes a fresh export", was_there && error == 0 && is_gone(fresh), "%s", name_of(error));

  several_ranges(ivshmem.device);
  close(ivshmem.device);
  proves("after the last close of the device, every mapping is gone", is_gone((void*)other), "%s", "load");
  error = revoke_export(second);
  proves("and revoking its export answers ENODEV", error == ENODEV, "%s", name_of(error));
}
