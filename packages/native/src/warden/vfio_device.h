// A real PCI function, bound to vfio-pci: its BARs are lent as dma-bufs.
#pragma once
#include <string>

#include "device.h"
#include "staged.h"
#include "vfio_exporter.h"
#include "vfio_handle.h"

namespace lendbuf {

class VfioDevice : public Device {
 public:
  struct Options {
    std::string address;
    bool bus_master = false;
    VfioExporter::Options exporter;
  };
  explicit VfioDevice(const Options& options)
      : handle_(options.address, options.bus_master), exporter_(handle_, options.exporter), staged_(*this) {}

  std::vector<protocol::Region> regions() const override {
    return DescribeBars(handle_.ReadConfig(), handle_.ReadBars());
  }
  std::vector<Exporter*> exporters() override { return {&exporter_, &staged_}; }
  protocol::Access access() const override { return handle_.access(); }
  int loss() const override { return handle_.loss(); }
  std::string WhyLost() override { return handle_.WhyLost(); }
  uint64_t MakeAccess(const protocol::RegisterAccess& access) override { return handle_.MakeAccess(access); }
  void Copy(protocol::RegisterAccess first, char* bytes, uint64_t length) override {
    handle_.Copy(first, bytes, length);
  }
  bool MayLoad(uint32_t region) const override { return handle_.ReadConfig().IsPrefetchable(region); }
  void Suspend(bool suspend) override { handle_.SwitchMemory(!suspend); }
  void Reset() override { handle_.Reset(); }
  bool Close() override { return handle_.Close() == 0; }
  int tick_period_ms() override { return 0; }
  void Tick() override {}

 private:
  VfioHandle handle_;
  VfioExporter exporter_;
  StagedExporter staged_;
};

}  // namespace lendbuf
