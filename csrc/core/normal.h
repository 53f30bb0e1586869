// Two normal numbers from two 32-bit words, by Box and Muller, in float arithmetic without branches,
// so that a compiler vectorises the loop around it and a GPU runs the same formula.
//
//   r = sqrt(-2 ln u), u = (w0 + ½)/2³²;   a = 2π(w1 + ½)/2³²;   (r cos a, r sin a)
// The series below err by less than 1e-7.
#pragma once

#include <cstdint>

#include "core/philox.h"

namespace kgf {

// ln((w + ½)/2³²)
KGF_HOST_DEVICE static inline float log_uniform(uint32_t w) {
  // u = m·2^e with m in [√½, √2). Near 1, m - 1 is taken from the integer, where it is exact.
  const float u = (static_cast<float>(w) + 0.5f) * 0x1p-32f;
  union {
    float value;
    uint32_t bits;
  } m;
  m.value = u;
  int exponent = static_cast<int>(m.bits >> 23) - 126;
  m.bits = (m.bits & 0x007fffffu) | 0x3f000000u;
  const bool low = m.value < 0.70710678f;
  exponent -= low;
  const float f = (low ? m.value + m.value : m.value) - 1;
  const float near_one = -(static_cast<float>(0xffffffffu - w) + 0.5f) * 0x1p-32f;
  const bool top = w >= 0xC0000000u;
  const float x = top ? near_one : f;
  const float e = top ? 0.0f : static_cast<float>(exponent);
  // ln(1 + x) = 2 artanh(s), s = x/(2 + x)
  const float s = x / (2 + x), z = s * s;
  const float series = 2 * s * (1 + z * (1 / 3.f + z * (1 / 5.f + z * (1 / 7.f + z * (1 / 9.f)))));
  return e * 0.69314718f + series;
}

KGF_HOST_DEVICE static inline void normal_pair(uint32_t w0, uint32_t w1, float* first,
                                               float* second) {
  const float square = -2 * log_uniform(w0);
  const float r = __builtin_sqrtf(square > 0 ? square : 0);
  // a = quadrant·π/2 + x, |x| <= π/4
  const uint32_t quadrant = (w1 + 0x20000000u) >> 30;
  const int32_t rest = static_cast<int32_t>(w1 - (quadrant << 30));
  const float x = (static_cast<float>(rest) + 0.5f) * (1.57079633f * 0x1p-30f);
  const float z = x * x;
  const float sine =
      x * (1 + z * (-1 / 6.f + z * (1 / 120.f + z * (-1 / 5040.f + z * (1 / 362880.f)))));
  const float cosine =
      1 + z * (-0.5f + z * (1 / 24.f + z * (-1 / 720.f + z * (1 / 40320.f - z * (1 / 3628800.f)))));
  const bool odd = quadrant & 1;
  const float c = odd ? sine : cosine, s = odd ? cosine : sine;
  const bool flip_cos = ((quadrant + 1) & 2) != 0, flip_sin = (quadrant & 2) != 0;
  *first = r * (flip_cos ? -c : c);
  *second = r * (flip_sin ? -s : s);
}

// Normal numbers 4·block .. 4·block + 3 of a problem's step.
KGF_HOST_DEVICE static inline void normal_block(uint64_t seed, uint32_t stream, uint32_t step,
                                                uint32_t block, float* four) {
  const Philox random = philox(seed, block, step, stream, purpose_noise);
  normal_pair(random.w[0], random.w[1], four, four + 1);
  normal_pair(random.w[2], random.w[3], four + 2, four + 3);
}

}  // namespace kgf
