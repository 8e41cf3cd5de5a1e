#include "system_memory.h"

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "last_reference.h"

namespace lendbuf {

namespace {

constexpr uint64_t kPage = 4096;

class SystemMemoryExport : public LastReferenceExport {
 public:
  SystemMemoryExport(Fd dmabuf, MemoryBudget& budget, uint64_t size)
      : LastReferenceExport(std::move(dmabuf)), budget_(budget), size_(size) {}
  ~SystemMemoryExport() override { budget_.GiveBack(size_); }

 private:
  MemoryBudget& budget_;
  uint64_t size_;
};

Refusal MayNotOpen(const char* node) {
  struct stat seen {};
  stat(node, &seen);
  return Refusal(EACCES, std::string(node) + " may not be opened (EACCES): it belongs to uid " +
                             std::to_string(seen.st_uid) + " and gid " + std::to_string(seen.st_gid) +
                             ". Put the agent's user into that group, or give the node to it by a udev rule");
}

// `remedy` is what brings the node where it is missing.
Fd OpenNode(const char* node, int flags, const char* remedy) {
  Fd opened(open(node, flags | O_CLOEXEC));
  if (opened) return opened;
  if (errno == ENOENT) throw Refusal(ENOENT, "there is no " + std::string(node) + " (ENOENT): " + remedy);
  if (errno == EACCES) throw MayNotOpen(node);
  throw SystemError(errno, "open", node);
}

}  // namespace

bool MemoryBudget::Take(uint64_t size) {
  uint64_t left = left_;
  while (left >= size)
    if (left_.compare_exchange_weak(left, left - size)) return true;
  return false;
}

std::shared_ptr<Export> SystemMemoryExporter::Make(Request request) {
  if (!budget_.Take(request.size))
    throw Refusal(
        ENOMEM,
        "all of the memory that may be lent at once is lent: each borrower gets memory of its own, also those "
        "who share. Have some of it given back, or the agent started with a greater --system-memory");
  try {
    Fd dmabuf = Allocate(request.size, request.read_only);
    std::string name = "lendbuf:" + std::to_string(request.id);  // at most 31 characters (DMA_BUF_NAME_LEN)
    Check(ioctl(dmabuf.get(), DMA_BUF_SET_NAME_B, name.c_str()), "ioctl(DMA_BUF_SET_NAME)");
    return std::make_shared<SystemMemoryExport>(std::move(dmabuf), budget_, request.size);
  } catch (...) {
    budget_.GiveBack(request.size);
    throw;
  }
}

// The memfd is closed on return, so its pages are reached through the dma-buf alone. The driver asks for F_SEAL_SHRINK.
Fd UdmabufExporter::Allocate(uint64_t size, bool read_only) {
  if (read_only)
    throw Refusal(ENOTSUP,
                  "udmabuf makes dma-bufs that can be written, and no others: ask for the exporter dma-heap, or for "
                  "read-write access");
  Fd maker = OpenNode("/dev/udmabuf", O_RDWR, "`modprobe udmabuf`, or a kernel with CONFIG_UDMABUF, brings it");
  Fd memory(Check(memfd_create("lendbuf", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
  Check(ftruncate(memory.get(), static_cast<off_t>(size)), "ftruncate");
  Check(fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK), "fcntl(F_ADD_SEALS)");
  udmabuf_create request{
      .memfd = static_cast<uint32_t>(memory.get()), .flags = UDMABUF_FLAGS_CLOEXEC, .offset = 0, .size = size};
  int made = ioctl(maker.get(), UDMABUF_CREATE, &request);
  if (made < 0 && errno == EINVAL)
    throw Refusal(EINVAL,
                  "udmabuf makes no dma-buf of " + std::to_string(size) +
                      " bytes (EINVAL): /sys/module/udmabuf/parameters/size_limit_mb says how large one may be");
  return Fd(Check(made, "ioctl(UDMABUF_CREATE)"));
}

Fd DmaHeapExporter::Allocate(uint64_t size, bool read_only) {
  Fd heap = OpenNode("/dev/dma_heap/system", O_RDONLY,
                     "a kernel with CONFIG_DMABUF_HEAPS and CONFIG_DMABUF_HEAPS_SYSTEM brings it");
  dma_heap_allocation_data request{.len = size,
                                   .fd_flags = static_cast<uint32_t>(O_CLOEXEC | (read_only ? O_RDONLY : O_RDWR))};
  Check(ioctl(heap.get(), DMA_HEAP_IOCTL_ALLOC, &request), "ioctl(DMA_HEAP_IOCTL_ALLOC)");
  return Fd(static_cast<int>(request.fd));
}

SystemMemoryDevice::SystemMemoryDevice(uint64_t size)
    : size_(size), budget_(size), udmabuf_(budget_), dma_heap_(budget_) {
  uint64_t there = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (size == 0 || size % kPage || size > there)
    throw Refusal(EINVAL, "--system-memory is " + std::to_string(size) + ": it takes a multiple of " +
                              std::to_string(kPage) + " bytes, at most the " + std::to_string(there) +
                              " that this machine has");
}

std::vector<protocol::Region> SystemMemoryDevice::regions() const {
  return {{.index = 0, .flags = protocol::kReadable | protocol::kWritable | protocol::kMappable, .size = size_}};
}

uint64_t SystemMemoryDevice::MakeAccess(const protocol::RegisterAccess&) {
  throw Refusal(ENOTSUP,
                "system memory has no words of its own to load or store: each borrower gets fresh pages, and whoever "
                "has none of them sees nothing");
}

}  // namespace lendbuf
