// What the four channels of the simulated digitizer measure, before gain: sine, square, chirp, noise.
#pragma once
#include <cstdint>

namespace lendbuf {

struct Signal {
  uint32_t frequency;                    // periods per second
  int32_t (*amplitude)(uint32_t phase);  // about ±8000; `phase` is in 2^-32 of a period
};

extern const Signal kSignals[4];

}  // namespace lendbuf
