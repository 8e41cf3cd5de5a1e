// An open VFIO device: its configuration space, its BARs, its events, and its end.
#pragma once
#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "exporter.h"
#include "fd.h"
#include "pci.h"
#include "vfio_door.h"

namespace lendbuf {

class VfioHandle {
 public:
  // Opens it. Throws Refusal or SystemError.
  VfioHandle(const std::string& address, bool bus_master);

  int fd() const { return device_.get(); }
  protocol::Access access() const { return door_->access(); }
  PciConfig ReadConfig() const;
  std::array<BarInfo, kBars> ReadBars() const;
  // One load or store of a BAR, which was checked. Any thread; may block, and holds up Close meanwhile.
  uint64_t MakeAccess(const protocol::RegisterAccess& access);
  // The same for as many words as `length` bytes have, one after the other, `first` being the first one.
  void Copy(protocol::RegisterAccess first, char* bytes, uint64_t length);
  // Off: the device answers no access to its BARs, and the kernel takes them from whoever has them mapped or imported,
  // until they are on again. Any thread.
  void SwitchMemory(bool on);
  // Stops its DMA, resets it (VFIO_DEVICE_RESET) and gives it back the switches that it had. Where the kernel knows no
  // reset for it, Refusal, and its DMA stays off. Any thread; may block.
  void Reset();
  // Readable once the kernel wants the device back or it reported an error.
  int loss() const { return events_.get(); }
  std::string WhyLost();

  // Closes our fd, while nobody uses it. 0: proven closed; else the errno that says that somebody still has it open,
  // and then it may be asked again. Any thread; may block.
  int Close();
  // Opens it again after a Close that answered 0.
  void Open();

 private:
  uint64_t ConfigOffset() const;
  uint16_t Command() const;
  void SetCommand(uint16_t clear, uint16_t set);
  void WatchIrq(uint32_t index, int event);

  std::unique_ptr<VfioDoor> door_;  // outlives the device's fd
  bool bus_master_;
  Fd wanted_;
  Fd failed_;
  Fd events_;
  std::mutex closing_;
  Fd device_;
  bool is_closed_ = true;
};

// That it was closed meanwhile.
Refusal GivenUp();

}  // namespace lendbuf
