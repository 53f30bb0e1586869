// sample_crops: crops of the photos, drawn where their gradients are strong, with noise.
//
// For problem n and step i a corner is drawn from cdf[n], the running sum of the probabilities of even
// corners, and the crop under it is copied as float in [-1, 1]; noise is added to the copy, never to
// the photo. Draws come from counters (core/philox.h).
// Source: KernelGAN section 4.3 (gradient-weighted crops).
#pragma once

#include <cstdint>
#include <vector>

#include "core/array.h"
#include "core/device.h"
#include "core/simd_level.h"

namespace kgf {

// images[n] (C, H, W) uint8 in 0..255 or float32 in [0, 1]; cdfs[n] (rows, cols) float64, corner
// (2·row, 2·col), last element 1; seeds (N) int64 → crops (steps, N, C, size, size) float32,
// corners (steps, N, 2) int64.
void sample_crops(const std::vector<Array>& images, const std::vector<Array>& cdfs,
                  const Array& seeds, int stream, int64_t first, double noise, const Array& crops,
                  const Array& corners, Stream cuda_stream = {});

namespace cuda {
void sample_crops(const std::vector<Array>& images, const std::vector<Array>& cdfs,
                  const Array& seeds, int stream, int64_t first, double noise, const Array& crops,
                  const Array& corners, Stream cuda_stream);
}

// clang-format off
KGF_DECLARE_PER_LEVEL(
// One crop: values·scale - 1.
template <class T>
void sample_crops_copy(const T* image, int64_t height, int64_t width, int channels, int64_t row,
                       int64_t col, int size, float scale, float* crop);
// crop += deviation · N(0, 1)
void sample_crops_noise(uint64_t seed, uint32_t stream, uint32_t step, float deviation, int64_t count,
                        float* crop);
)
// clang-format on

}  // namespace kgf
