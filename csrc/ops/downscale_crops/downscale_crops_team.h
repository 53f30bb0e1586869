// The arithmetic of downscale_crops for a team of GPU threads.
#pragma once

#include "core/team.h"
#include "ops/downscale_crops/downscale_crops_launch.h"

namespace kgf {

template <class T>
using CropSums = Values<T, crop_sums>;

// Problem n, share `tile` of its output pixels. An item is four neighbouring pixels of a row, a term of
// their sums a row of the kernel; pixels of one parity move through registers, each read once.
template <class Team, class T>
KGF_DEVICE void downscale_crops_tile(Team& team, const CropShape& shape, int64_t n, int tile,
                                     int tiles, const T* crops, const T* kernel, T* out,
                                     CropSums<T>* scratch) {
  constexpr int C = crop_sums;
  const int side = shape.side, taps = shape.kernel_side, width = shape.out_side;
  const int groups = (width + C - 1) / C;
  const Tile share(shape.channels * width * groups, tile, tiles);
  crops += n * shape.channels * side * side;
  kernel += n * taps * taps;
  out += n * shape.channels * width * width;
  const auto sum = [&](int j, int from, int to) {
    const int item = share.from + j, row = item / groups, x = item % groups * C;
    const T* pixels = crops + (row / width * side + row % width * 2) * side + 2 * x;
    const int left = side - 2 * x;  // pixels of the row, from here on
    CropSums<T> total = {};
    for (int s = from; s < to; ++s) {
      for (int parity = 0; parity < 2; ++parity) {
        T p[C] = {};
        for (int r = 1; r < C; ++r) {
          const int at = 2 * (r - 1) + parity;
          p[r] = at < left ? pixels[s * side + at] : T(0);
        }
        for (int t = parity; t < taps; t += 2) {
          const int at = 2 * (C - 1) + t;
          for (int r = 0; r + 1 < C; ++r) p[r] = p[r + 1];
          p[C - 1] = at < left ? pixels[s * side + at] : T(0);
          const T k = kernel[s * taps + t];
          for (int r = 0; r < C; ++r) total.v[r] += k * p[r];
        }
      }
    }
    return total;
  };
  split_sums(team, share.count, taps, scratch, sum, [&](int j, const CropSums<T>& total) {
    const int item = share.from + j, row = item / groups, x = item % groups * C;
    for (int r = 0; r < C && x + r < width; ++r) out[row * width + x + r] = total.v[r];
  });
}

// Problem n, share `tile` of its kernel's taps. An item is four neighbouring taps of a row, a term of
// their sums a row of the output.
template <class Team, class T>
KGF_DEVICE void downscale_crops_tile_backward(Team& team, const CropShape& shape, int64_t n,
                                              int tile, int tiles, const T* grad_out,
                                              const T* crops, T* grad_kernel,
                                              CropSums<T>* scratch) {
  constexpr int C = crop_sums;
  const int side = shape.side, taps = shape.kernel_side, width = shape.out_side;
  const int groups = (taps + C - 1) / C, rows = shape.channels * width;
  const Tile share(taps * groups, tile, tiles);
  grad_out += n * rows * width;
  crops += n * shape.channels * side * side;
  grad_kernel += n * taps * taps;
  const auto sum = [&](int j, int from, int to) {
    const int item = share.from + j, s = item / groups, t = item % groups * C;
    const int left = side - t;
    CropSums<T> total = {};
    for (int row = from; row < to; ++row) {
      const T* g = grad_out + row * width;
      const T* pixels = crops + (row / width * side + row % width * 2 + s) * side + t;
      T p[C] = {};
      for (int r = 2; r < C; ++r) p[r] = r - 2 < left ? pixels[r - 2] : T(0);
      for (int x = 0; x < width; ++x) {
        // Two pixels to the right is two taps to the left.
        for (int r = 0; r + 2 < C; ++r) p[r] = p[r + 2];
        for (int r = C - 2; r < C; ++r) p[r] = 2 * x + r < left ? pixels[2 * x + r] : T(0);
        for (int r = 0; r < C; ++r) total.v[r] += g[x] * p[r];
      }
    }
    return total;
  };
  split_sums(team, share.count, rows, scratch, sum, [&](int j, const CropSums<T>& total) {
    const int item = share.from + j, s = item / groups, t = item % groups * C;
    for (int r = 0; r < C && t + r < taps; ++r) grad_kernel[s * taps + t + r] = total.v[r];
  });
}

}  // namespace kgf
