// Loads and stores of a VFIO device's BARs.
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "exporter.h"
#include "guard.h"
#include "vfio_handle.h"

namespace lendbuf {

namespace {

constexpr uint64_t kPage = 4096;

// The pages of a BAR that hold some bytes of it, mapped for one use.
class Pages {
 public:
  Pages(int device, const vfio_region_info& info, const protocol::RegisterAccess& first, uint64_t length) {
    uint64_t start = first.offset / kPage * kPage;
    size_ = (first.offset + length - start + kPage - 1) / kPage * kPage;
    int protection = first.is_store ? PROT_READ | PROT_WRITE : PROT_READ;
    off_t at = static_cast<off_t>(info.offset + start);
    pages_ = static_cast<char*>(Check(mmap(nullptr, size_, protection, MAP_SHARED, device, at), "mmap(BAR)"));
    first_ = pages_ + (first.offset - start);
  }
  ~Pages() { munmap(pages_, size_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  char* first() const { return first_; }

 private:
  char* pages_;
  char* first_;
  uint64_t size_;
};

// False where the memory was gone.
template <class Word>
[[nodiscard]] bool CopyWords(char* memory, char* bytes, uint64_t length, bool is_store) {
  auto* device = reinterpret_cast<volatile Word*>(memory);
  auto* words = reinterpret_cast<Word*>(bytes);
  return Guarded(memory, memory + length, [=] {
    for (uint64_t i = 0; i < length / sizeof(Word); i++) {
      if (is_store)
        device[i] = words[i];
      else
        words[i] = device[i];
    }
  });
}

// The processor's own loads or stores, so of any width. A BAR whose device sleeps or has its memory switched off has no
// pages (vfio_pci_core_do_fault: SIGBUS).
void CopyMapped(int device, const vfio_region_info& info, const protocol::RegisterAccess& first, char* bytes,
                uint64_t length) {
  Pages pages(device, info, first, length);
  bool reached = first.width == 8    ? CopyWords<uint8_t>(pages.first(), bytes, length, first.is_store)
                 : first.width == 16 ? CopyWords<uint16_t>(pages.first(), bytes, length, first.is_store)
                 : first.width == 32 ? CopyWords<uint32_t>(pages.first(), bytes, length, first.is_store)
                                     : CopyWords<uint64_t>(pages.first(), bytes, length, first.is_store);
  if (!reached)
    throw Refusal(EIO, "the device's memory cannot be reached: it is suspended, sleeps, is being reset or is gone");
}

// The kernel's loads or stores: for an aligned 1, 2 or 4 bytes a single one of that width (vfio_pci_core_do_io_rw). It
// makes two of 8 bytes before Linux 6.11, and does not say so.
void CopyThroughKernel(int device, const vfio_region_info& info, const protocol::RegisterAccess& first, char* bytes,
                       uint64_t length) {
  if (first.width == 64)
    throw Refusal(ENOTSUP,
                  "this region cannot be mapped, so the kernel would make two accesses of 32 bits: ask for "
                  "those");
  size_t word = first.width / 8;
  for (uint64_t done = 0; done < length; done += word) {
    off_t at = static_cast<off_t>(info.offset + first.offset + done);
    ssize_t count = first.is_store ? pwrite(device, bytes + done, word, at) : pread(device, bytes + done, word, at);
    if (Check(count, first.is_store ? "pwrite(BAR)" : "pread(BAR)") != static_cast<ssize_t>(word))
      throw Refusal(EIO, "the kernel made " + std::to_string(count) + " of " + std::to_string(word) + " bytes");
  }
}

}  // namespace

uint64_t VfioHandle::MakeAccess(const protocol::RegisterAccess& access) {
  uint64_t value = access.is_store ? access.value : 0;  // little-endian, as PCI is
  Copy(access, reinterpret_cast<char*>(&value), access.width / 8);
  return access.is_store ? 0 : value;
}

void VfioHandle::Copy(protocol::RegisterAccess first, char* bytes, uint64_t length) {
  std::lock_guard lock(closing_);  // a mapping would keep the device open
  if (!device_) throw GivenUp();
  vfio_region_info info{.argsz = sizeof info, .index = VFIO_PCI_BAR0_REGION_INDEX + first.region};
  Check(ioctl(fd(), VFIO_DEVICE_GET_REGION_INFO, &info), "ioctl(VFIO_DEVICE_GET_REGION_INFO)");
  if (info.flags & VFIO_REGION_INFO_FLAG_MMAP) return CopyMapped(fd(), info, first, bytes, length);
  CopyThroughKernel(fd(), info, first, bytes, length);
}

}  // namespace lendbuf
