// The arithmetic of gaussian_noise for a team of GPU threads: an item is a Philox block of four numbers.
#pragma once

#include "core/normal.h"
#include "core/team.h"

namespace kgf {

// Problem and step `task`, Philox blocks from .. to - 1.
template <class Team>
KGF_DEVICE void fill_noise(Team& team, int64_t task, int64_t problems, int64_t each, int64_t from,
                           int64_t to, const int64_t* seeds, uint32_t stream, uint32_t first,
                           float* out) {
  const uint64_t seed = static_cast<uint64_t>(seeds[task % problems]);
  const uint32_t step = first + static_cast<uint32_t>(task / problems);
  out += task * each;
  team.each(static_cast<int>(to - from), [&](int item) {
    const int64_t block = from + item;
    float four[4];
    normal_block(seed, stream, step, static_cast<uint32_t>(block), four);
    for (int i = 0; i < 4; ++i) {
      if (4 * block + i < each) out[4 * block + i] = four[i];
    }
  });
}

}  // namespace kgf
