#include "digitizer.h"

#include <time.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "signals.h"

namespace lendbuf {

static_assert(std::endian::native == std::endian::little, "registers and samples are little-endian");

namespace {

constexpr uint32_t kId = 0x444E454C;
constexpr uint32_t kVersion = 0x00010000;
constexpr uint32_t kSlowest = 1'000;
constexpr uint32_t kFastest = 1'000'000;
constexpr uint64_t kRingSamples = Digitizer::kRingSize / sizeof(int16_t);

constexpr uint32_t kIdRegister = 0x000;
constexpr uint32_t kVersionRegister = 0x004;
constexpr uint32_t kSampleRateRegister = 0x008;
constexpr uint32_t kChannelsRegister = 0x00C;
constexpr uint32_t kSamplesRegister = 0x010;
constexpr uint32_t kEnable = 0x0;
constexpr uint32_t kGain = 0x4;
constexpr uint32_t kPosition = 0x8;

constexpr uint32_t ChannelRegister(uint32_t channel, uint32_t which) { return 0x100 + 0x20 * channel + which; }

uint32_t Load(const char* page, uint32_t offset) {
  uint32_t value;
  memcpy(&value, page + offset, sizeof value);
  return value;
}

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

uint32_t PhaseStep(const Signal& signal, uint32_t sample_rate) {
  return static_cast<uint32_t>((uint64_t{signal.frequency} << 32) / sample_rate);
}

uint32_t RateIn(const char* page) { return std::clamp(Load(page, kSampleRateRegister), kSlowest, kFastest); }

uint32_t EnableIn(const char* page, uint32_t channel) { return Load(page, ChannelRegister(channel, kEnable)) & 1; }

uint32_t GainIn(const char* page, uint32_t channel) { return Load(page, ChannelRegister(channel, kGain)); }

}  // namespace

Digitizer::Digitizer(Backing& registers, Backing& rings, OnWritten on_written)
    : registers_(registers),
      rings_(rings),
      on_written_(std::move(on_written)),
      rate_since_ns_(Now()),
      now_ns_(rate_since_ns_) {
  Publish();
}

void Digitizer::Advance() {
  now_ns_ = Now();
  auto elapsed = static_cast<unsigned __int128>(now_ns_ - rate_since_ns_);
  samples_ = samples_before_ + static_cast<uint64_t>(elapsed * sample_rate_ / 1'000'000'000);
}

void Digitizer::Capture(uint32_t index) {
  Channel& channel = channels_[index];
  uint64_t missing = samples_ - channel.captured;
  if (missing > kRingSamples) Skip(index, missing - kRingSamples);
  missing = std::min(missing, kRingSamples);
  while (missing > 0) {
    uint64_t position = channel.captured % kRingSamples;
    uint64_t count = std::min(missing, kRingSamples - position);
    uint64_t offset = index * kRingSize + position * sizeof(int16_t);
    uint64_t length = count * sizeof(int16_t);
    Make(index, reinterpret_cast<int16_t*>(rings_.Writable(offset, length)), count);
    on_written_(offset, length);
    missing -= count;
  }
}

void Digitizer::Skip(uint32_t index, uint64_t count) {
  Channel& channel = channels_[index];
  channel.phase += PhaseStep(kSignals[index], sample_rate_) * static_cast<uint32_t>(count);
  channel.captured += count;
}

void Digitizer::Make(uint32_t index, int16_t* into, uint64_t count) {
  Channel& channel = channels_[index];
  const Signal& signal = kSignals[index];
  uint32_t step = PhaseStep(signal, sample_rate_);
  for (uint64_t i = 0; i < count; i++) {
    int64_t sample = channel.enable ? int64_t{signal.amplitude(channel.phase)} * channel.gain / 256 : 0;
    into[i] = static_cast<int16_t>(std::clamp<int64_t>(sample, INT16_MIN, INT16_MAX));
    channel.phase += step;
  }
  channel.captured += count;
}

void Digitizer::WriteRegister(uint32_t offset, uint32_t value) {
  memcpy(registers_.Writable(offset, sizeof value), &value, sizeof value);
}

void Digitizer::Publish() {
  WriteRegister(kIdRegister, kId);
  WriteRegister(kVersionRegister, kVersion);
  WriteRegister(kSampleRateRegister, sample_rate_);
  WriteRegister(kChannelsRegister, kChannels);
  WriteRegister(kSamplesRegister, static_cast<uint32_t>(samples_));
  WriteRegister(kSamplesRegister + 4, static_cast<uint32_t>(samples_ >> 32));
  for (uint32_t i = 0; i < kChannels; i++) {
    WriteRegister(ChannelRegister(i, kEnable), channels_[i].enable);
    WriteRegister(ChannelRegister(i, kGain), channels_[i].gain);
    WriteRegister(ChannelRegister(i, kPosition), static_cast<uint32_t>(samples_ % kRingSamples));
  }
}

void Digitizer::Accept(const char* page) {
  memcpy(registers_.Writable(0, kRegistersSize), page, kRegistersSize);
  if (Differs(page)) Apply(page);
  Publish();
}

void Digitizer::Reset() {
  const Channel usual;
  char page[kRegistersSize] = {};
  memcpy(page + kSampleRateRegister, &kUsualSampleRate, sizeof kUsualSampleRate);
  for (uint32_t i = 0; i < kChannels; i++) {
    memcpy(page + ChannelRegister(i, kEnable), &usual.enable, sizeof(uint32_t));
    memcpy(page + ChannelRegister(i, kGain), &usual.gain, sizeof(uint32_t));
  }
  Accept(page);
}

bool Digitizer::Differs(const char* page) const {
  bool differs = RateIn(page) != sample_rate_;
  for (uint32_t i = 0; i < kChannels; i++)
    differs |= EnableIn(page, i) != channels_[i].enable || GainIn(page, i) != channels_[i].gain;
  return differs;
}

void Digitizer::Apply(const char* page) {
  for (uint32_t i = 0; i < kChannels; i++) {
    Capture(i);  // what was measured until now was measured with the old settings
    channels_[i].enable = EnableIn(page, i);
    channels_[i].gain = GainIn(page, i);
  }
  samples_before_ = samples_;
  rate_since_ns_ = now_ns_;
  sample_rate_ = RateIn(page);
}

}  // namespace lendbuf
