#include "signals.h"

#include <array>
#include <cmath>
#include <numbers>

namespace lendbuf {

namespace {

constexpr double kAmplitude = 8000;
constexpr int kTableBits = 12;

const std::array<int16_t, 1 << kTableBits> kSineTable = [] {
  std::array<int16_t, 1 << kTableBits> table{};
  for (size_t i = 0; i < table.size(); i++)
    table[i] = static_cast<int16_t>(
        std::lround(kAmplitude * std::sin(2 * std::numbers::pi * static_cast<double>(i) / table.size())));
  return table;
}();

int32_t Sine(uint32_t phase) { return kSineTable[phase >> (32 - kTableBits)]; }

int32_t Square(uint32_t phase) { return phase < 1u << 31 ? 8000 : -8000; }

// From 100 Hz to 1,900 Hz in one period of a second: 1,000 cycles, so that the next period goes on where this one ends.
int32_t Chirp(uint32_t phase) {
  double seconds = phase / 4294967296.0;
  double cycles = (100 + 900 * seconds) * seconds;
  return Sine(static_cast<uint32_t>(static_cast<uint64_t>(cycles * 4294967296.0)));
}

int32_t Noise(uint32_t phase) {
  uint32_t hash = phase;
  hash = (hash ^ (hash >> 16)) * 0x7feb352du;
  hash = (hash ^ (hash >> 15)) * 0x846ca68bu;
  return static_cast<int32_t>((hash ^ (hash >> 16)) % 16001) - 8000;
}

}  // namespace

const Signal kSignals[4] = {{1000, Sine}, {500, Square}, {1, Chirp}, {1, Noise}};

}  // namespace lendbuf
