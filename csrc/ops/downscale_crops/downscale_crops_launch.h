// How downscale_crops is cut into blocks on a GPU; plain C++, tested without one.
#pragma once

#include "core/launch.h"
#include "core/team.h"

namespace kgf {

struct CropShape {
  int channels, side, kernel_side, out_side;
};

// Sums that one item makes together: neighbouring pixels, or neighbouring taps of a kernel row.
constexpr int crop_sums = 4;
constexpr int downscale_crops_threads = 512;

// Blocks of about 16 K multiply-adds, however many problems there are, so that their number does not
// decide in which order a sum is taken.
inline int downscale_crops_tiles(const CropShape& shape) {
  const int64_t taps = int64_t{shape.kernel_side} * shape.kernel_side;
  const int64_t work = taps * shape.channels * shape.out_side * shape.out_side;
  const int64_t tiles = (work + (1 << 14) - 1) >> 14;
  return static_cast<int>(tiles < 1 ? 1 : tiles < 4096 ? tiles : 4096);
}

inline Launch downscale_crops_launch(const CropShape& shape, int64_t problems, int64_t element) {
  Launch launch;
  launch.blocks_x = problems;
  launch.blocks_y = downscale_crops_tiles(shape);
  launch.threads = downscale_crops_threads;
  launch.shared_bytes = split_scratch * crop_sums * element;
  return launch;
}

}  // namespace kgf
