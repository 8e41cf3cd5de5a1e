// What the warden's parts make of a real kernel's answers, where the warden itself cannot be brought to ask so.
// vfio-parts CASE DEVICE OTHER_DEVICE [NUMBER]: DEVICE's BAR 2 is memory, NUMBER is the kernel's revoke feature.
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "error.h"
#include "guard.h"
#include "vfio_exporter.h"
#include "view.h"

using namespace lendbuf;

namespace {

constexpr uint64_t kOffset = 0x300000;

void Expect(bool held, const std::string& what) {
  if (held) return;
  printf("not so: %s\n", what.c_str());
  exit(3);
}

void Answers(int got, int wanted, const std::string& what) {
  auto name = [](int error) { return error ? SystemError::CodeOf(error) : "0"; };
  Expect(got == wanted, what + " answers " + name(got) + ", not " + name(wanted));
}

Fd ExportOf(VfioHandle& device, uint64_t offset) {
  return ExportDmaBuf(device.fd(), {.region = 2, .ranges = {{offset, View::kSize}}, .size = View::kSize}, O_RDWR);
}

struct Arguments {
  std::string device;
  std::string other;
  uint32_t feature;
};

void WrongDevice(const Arguments& arguments) {
  VfioHandle device(arguments.device, false), other(arguments.other, false);
  FeatureRevoke right(device, arguments.feature), wrong(other, arguments.feature);
  Fd lent = ExportOf(device, kOffset);
  View view(lent.get(), PROT_READ | PROT_WRITE);

  int answer = wrong.Ask(lent.get());

  Answers(answer, ENODEV, "a revoke through another device");
  Expect(!wrong.IsSafe(answer) && view.Store<uint32_t>(1), "ENODEV is not safe: the mapping lives on");
  Answers(right.Ask(lent.get()), 0, "a revoke through its own device");
  Expect(!view.Store<uint32_t>(2), "then the mapping is gone");
  Answers(right.Ask(lent.get()), EBADFD, "a second revoke");
  DmaBufRevoke ioctl_form;
  Answers(ioctl_form.Ask(lent.get()), EBADFD, "the other form of it");
}

void NotADmaBuf(const Arguments& arguments) {
  VfioHandle device(arguments.device, false);
  FeatureRevoke feature(device, arguments.feature);
  DmaBufRevoke ioctl_form;
  Fd memfd(memfd_create("not a dma-buf", MFD_CLOEXEC));

  int by_ioctl = ioctl_form.Ask(memfd.get()), by_feature = feature.Ask(memfd.get());

  Answers(by_ioctl, ENOTTY, "the ioctl on a memfd");
  Answers(by_feature, EINVAL, "the feature on a memfd");
  Answers(ioctl_form.Ask(-1), EBADF, "the ioctl on no fd");
  Answers(feature.Ask(-1), EBADF, "the feature on no fd");
  for (int answer : {ENOTTY, EINVAL, EBADF})
    Expect(!ioctl_form.IsSafe(answer) && !feature.IsSafe(answer), "none of these is safe");
}

void Copy(const Arguments& arguments) {
  VfioHandle device(arguments.device, false);
  Fd lent = ExportOf(device, kOffset), same = Fd(fcntl(lent.get(), F_DUPFD_CLOEXEC, 0)),
     alias = ExportOf(device, kOffset);
  View one(lent.get(), PROT_READ | PROT_WRITE), two(same.get(), PROT_READ), other(alias.get(), PROT_READ | PROT_WRITE);
  DmaBufRevoke revoke;
  uint32_t seen = 0;
  Expect(one.Store<uint32_t>(7) && two.Load(&seen) && seen == 7 && other.Load(&seen) && seen == 7,
         "all see one memory");

  Answers(revoke.Ask(same.get()), 0, "a revoke through a copy of the fd");

  Expect(!one.Load(&seen) && !two.Load(&seen), "both mappings are gone");
  Answers(View(lent.get(), PROT_READ).error(), ENODEV, "a new mapping");
  Expect(other.Store<uint32_t>(8), "another export of the same range lives on");
}

void DeviceClosed(const Arguments& arguments) {
  VfioHandle device(arguments.device, false);
  Fd lent = ExportOf(device, kOffset);
  View view(lent.get(), PROT_READ | PROT_WRITE);
  Expect(view.Store<uint32_t>(1), "a live mapping");

  Answers(device.Close(), 0, "closing the device");

  Expect(!view.Store<uint32_t>(2), "the mapping is gone");
  DmaBufRevoke revoke;
  int answer = revoke.Ask(lent.get());
  Answers(answer, ENODEV, "a revoke afterwards");
  Expect(revoke.IsSafe(answer), "which is safe here");
  Answers(View(lent.get(), PROT_READ).error(), ENODEV, "a new mapping");
  device.Open();
  Answers(View(lent.get(), PROT_READ).error(), ENODEV, "a new mapping once the device is open again");
}

void LeakedDevice(const Arguments& arguments) {
  VfioHandle device(arguments.device, false);
  int still_open = device.access() == protocol::Access::kCdev ? EINVAL : EBUSY;
  Fd lent = ExportOf(device, kOffset);
  View view(lent.get(), PROT_READ | PROT_WRITE);
  DeviceClose close(device);
  Fd leaked(fcntl(device.fd(), F_DUPFD_CLOEXEC, 0));

  for (int i = 0; i < 2; i++) {
    int answer = close.Ask(lent.get());
    Answers(answer, still_open, "closing a device of which a copy is open");
    Expect(!close.IsSafe(answer), "which is not safe");
  }
  if (view) Expect(view.Store<uint32_t>(3), "the mapping lives on, indeed");
  leaked.Reset();
  Answers(close.Ask(lent.get()), 0, "closing it once the copy is gone");
  if (view) Expect(!view.Store<uint32_t>(4), "the mapping is gone");
}

uint16_t CommandOf(const std::string& address) {
  Fd config(open(("/sys/bus/pci/devices/" + address + "/config").c_str(), O_RDONLY | O_CLOEXEC));
  uint16_t command = 0;
  Expect(pread(config.get(), &command, sizeof command, PCI_COMMAND) == sizeof command, "sysfs shows PCI_COMMAND");
  return command;
}

void BusMaster(const Arguments& arguments) {
  for (bool wanted : {false, true, false}) {
    VfioHandle device(arguments.device, wanted);
    uint16_t command = CommandOf(arguments.device);
    Expect(bool(command & PCI_COMMAND_MASTER) == wanted, "the device may do DMA only where that was configured");
    Expect(command & PCI_COMMAND_MEMORY, "its memory is on");
  }
}

}  // namespace

int main(int count, char** arguments) {
  std::map<std::string, std::function<void(const Arguments&)>> cases{
      {"wrong-device", WrongDevice},   {"not-a-dma-buf", NotADmaBuf},   {"copy", Copy},
      {"device-closed", DeviceClosed}, {"leaked-device", LeakedDevice}, {"bus-master", BusMaster},
  };
  Expect(count >= 4 && cases.contains(arguments[1]), "vfio-parts CASE DEVICE OTHER_DEVICE [NUMBER]");
  InstallGuard();
  try {
    uint32_t feature = count > 4 ? static_cast<uint32_t>(atoi(arguments[4])) : 0;
    cases[arguments[1]]({arguments[2], arguments[3], feature});
  } catch (const std::exception& failure) {
    Expect(false, failure.what());
  }
  puts("ok");
}
