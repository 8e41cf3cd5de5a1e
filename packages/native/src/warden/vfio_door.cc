#include "vfio_door.h"

#include <fcntl.h>

#include <filesystem>
#include <utility>

#include "error.h"
#include "exporter.h"
#include "uapi.h"

namespace lendbuf {

namespace {

namespace fs = std::filesystem;
using protocol::Access;

std::string Words(int error) { return SystemError::CodeOf(error) + ", " + strerror(error); }

fs::path SysfsOf(const std::string& address) { return fs::path("/sys/bus/pci/devices") / address; }

std::string LinkName(const fs::path& link) {
  std::error_code ignored;
  return fs::read_symlink(link, ignored).filename();
}

// The other members of the IOMMU group, with their drivers: "0000:00:04.0 (e1000)".
std::string Neighbours(const std::string& address) {
  std::string names;
  std::error_code ignored;
  for (const auto& member : fs::directory_iterator(SysfsOf(address) / "iommu_group/devices", ignored)) {
    std::string name = member.path().filename();
    if (name == address) continue;
    std::string driver = LinkName(member.path() / "driver");
    names += (names.empty() ? "" : ", ") + name + " (" + (driver.empty() ? "no driver" : driver) + ")";
  }
  return names.empty() ? "none" : names;
}

// "vfio0", the name of the device's cdev.
std::string CdevName(const std::string& address) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(SysfsOf(address) / "vfio-dev", ignored))
    return entry.path().filename();
  return "";
}

struct Opened {
  std::string path;
  Fd fd;
  int error = 0;
  // For the words of a refusal.
  std::string why() const { return path + " (" + Words(error) + ")"; }
};

Opened Open(std::string path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  int error = fd ? 0 : errno;
  return {std::move(path), std::move(fd), error};
}

class CdevDoor : public VfioDoor {
 public:
  CdevDoor(std::string address, std::string path, Fd iommu)
      : address_(std::move(address)), path_(std::move(path)), iommu_(std::move(iommu)) {}

  Access access() const override { return Access::kCdev; }

  // No address space is attached: exports need none, and without one the IOMMU lets no DMA of the device through.
  Fd Open() override {
    Fd device;
    if (int error = Bind(device))
      throw Refusal(error, "cannot bind " + path_ + " of " + address_ + " to an IOMMU context (" + Words(error) +
                               "): EINVAL means that somebody has it open already, another agent or a virtual "
                               "machine; else look at the other members of its IOMMU group, which must be bound to "
                               "vfio-pci or to no driver: " +
                               Neighbours(address_));
    return device;
  }

  // The kernel binds one opener at a time (vfio_df_open, EINVAL for a second), so a bind that succeeds is the proof.
  int ConfirmClosed() override {
    Fd device;
    return Bind(device);
  }

 private:
  int Bind(Fd& device) {
    Opened opened = lendbuf::Open(path_);
    if (opened.error) return opened.error;
    uapi::VfioDeviceBindIommufd bind{.argsz = sizeof bind, .iommufd = iommu_.get()};
    if (ioctl(opened.fd.get(), uapi::kVfioDeviceBindIommufd, &bind)) return errno;
    device = std::move(opened.fd);
    return 0;
  }

  std::string address_;
  std::string path_;
  Fd iommu_;
};

class GroupDoor : public VfioDoor {
 public:
  GroupDoor(std::string address, Fd container, Fd group)
      : address_(std::move(address)), container_(std::move(container)), group_(std::move(group)) {}

  Access access() const override { return Access::kGroup; }

  Fd Open() override {
    vfio_group_status status{.argsz = sizeof status};
    Check(ioctl(group_.get(), VFIO_GROUP_GET_STATUS, &status), "ioctl(VFIO_GROUP_GET_STATUS)");
    if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
      throw Refusal(EPERM, "the IOMMU group of " + address_ +
                               " has members that other drivers use. Bind each to vfio-pci or to no driver: " +
                               Neighbours(address_));
    int container = container_.get();
    if (ioctl(group_.get(), VFIO_GROUP_SET_CONTAINER, &container))
      throw SystemError(errno, "ioctl(VFIO_GROUP_SET_CONTAINER)", address_);
    if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
      throw Refusal(errno, "the IOMMU cannot be set up for " + address_ + " (" + Words(errno) +
                               "): EPERM means that it does not remap interrupts, without which a device is not safe "
                               "in user space; ENODEV that vfio_iommu_type1 is not loaded");
    Fd device(ioctl(group_.get(), VFIO_GROUP_GET_DEVICE_FD, address_.c_str()));
    if (!device) throw SystemError(errno, "ioctl(VFIO_GROUP_GET_DEVICE_FD)", address_);
    return device;
  }

  // EBUSY while any device of the group is open; nobody else can open one, the group is ours.
  int ConfirmClosed() override { return ioctl(group_.get(), VFIO_GROUP_UNSET_CONTAINER) ? errno : 0; }

 private:
  std::string address_;
  Fd container_;
  Fd group_;  // closed before its container
};

[[noreturn]] void RefuseUnbound(const std::string& address) {
  if (!fs::exists(SysfsOf(address)))
    throw Refusal(ENODEV, "there is no PCI device " + address + ": `lspci -D` lists those that there are");
  std::string driver = LinkName(SysfsOf(address) / "driver");
  if (driver.empty() || driver.find("vfio") == std::string::npos)
    throw Refusal(ENODEV, address + " is bound to " + (driver.empty() ? "no driver" : "the driver " + driver) +
                              ", not to vfio-pci: run `lendbuf device bind " + address + "` as root");
  throw Refusal(ENODEV, address +
                            " has no IOMMU group: switch the IOMMU on in the firmware's setup and on the kernel's "
                            "command line (intel_iommu=on for Intel's)");
}

[[noreturn]] void RefuseGroup(const std::string& address, const Opened& group, const Opened& container,
                              const std::string& cdev_trouble) {
  const Opened& closed = group.fd ? container : group;
  std::string what_to_do =
      closed.error == EBUSY    ? "another process has the group open: two agents cannot have devices of one group"
      : closed.error == EACCES ? "let this user open it (udev rule: docs/hardware.md)"
                               : "load the kernel's vfio and vfio-pci, and bind the device to vfio-pci";
  throw Refusal(closed.error, "cannot open " + closed.why() + " for " + address + ": " + what_to_do + cdev_trouble);
}

}  // namespace

std::unique_ptr<VfioDoor> FindVfioDoor(const std::string& address) {
  std::string cdev_name = CdevName(address);
  std::string group_name = LinkName(SysfsOf(address) / "iommu_group");
  if (cdev_name.empty() || group_name.empty()) RefuseUnbound(address);

  Opened cdev = Open("/dev/vfio/devices/" + cdev_name);
  Opened iommu = Open("/dev/iommu");
  if (cdev.fd && iommu.fd) return std::make_unique<CdevDoor>(address, cdev.path, std::move(iommu.fd));

  Opened group = Open("/dev/vfio/" + group_name);
  Opened container = Open("/dev/vfio/vfio");
  if (!group.fd || !container.fd)
    RefuseGroup(address, group, container, "; nor can " + (cdev.fd ? iommu : cdev).why() + " be opened");
  return std::make_unique<GroupDoor>(address, std::move(container.fd), std::move(group.fd));
}

}  // namespace lendbuf
