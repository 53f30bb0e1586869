#include "ops/gaussian_noise/gaussian_noise.h"

#include "core/noise.h"

namespace kgf::KGF_SIMD {

void gaussian_noise_one(uint64_t seed, uint32_t stream, uint32_t step, int64_t count, float* out) {
  draw_noise(seed, stream, step, count, [out](int64_t i, float noise) { out[i] = noise; });
}

}  // namespace kgf::KGF_SIMD
