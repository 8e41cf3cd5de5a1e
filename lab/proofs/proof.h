// What the proofs share: finding and opening the lab machine's devices, exporting, touching memory that may be gone,
// and saying what was seen.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/dma-buf.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef DMA_BUF_IOCTL_REVOKE
#define DMA_BUF_IOCTL_REVOKE _IO(DMA_BUF_BASE, 4)  // lab/kernel/dma-buf-revoke.patch
#endif
#ifndef VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE
#define VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE 15  // the same
#endif

#define IVSHMEM "0x1af4", "0x1110"  // BAR 2 is a file of the host
#define EDU "0x1234", "0x11e8"      // BAR 0 has registers of a DMA engine

enum { kIvshmemBar = 2, kEduBar = 0, kPage = 4096 };

static inline const char* name_of(int error) {
  const char* name = error ? strerrorname_np(error) : "ok";
  return name ? name : "?";
}

// One case, one line; lab/lab.test.mjs makes a test of it. The text says what was seen, in words without quotes or
// backslashes.
__attribute__((format(printf, 3, 4))) static inline void proves(const char* name, bool ok, const char* format, ...) {
  char seen[256];
  va_list args;
  va_start(args, format);
  vsnprintf(seen, sizeof seen, format, args);
  va_end(args);
  printf("{\"name\":\"%s\",\"ok\":%s,\"why\":\"%s\"}\n", name, ok ? "true" : "false", seen);
  fflush(stdout);
}

// For what has to hold before anything can be proven: the program ends, and the machine says with which status.
#define NEED(call)                                                   \
  ({                                                                 \
    __auto_type answer = (call);                                     \
    if ((intptr_t)answer < 0) {                                      \
      fprintf(stderr, "%s:%d: %s: %m\n", __FILE__, __LINE__, #call); \
      _exit(2);                                                      \
    }                                                                \
    answer;                                                          \
  })

// The errno that a call answered, 0 where it succeeded.
static inline int error_of(long answer) { return answer < 0 ? errno : 0; }

static __thread sigjmp_buf fault;
static inline void on_bus_error(int number) { siglongjmp(fault, number); }
static inline void guard(void) { signal(SIGBUS, on_bus_error); }

// Each answers the signal that the access raised, or 0.
static inline int load(volatile const uint32_t* word, uint32_t* value) {
  int raised = sigsetjmp(fault, 1);
  if (raised) return raised;
  *value = *word;
  return 0;
}
static inline int store(volatile uint32_t* word, uint32_t value) {
  int raised = sigsetjmp(fault, 1);
  if (raised) return raised;
  *word = value;
  return 0;
}
static inline bool reads(volatile const uint32_t* word, uint32_t value) {
  uint32_t seen;
  return load(word, &seen) == 0 && seen == value;
}
static inline bool is_gone(volatile uint32_t* word) {
  uint32_t value;
  return load(word, &value) == SIGBUS;
}

static inline bool holds(const char* folder, const char* file, const char* text) {
  char path[256], line[64] = "";
  snprintf(path, sizeof path, "%s/%s", folder, file);
  FILE* stream = fopen(path, "r");
  if (!stream) return false;
  bool read = fgets(line, sizeof line, stream) != NULL;
  fclose(stream);
  line[strcspn(line, "\n")] = 0;
  return read && strcmp(line, text) == 0;
}

// Its folder in sysfs, which lives as long as the program.
static inline char* find_device(const char* vendor, const char* device) {
  glob_t all;
  NEED(-glob("/sys/bus/pci/devices/*", 0, NULL, &all));
  for (size_t i = 0; i < all.gl_pathc; i++)
    if (holds(all.gl_pathv[i], "vendor", vendor) && holds(all.gl_pathv[i], "device", device)) return all.gl_pathv[i];
  fprintf(stderr, "no device %s:%s\n", vendor, device);
  _exit(2);
}

static inline const char* last_part(const char* path) { return strrchr(path, '/') + 1; }

struct grouped {
  int container, group, device;
};

static inline struct grouped open_in_group(const char* folder) {
  struct grouped opened;
  char path[256], target[256] = "";
  snprintf(path, sizeof path, "%s/iommu_group", folder);
  NEED(readlink(path, target, sizeof target - 1));
  snprintf(path, sizeof path, "/dev/vfio/%s", last_part(target));
  opened.container = NEED(open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC));
  opened.group = NEED(open(path, O_RDWR | O_CLOEXEC));
  NEED(ioctl(opened.group, VFIO_GROUP_SET_CONTAINER, &opened.container));
  NEED(ioctl(opened.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
  opened.device = NEED(ioctl(opened.group, VFIO_GROUP_GET_DEVICE_FD, last_part(folder)));
  return opened;
}

static inline void close_group(struct grouped opened) {
  close(opened.device);
  close(opened.group);
  close(opened.container);
}

// The errno of binding in `bind_error`; the descriptor is closed then, and -1.
static inline int bind_cdev(const char* folder, int iommufd, int* bind_error) {
  char pattern[256];
  snprintf(pattern, sizeof pattern, "%s/vfio-dev/*", folder);
  glob_t found;
  NEED(-glob(pattern, 0, NULL, &found));
  snprintf(pattern, sizeof pattern, "/dev/vfio/devices/%s", last_part(found.gl_pathv[0]));
  globfree(&found);
  int device = NEED(open(pattern, O_RDWR | O_CLOEXEC));
  struct vfio_device_bind_iommufd request = {.argsz = sizeof request, .iommufd = iommufd};
  *bind_error = error_of(ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &request));
  if (*bind_error == 0) return device;
  close(device);
  return -1;
}

static inline int open_cdev(const char* folder, int iommufd) {
  int error;
  int device = bind_cdev(folder, iommufd, &error);
  errno = error;
  return NEED(device);
}

static inline int export_ranges(int device, uint32_t bar, const struct vfio_region_dma_range* ranges, uint32_t count,
                                int flags) {
  size_t size =
      sizeof(struct vfio_device_feature) + sizeof(struct vfio_device_feature_dma_buf) + count * sizeof *ranges;
  struct vfio_device_feature* feature = calloc(1, size);
  feature->argsz = size;
  feature->flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF;
  struct vfio_device_feature_dma_buf* request = (void*)feature->data;
  request->region_index = bar;
  request->open_flags = flags | O_CLOEXEC;
  request->nr_ranges = count;
  memcpy(request->dma_ranges, ranges, count * sizeof *ranges);
  int dmabuf = ioctl(device, VFIO_DEVICE_FEATURE, feature);
  int error = errno;
  free(feature);
  errno = error;
  return dmabuf;
}

static inline int export_range(int device, uint32_t bar, uint64_t offset, uint64_t length, int flags) {
  return export_ranges(device, bar, &(struct vfio_region_dma_range){offset, length}, 1, flags);
}

static inline volatile uint32_t* map(int fd, size_t length, int protection) {
  void* address = mmap(NULL, length, protection, MAP_SHARED, fd, 0);
  return NEED(address == MAP_FAILED ? (void*)-1 : address);
}

// The errno of mapping it.
static inline int map_error(int fd, size_t length, int protection) {
  void* address = mmap(NULL, length, protection, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return errno;
  munmap(address, length);
  return 0;
}

static inline int revoke_export(int dmabuf) { return error_of(ioctl(dmabuf, DMA_BUF_IOCTL_REVOKE)); }

static inline int revoke_by_device(int device, int dmabuf, uint32_t probe) {
  struct {
    struct vfio_device_feature feature;
    int32_t dmabuf;
  } request = {{sizeof request, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE | probe}, dmabuf};
  return error_of(ioctl(device, VFIO_DEVICE_FEATURE, &request));
}

enum { kMemory = 2, kMaster = 4 };

// Bits of the device's PCI command register.
static inline void set_command(int device, uint16_t set, uint16_t clear) {
  struct vfio_region_info region = {.argsz = sizeof region, .index = VFIO_PCI_CONFIG_REGION_INDEX};
  NEED(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region));
  uint16_t command;
  NEED(pread(device, &command, sizeof command, region.offset + 4));
  command = (command | set) & ~clear;
  NEED(pwrite(device, &command, sizeof command, region.offset + 4));
}

static inline uint32_t allocate_ioas(int iommufd) {
  struct iommu_ioas_alloc request = {.size = sizeof request};
  NEED(ioctl(iommufd, IOMMU_IOAS_ALLOC, &request));
  return request.out_ioas_id;
}

static inline void attach_ioas(int device, uint32_t ioas) {
  struct vfio_device_attach_iommufd_pt request = {.argsz = sizeof request, .pt_id = ioas};
  NEED(ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &request));
}

// The errno of importing a dma-buf for the DMA of the devices that are attached.
static inline int map_for_dma(int iommufd, uint32_t ioas, int dmabuf, uint64_t length, uint64_t iova) {
  struct iommu_ioas_map_file request = {
      .size = sizeof request,
      .flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE,
      .ioas_id = ioas,
      .fd = dmabuf,
      .length = length,
      .iova = iova,
  };
  return error_of(ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &request));
}

struct sw_sync_create_fence_data {
  uint32_t value;
  char name[32];
  int32_t fence;
};
#define SW_SYNC_IOC_CREATE_FENCE _IOWR('W', 0, struct sw_sync_create_fence_data)  // drivers/dma-buf/sw_sync.c
#define SW_SYNC_IOC_INC _IOW('W', 1, uint32_t)

static inline int open_timeline(void) { return NEED(open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC)); }

// A fence that signals once the timeline has come to `value`, or its owner is gone.
static inline void add_fence(int dmabuf, int timeline, uint32_t value) {
  struct sw_sync_create_fence_data fence = {.value = value};
  NEED(ioctl(timeline, SW_SYNC_IOC_CREATE_FENCE, &fence));
  struct dma_buf_import_sync_file import = {.flags = DMA_BUF_SYNC_RW, .fd = fence.fence};
  NEED(ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &import));
  close(fence.fence);
}

static inline void advance(int timeline) {
  uint32_t by = 1;
  NEED(ioctl(timeline, SW_SYNC_IOC_INC, &by));
}
