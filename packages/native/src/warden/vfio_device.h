// A real PCI function, bound to vfio-pci: its BARs are lent as dma-bufs.
#pragma once
#include <string>

#include "device.h"
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
      : handle_(options.address, options.bus_master), exporter_(handle_, options.exporter) {}

  std::vector<protocol::Region> regions() const override {
    return DescribeBars(handle_.ReadConfig(), handle_.ReadBars());
  }
  Exporter& exporter() override { return exporter_; }
  protocol::Access access() const override { return handle_.access(); }
  int loss() const override { return handle_.loss(); }
  std::string WhyLost() override { return handle_.WhyLost(); }
  uint64_t MakeAccess(const protocol::RegisterAccess& access) override { return handle_.MakeAccess(access); }
  bool Close() override { return handle_.Close() == 0; }
  int tick_period_ms() override { return 0; }
  void Tick() override {}

 private:
  VfioHandle handle_;
  VfioExporter exporter_;
};

}  // namespace lendbuf
