// The lab kernel takes memory away from another device: edu copies through iommufd into a range that ivshmem lent,
// until it is revoked.
#define _GNU_SOURCE
#include "proof.h"

enum { kOffset = 0x100000, kLength = 0x2000, kIova = 0x100000, kEduBuffer = 0x40000, kToHost = 2 };
enum { kSource = 0x80, kTarget = 0x88, kCount = 0x90, kCommand = 0x98, kRun = 1 };

static volatile char* edu;

static volatile uint64_t* edu_register(int offset) { return (volatile uint64_t*)(edu + offset); }

// edu has no interrupt line here; its copy takes 100 ms of its own time.
static void copy(uint64_t source, uint64_t target, uint64_t direction) {
  *edu_register(kSource) = source;
  *edu_register(kTarget) = target;
  *edu_register(kCount) = sizeof(uint32_t);
  *edu_register(kCommand) = direction | kRun;
  while (*edu_register(kCommand) & kRun) usleep(1000);
}

static volatile char* map_registers(int device) {
  struct vfio_region_info region = {.argsz = sizeof region, .index = kEduBar};
  NEED(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region));
  void* address = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, device, region.offset);
  return NEED(address == MAP_FAILED ? (void*)-1 : address);
}

// A client with a container of its own (type1) maps what it sees for its device's DMA: nobody tells a container of a
// revoke.
static void by_container(void) {
  struct grouped ivshmem = open_in_group(find_device(IVSHMEM)), other = open_in_group(find_device(EDU));
  set_command(ivshmem.device, kMemory, 0);
  int dmabuf = NEED(export_range(ivshmem.device, kIvshmemBar, kOffset, kLength, O_RDWR));
  volatile uint32_t* memory = map(dmabuf, kLength, PROT_READ | PROT_WRITE);
  store(memory, 0x11223344);
  struct vfio_iommu_type1_dma_map request = {.argsz = sizeof request,
                                             .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
                                             .vaddr = (uintptr_t)memory,
                                             .iova = kIova,
                                             .size = kLength};
  int error = error_of(ioctl(other.container, VFIO_IOMMU_MAP_DMA, &request));
  proves("a container cannot map an export's memory for another device's DMA: EFAULT", error == EFAULT, "%s",
         name_of(error));
  munmap((void*)memory, kLength);
  close(dmabuf);
  close_group(ivshmem);
  close_group(other);
}

int main(void) {
  guard();
  by_container();
  int iommufd = NEED(open("/dev/iommu", O_RDWR | O_CLOEXEC));
  int ivshmem = open_cdev(find_device(IVSHMEM), iommufd);
  int importer = open_cdev(find_device(EDU), iommufd);
  uint32_t ioas = allocate_ioas(iommufd);
  attach_ioas(importer, ioas);
  attach_ioas(ivshmem, ioas);
  set_command(ivshmem, kMemory, 0);
  set_command(importer, kMemory | kMaster, 0);
  edu = map_registers(importer);

  int dmabuf = NEED(export_range(ivshmem, kIvshmemBar, kOffset, kLength, O_RDWR));
  volatile uint32_t* memory = map(dmabuf, kLength, PROT_READ | PROT_WRITE);
  int error = map_for_dma(iommufd, ioas, dmabuf, kLength, kIova);
  proves("iommufd imports an export for another device's DMA", error == 0, "%s", name_of(error));
  store(memory, 0x11223344);
  copy(kIova, kEduBuffer, 0);
  copy(kEduBuffer, kIova + 0x100, kToHost);
  proves("another device's DMA reads and writes the lent range", reads(memory + 0x40, 0x11223344), "%x", memory[0x40]);

  error = revoke_export(dmabuf);
  proves("an export with an importer can be revoked", error == 0, "%s", name_of(error));
  copy(kEduBuffer, kIova + 0x200, kToHost);
  error = map_for_dma(iommufd, ioas, dmabuf, kLength, 2 * kIova);
  proves("a revoked export cannot be imported again: ENODEV", error == ENODEV, "%s", name_of(error));
  int again = NEED(export_range(ivshmem, kIvshmemBar, kOffset, kLength, O_RDWR));
  volatile uint32_t* fresh = map(again, kLength, PROT_READ);
  proves("a new export sees what was there before", reads(fresh, 0x11223344) && reads(fresh + 0x40, 0x11223344), "%x",
         fresh[0]);
  proves("DMA after the revoke changed nothing", reads(fresh + 0x80, 0), "%x", fresh[0x80]);
}
