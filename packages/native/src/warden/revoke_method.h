// One way to revoke an export of a VFIO device: a rung of the ladder.
#pragma once
#include <algorithm>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>

#include "exporter.h"
#include "uapi.h"
#include "vfio_handle.h"

namespace lendbuf {

class RevokeMethod {
 public:
  virtual ~RevokeMethod() = default;
  virtual protocol::Method method() const = 0;
  virtual protocol::Scope scope() const { return protocol::Scope::kBuffer; }
  // As configuration and protocol.ts name it.
  virtual std::string_view key() const = 0;
  // The call, in words for people.
  virtual std::string name() const = 0;
  // Whether trying makes sense at all; throws Refusal where it does not.
  virtual void Probe() {}
  // Asks the kernel. Answers errno, 0 where it said yes. Any thread; may block.
  virtual int Ask(int dmabuf) = 0;
  // The answers that say that the export is gone for good.
  virtual std::span<const int> safe() const = 0;
  bool IsSafe(int error) const { return std::find(safe().begin(), safe().end(), error) != safe().end(); }
  // What a second Ask of the same export must be answered.
  virtual int again() const = 0;
};

// DMA_BUF_IOCTL_REVOKE on the dma-buf itself.
class DmaBufRevoke : public RevokeMethod {
 public:
  protocol::Method method() const override { return protocol::Method::kDmaBufRevoke; }
  std::string_view key() const override { return "dma-buf-revoke"; }
  std::string name() const override { return "DMA_BUF_IOCTL_REVOKE"; }
  int Ask(int dmabuf) override;
  // EBADFD: revoked before. ENODEV: the device behind it is gone.
  static constexpr int kSafe[] = {0, EBADFD, ENODEV};
  std::span<const int> safe() const override { return kSafe; }
  int again() const override { return EBADFD; }
};

// VFIO_DEVICE_FEATURE of the device, whose number is not settled.
class FeatureRevoke : public RevokeMethod {
 public:
  // Number 0: switched off.
  FeatureRevoke(VfioHandle& device, uint32_t number) : device_(device), number_(number) {}
  protocol::Method method() const override { return protocol::Method::kVfioFeatureRevoke; }
  std::string_view key() const override { return "vfio-feature-revoke"; }
  std::string name() const override { return "VFIO_DEVICE_FEATURE " + std::to_string(number_); }
  void Probe() override;
  int Ask(int dmabuf) override;
  // ENODEV is what another device's export answers too, and then it lives on.
  static constexpr int kSafe[] = {0, EBADFD};
  std::span<const int> safe() const override { return kSafe; }
  int again() const override { return EBADFD; }

 private:
  VfioHandle& device_;
  uint32_t number_;
};

// Closing the device, which ends all of its exports.
class DeviceClose : public RevokeMethod {
 public:
  explicit DeviceClose(VfioHandle& device) : device_(device) {}
  protocol::Method method() const override { return protocol::Method::kDeviceClose; }
  protocol::Scope scope() const override { return protocol::Scope::kDevice; }
  std::string_view key() const override { return "device-close"; }
  std::string name() const override { return "closing the device"; }
  int Ask(int) override { return device_.Close(); }
  static constexpr int kSafe[] = {0};
  std::span<const int> safe() const override { return kSafe; }
  int again() const override { return 0; }

 private:
  VfioHandle& device_;
};

}  // namespace lendbuf
