// The simulated digitizer: its registers, its clock and its four capture rings. docs/simulated-device.md is its data
// sheet. Not thread-safe.
#pragma once
#include <array>
#include <cstdint>
#include <functional>

#include "backing.h"

namespace lendbuf {

class Digitizer {
 public:
  static constexpr uint32_t kChannels = 4;
  static constexpr uint32_t kUsualSampleRate = 250'000;
  static constexpr uint64_t kRegistersSize = 4096;
  static constexpr uint64_t kRingSize = 1 << 20;
  static constexpr uint64_t kRingsSize = kChannels * kRingSize;

  // Ring samples that were just written, as offset and length in the rings.
  using OnWritten = std::function<void(uint64_t offset, uint64_t length)>;

  // `registers` is the page of BAR0, `rings` begins with the rings.
  Digitizer(Backing& registers, Backing& rings, OnWritten on_written);
  // Moves the device's clock to now: up to there reaches what is captured and published next.
  void Advance();
  // Brings one channel's ring up to the clock; at most one ring is made, however long ago the last time was.
  void Capture(uint32_t channel);
  // Brings SAMPLES and POSITION up to the clock. Capture first: who reads a position may trust the samples before it.
  void Publish();
  // Takes over a page of registers as a holder left it: settings with their limits, plain bytes as they are, and what
  // is read-only stays what it was.
  void Accept(const char* page);
  // Settings as at the start, plain bytes zero.
  void Reset();

 private:
  struct Channel {
    uint32_t enable = 1;
    uint32_t gain = 256;
    uint32_t phase = 0;     // of the next sample to make, in 2^-32 of the signal's period
    uint64_t captured = 0;  // samples in the ring, counted since the start
  };

  bool Differs(const char* page) const;
  void Apply(const char* page);
  void Skip(uint32_t channel, uint64_t count);
  void Make(uint32_t channel, int16_t* into, uint64_t count);
  void WriteRegister(uint32_t offset, uint32_t value);

  Backing& registers_;
  Backing& rings_;
  OnWritten on_written_;
  uint32_t sample_rate_ = kUsualSampleRate;
  int64_t rate_since_ns_;
  uint64_t samples_before_ = 0;  // those of former rates
  int64_t now_ns_;
  uint64_t samples_ = 0;
  std::array<Channel, kChannels> channels_;
};

}  // namespace lendbuf
