#include "ops/gaussian_noise/gaussian_noise.h"

#include "core/normal.h"
#include "core/simd.h"

namespace kgf::KGF_SIMD {

void noise_of_step(uint64_t seed, uint32_t stream, uint32_t step, float deviation, bool add,
                   int64_t count, float* out) {
  // Blocks are drawn in batches of plain loops that the compiler turns into vectors.
  constexpr int batch = 64;
  uint32_t w[4][batch];
  float value[4][batch];
  for (int64_t start = 0; start < count; start += 4 * batch) {
    for (int i = 0; i < batch; ++i) {
      const Philox random =
          philox(seed, static_cast<uint32_t>(start / 4) + i, step, stream, purpose_noise);
      for (int j = 0; j < 4; ++j) w[j][i] = random.w[j];
    }
    for (int i = 0; i < batch; ++i) normal_pair(w[0][i], w[1][i], &value[0][i], &value[1][i]);
    for (int i = 0; i < batch; ++i) normal_pair(w[2][i], w[3][i], &value[2][i], &value[3][i]);
    const int64_t left = count - start < 4 * batch ? count - start : 4 * batch;
    for (int64_t i = 0; i < left; ++i) {
      const float noise = deviation * value[i % 4][i / 4];
      out[start + i] = add ? out[start + i] + noise : noise;
    }
  }
}

}  // namespace kgf::KGF_SIMD
