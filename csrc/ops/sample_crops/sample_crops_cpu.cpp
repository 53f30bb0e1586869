#include "ops/sample_crops/sample_crops.h"

#include "core/noise.h"

namespace kgf::KGF_SIMD {

template <class T>
void sample_crops_copy(const T* image, int64_t height, int64_t width, int channels, int64_t row,
                       int64_t col, int size, float scale, float* crop) {
  for (int c = 0; c < channels; ++c) {
    for (int y = 0; y < size; ++y) {
      const T* from = image + (c * height + row + y) * width + col;
      for (int x = 0; x < size; ++x) crop[x] = static_cast<float>(from[x]) * scale - 1;
      crop += size;
    }
  }
}

void sample_crops_noise(uint64_t seed, uint32_t stream, uint32_t step, float deviation,
                        int64_t count, float* crop) {
  draw_noise(seed, stream, step, count,
             [=](int64_t i, float noise) { crop[i] += deviation * noise; });
}

template void sample_crops_copy<uint8_t>(const uint8_t*, int64_t, int64_t, int, int64_t, int64_t,
                                         int, float, float*);
template void sample_crops_copy<float>(const float*, int64_t, int64_t, int, int64_t, int64_t, int,
                                       float, float*);

}  // namespace kgf::KGF_SIMD
