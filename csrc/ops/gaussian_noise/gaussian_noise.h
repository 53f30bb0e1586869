// gaussian_noise: independent N(0, 1) numbers for every problem and step, from counters.
//
// Element i of a step comes from block i/4 of Philox with key seed and counter
// (block, step, stream, purpose_noise); see core/noise.h.
#pragma once

#include <cstdint>

#include "core/array.h"
#include "core/device.h"
#include "core/simd_level.h"

namespace kgf {

// seeds (N) int64 → out (steps, N, …) float32; steps first, first + 1, …
void gaussian_noise(const Array& seeds, int stream, int64_t first, const Array& out,
                    Stream cuda_stream = {});

namespace cuda {
void gaussian_noise(const Array& seeds, int stream, int64_t first, const Array& out,
                    Stream cuda_stream);
}

// clang-format off
KGF_DECLARE_PER_LEVEL(
void gaussian_noise_one(uint64_t seed, uint32_t stream, uint32_t step, int64_t count, float* out);
)
// clang-format on

}  // namespace kgf
