// How sample_crops is cut into launches and blocks on a GPU; plain C++, tested without one.
#pragma once

#include "core/launch.h"

namespace kgf {

// A photo and where its crops come from.
struct Photo {
  const void* image;
  const double* cdf;
  int height, width, is_uint8;
};

// Photos are of different sizes and lie anywhere, so a kernel needs a table of them. It travels by value
// in the kernel's parameters (4 KiB at most), a slice of the problems a launch: nothing is copied to the
// device beforehand, nothing must be kept alive after, and a CUDA graph records it.
constexpr int photos_a_launch = 64;

struct PhotoTable {
  Photo photo[photos_a_launch];
};

struct CropSizes {
  int64_t problems;
  int channels, size;
  uint32_t stream, first;
  float noise;
};

constexpr int crop_threads = 256;

// One block a crop: `photos` of the problems, `steps` crops of each.
inline Launch crop_launch(int64_t photos, int64_t steps) {
  Launch launch;
  launch.blocks_x = photos * steps;
  launch.threads = crop_threads;
  launch.shared_bytes = 4 * sizeof(int64_t);  // the search's two pairs of bounds
  return launch;
}

}  // namespace kgf
