#include "vfio_handle.h"

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "error.h"

namespace lendbuf {

namespace {

Fd MakeEvent(int epoll) {
  Fd event(Check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"));
  epoll_event wanted{.events = EPOLLIN};
  Check(epoll_ctl(epoll, EPOLL_CTL_ADD, event.get(), &wanted), "epoll_ctl");
  return event;
}

vfio_region_info RegionInfo(int device, uint32_t index) {
  vfio_region_info info{.argsz = sizeof info, .index = index};
  Check(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info), "ioctl(VFIO_DEVICE_GET_REGION_INFO)");
  return info;
}

uint32_t FlagsOf(const vfio_region_info& info) {
  return (info.flags & VFIO_REGION_INFO_FLAG_READ ? protocol::kReadable : 0) |
         (info.flags & VFIO_REGION_INFO_FLAG_WRITE ? protocol::kWritable : 0) |
         (info.flags & VFIO_REGION_INFO_FLAG_MMAP ? protocol::kMappable : 0);
}

}  // namespace

Refusal GivenUp() {
  return Refusal(ENODEV, "the device was given up to revoke every export of it: wait for the next warden");
}

VfioHandle::VfioHandle(const std::string& address, bool bus_master)
    : door_(FindVfioDoor(address)), bus_master_(bus_master), events_(Check(epoll_create1(EPOLL_CLOEXEC), "epoll")) {
  wanted_ = MakeEvent(events_.get());
  failed_ = MakeEvent(events_.get());
  Open();
}

void VfioHandle::Open() {
  std::lock_guard lock(closing_);
  device_ = door_->Open();
  is_closed_ = false;
  // An export of a device whose memory is off is born suspended. DMA is nobody's business unless it was configured.
  SetCommand(PCI_COMMAND_MASTER, bus_master_ ? PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER : PCI_COMMAND_MEMORY);
  WatchIrq(VFIO_PCI_REQ_IRQ_INDEX, wanted_.get());
  WatchIrq(VFIO_PCI_ERR_IRQ_INDEX, failed_.get());
}

int VfioHandle::Close() {
  std::lock_guard lock(closing_);
  device_.Reset();
  if (is_closed_) return 0;
  int error = door_->ConfirmClosed();
  is_closed_ = error == 0;
  return error;
}

uint64_t VfioHandle::ConfigOffset() const { return RegionInfo(fd(), VFIO_PCI_CONFIG_REGION_INDEX).offset; }

PciConfig VfioHandle::ReadConfig() const {
  std::vector<uint8_t> bytes(PciConfig::kSize);
  Check(pread(fd(), bytes.data(), bytes.size(), static_cast<off_t>(ConfigOffset())), "pread(PCI configuration)");
  return PciConfig(std::move(bytes));
}

std::array<BarInfo, kBars> VfioHandle::ReadBars() const {
  std::array<BarInfo, kBars> bars;
  for (uint32_t bar = 0; bar < kBars; bar++) {
    vfio_region_info info = RegionInfo(fd(), VFIO_PCI_BAR0_REGION_INDEX + bar);
    bars[bar] = {info.size, FlagsOf(info)};
  }
  return bars;
}

void VfioHandle::SetCommand(uint16_t clear, uint16_t set) {
  off_t at = static_cast<off_t>(ConfigOffset() + PCI_COMMAND);
  uint16_t command = static_cast<uint16_t>((Command() & ~clear) | set);
  Check(pwrite(fd(), &command, sizeof command, at), "pwrite(PCI_COMMAND)");
}

uint16_t VfioHandle::Command() const {
  uint16_t command = 0;
  Check(pread(fd(), &command, sizeof command, static_cast<off_t>(ConfigOffset() + PCI_COMMAND)), "pread(PCI_COMMAND)");
  return command;
}

void VfioHandle::Reset() {
  std::lock_guard lock(closing_);
  if (!device_) throw GivenUp();
  vfio_device_info info{.argsz = sizeof info};
  Check(ioctl(fd(), VFIO_DEVICE_GET_INFO, &info), "ioctl(VFIO_DEVICE_GET_INFO)");
  uint16_t before = Command() & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
  SetCommand(PCI_COMMAND_MASTER, 0);
  if (!(info.flags & VFIO_DEVICE_FLAGS_RESET))
    throw Refusal(ENOTSUP,
                  "the kernel knows no way to reset this device alone; it can do no DMA until the agent restarts");
  Check(ioctl(fd(), VFIO_DEVICE_RESET), "ioctl(VFIO_DEVICE_RESET)");
  SetCommand(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, before);
}

void VfioHandle::SwitchMemory(bool on) {
  std::lock_guard lock(closing_);
  if (!device_) throw GivenUp();
  SetCommand(PCI_COMMAND_MEMORY, on ? PCI_COMMAND_MEMORY : 0);
}

void VfioHandle::WatchIrq(uint32_t index, int event) {
  vfio_irq_info info{.argsz = sizeof info, .index = index};
  if (ioctl(fd(), VFIO_DEVICE_GET_IRQ_INFO, &info) || info.count == 0) return;  // errors: PCI Express only
  alignas(vfio_irq_set) char space[sizeof(vfio_irq_set) + sizeof event];
  auto* set = new (space) vfio_irq_set{.argsz = sizeof space,
                                       .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                                       .index = index,
                                       .count = 1};
  memcpy(space + offsetof(vfio_irq_set, data), &event, sizeof event);
  Check(ioctl(fd(), VFIO_DEVICE_SET_IRQS, set), "ioctl(VFIO_DEVICE_SET_IRQS)");
}

std::string VfioHandle::WhyLost() {
  eventfd_t count;
  if (eventfd_read(failed_.get(), &count) == 0)
    return "the device reported an error that cannot be corrected (AER): reset it, or switch the machine off and on";
  return "the kernel wants the device back: it is being unplugged, removed or bound to another driver";
}

}  // namespace lendbuf
