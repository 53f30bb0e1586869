#include "ops/sample_crops/sample_crops.h"

#include "core/simd.h"

namespace kgf::KGF_SIMD {

template <class T>
void copy_crop(const T* image, int64_t height, int64_t width, int channels, int64_t row,
               int64_t col, int size, float scale, float* crop) {
  for (int c = 0; c < channels; ++c) {
    for (int y = 0; y < size; ++y) {
      const T* from = image + (c * height + row + y) * width + col;
      for (int x = 0; x < size; ++x) crop[x] = static_cast<float>(from[x]) * scale - 1;
      crop += size;
    }
  }
}

template void copy_crop<uint8_t>(const uint8_t*, int64_t, int64_t, int, int64_t, int64_t, int,
                                 float, float*);
template void copy_crop<float>(const float*, int64_t, int64_t, int, int64_t, int64_t, int, float,
                               float*);

}  // namespace kgf::KGF_SIMD
