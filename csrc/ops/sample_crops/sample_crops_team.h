// The arithmetic of sample_crops for a team of GPU threads: one block a crop.
#pragma once

#include "core/normal.h"
#include "core/team.h"
#include "ops/sample_crops/sample_crops_launch.h"

namespace kgf {

constexpr int search_probes = 256;

// The first index whose cdf exceeds `drawn`, or count: every round probes the ends of `search_probes`
// parts of what is left, so that a million corners take three rounds of reads and not twenty.
// bounds holds two pairs; the result is the same for all threads.
template <class Team>
KGF_DEVICE int64_t upper_bound(Team& team, const double* cdf, int64_t count, double drawn,
                               int64_t (*bounds)[2]) {
  team.each(1, [&](int) {
    bounds[0][0] = 0;
    bounds[0][1] = count;
  });
  team.sync();
  constexpr int most_rounds = 8;  // enough for 2^64; whatever the cdf holds, the search ends
  int now = 0;
  for (int round = 0; round < most_rounds && bounds[now][0] < bounds[now][1]; ++round) {
    const int64_t low = bounds[now][0], high = bounds[now][1];
    const int64_t step = (high - low + search_probes) / search_probes;
    int64_t* next = bounds[1 - now];
    team.each(search_probes, [&](int j) {
      const int64_t left = low + j * step;
      if (left > high) return;
      const int64_t right = left + step - 1 < high ? left + step - 1 : high;
      const bool below = j > 0 && cdf[left - 1] > drawn;
      const bool above = right == high || cdf[right] > drawn;
      if (above && !below) {
        next[0] = left;
        next[1] = right;
      }
    });
    team.sync();
    now = 1 - now;
  }
  return bounds[now][0];
}

// The crop of problem n at step first + step.
template <class Team>
KGF_DEVICE void sample_crop(Team& team, const CropSizes& sizes, const Photo& photo, int64_t n,
                            int64_t step, const int64_t* seeds, float* crops, int64_t* corners,
                            int64_t (*bounds)[2]) {
  const uint64_t seed = static_cast<uint64_t>(seeds[n]);
  const uint32_t at = sizes.first + static_cast<uint32_t>(step);
  const double drawn = uniform(philox(seed, 0, at, sizes.stream, purpose_corner));
  const int size = sizes.size, width = photo.width, height = photo.height;
  const int cols = (width - size) / 2 + 1;
  const int64_t count = int64_t{(height - size) / 2 + 1} * cols;
  const int64_t found = upper_bound(team, photo.cdf, count, drawn, bounds);
  const int64_t index = found < count ? found : count - 1;
  const int row = static_cast<int>(index / cols) * 2, col = static_cast<int>(index % cols) * 2;
  const int64_t task = step * sizes.problems + n;
  team.each(1, [&](int) {
    corners[2 * task] = row;
    corners[2 * task + 1] = col;
  });
  const int plane = size * size, all = sizes.channels * plane;
  float* crop = crops + task * all;
  team.each((all + 3) / 4, [&](int block) {
    float noise[4] = {0, 0, 0, 0};
    if (sizes.noise > 0) normal_block(seed, sizes.stream, at, static_cast<uint32_t>(block), noise);
    for (int r = 0; r < 4; ++r) {
      const int i = 4 * block + r;
      if (i >= all) break;
      const int c = i / plane, y = i % plane / size, x = i % size;
      const int64_t from = (int64_t{c} * height + row + y) * width + col + x;
      const float pixel = photo.is_uint8
                              ? static_cast<const unsigned char*>(photo.image)[from] * (2 / 255.f)
                              : static_cast<const float*>(photo.image)[from] * 2;
      crop[i] = pixel - 1 + sizes.noise * noise[r];
    }
  });
}

}  // namespace kgf
