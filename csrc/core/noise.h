// The normal numbers of one problem and step, at the level that this is compiled for.
#pragma once

#include "core/normal.h"
#include "core/simd.h"

namespace kgf::KGF_SIMD {

// Calls use(i, noise) for i = 0 .. count - 1 in order, noise N(0, 1). Element i comes from block i/4 of
// Philox with key seed and counter (block, step, stream, purpose_noise).
template <class Use>
KGF_INLINE void draw_noise(uint64_t seed, uint32_t stream, uint32_t step, int64_t count, Use use) {
  // Blocks are drawn in batches of plain loops that the compiler turns into vectors.
  constexpr int batch = 64;
  uint32_t w[4][batch];
  float value[4][batch];
  for (int64_t start = 0; start < count; start += 4 * batch) {
    for (int i = 0; i < batch; ++i) {
      const uint32_t block = static_cast<uint32_t>(start / 4) + i;
      const Philox random = philox(seed, block, step, stream, purpose_noise);
      for (int j = 0; j < 4; ++j) w[j][i] = random.w[j];
    }
    for (int i = 0; i < batch; ++i) normal_pair(w[0][i], w[1][i], &value[0][i], &value[1][i]);
    for (int i = 0; i < batch; ++i) normal_pair(w[2][i], w[3][i], &value[2][i], &value[3][i]);
    const int64_t left = count - start < 4 * batch ? count - start : 4 * batch;
    for (int64_t i = 0; i < left; ++i) use(start + i, value[i % 4][i / 4]);
  }
}

}  // namespace kgf::KGF_SIMD
