// What the phases of discriminate share when a team runs them (see core/team.h).
//
// The files of the GPU implementation, discriminate_*:
//   launch               what a GPU runs a pass in: cluster, block or workspace; sizes of the launches
//   room                 where a team keeps its numbers
//   team_prepare, team_forward           the two launches of a forward call
//   team_backward (team_first), team_combine   those of a backward call
//   tile, tensor         matrix products, by threads and by tensor cores
//   cuda.h, *_cuda.cu    the teams that a GPU has, and the kernels
//
// Besides each and sync a team of this op has
//   rank, ranks     of the cluster that shares a pass; a block alone is rank 0 of 1
//   keeps           whether a rank keeps the activations of its positions in its room
//   wait            sync for all ranks
//   peer(p, rank)   where another rank has what this one has at p, a place in its room
//   fetch(to, from, count)   begins to copy; the team may read after fetched() and a sync
//   tensor_cores    whether the products of float32 matrices are for warps, each_warp(count, f)
#pragma once

#include <type_traits>

#include "core/team.h"
#include "ops/discriminate/discriminate_tensor.h"
#include "ops/discriminate/discriminate_tile.h"

namespace kgf::discriminator {

constexpr double batch_norm_epsilon = 1e-5;
constexpr double norm_epsilon = 1e-12;

KGF_DEVICE inline float root(float value) { return sqrtf(value); }
KGF_DEVICE inline double root(double value) { return sqrt(value); }
KGF_DEVICE inline float exponential(float value) { return expf(value); }
KGF_DEVICE inline double exponential(double value) { return exp(value); }

template <class T>
KGF_DEVICE inline T add_ends(const T* ends) {
  T total = 0;
  for (int j = 0; j < sum_ends; ++j) total += ends[j];
  return total;
}

template <class Team, class T>
KGF_DEVICE void fill(Team& team, T* to, int count, T value) {
  team.each(count, [=](int i) { to[i] = value; });
}

// Begins to copy (rows, columns) into a room, and pads it with zeros to (all_rows, rounded columns).
template <class Team, class T>
KGF_DEVICE void fetch_matrix(Team& team, T* to, int pitch, int all_rows, const T* from, int rows,
                             int columns) {
  if (columns % 4 == 0 && aligned(from)) {
    const int across = columns / 4;
    team.each(rows * across, [&](int i) {
      const int row = i / across, c = 4 * (i % across);
      team.fetch(to + row * pitch + c, from + static_cast<int64_t>(row) * columns + c, 4);
    });
  } else {
    const int across = rounded(columns);
    team.each(rows * across, [&](int i) {
      const int row = i / across, c = i % across;
      if (c < columns) {
        team.fetch(to + row * pitch + c, from + static_cast<int64_t>(row) * columns + c, 1);
      } else {
        to[row * pitch + c] = 0;
      }
    });
  }
  const int across = rounded(columns);
  team.each((all_rows - rows) * across,
            [&](int i) { to[(rows + i / across) * pitch + i % across] = 0; });
}

// Batch norm of one block as scale·y + shift, with a factor folded in; the padding is zero.
template <class T>
struct Affine {
  T *scale, *shift, *mean;

  KGF_DEVICE void set(const DiscriminatorLayout& layout, const T* weights, int block, int c,
                      T mean_c, T inverse_std, T factor) const {
    if (c >= layout.features) {
      scale[c] = shift[c] = 0;
      if (mean) mean[c] = 0;
      return;
    }
    scale[c] = weights[layout.gamma(block) + c] * inverse_std * factor;
    shift[c] = weights[layout.beta(block) + c] * factor - mean_c * scale[c];
    if (mean) mean[c] = mean_c;
  }

  // relu(scale·y + shift)
  KGF_DEVICE Quad<T> activate(const Quad<T>& y, int quad) const {
    const Quad<T> s = load(scale + 4 * quad), t = load(shift + 4 * quad);
    Quad<T> x;
    for (int c = 0; c < 4; ++c) {
      const T value = s.v[c] * y.v[c] + t.v[c];
      x.v[c] = value > 0 ? value : T(0);
    }
    return x;
  }
};

// x (positions, row_pitch(taps)) = the windows of positions first .. first + count - 1, then zeros.
template <class Team, class T>
KGF_DEVICE void gather_windows(Team& team, const DiscriminatorLayout& layout, const T* crop,
                               int first, int count, T* x) {
  const int size = layout.size, side = layout.side, out = layout.out_side(), taps = layout.taps();
  const int lines = layout.channels * size, pitch = row_pitch(taps), padding = rounded(taps) - taps;
  // Eight positions by four lines at a time: their reads and their writes are next to one another.
  team.each(ceil_div(count, 8) * 8 * lines, [&](int i) {
    const int row = i / (8 * lines) * 8 + i % 8, line = i / 8 % lines;
    if (row >= count) return;
    const int p = first + row, channel = line / size;
    const T* from = crop + (channel * side + p / out + line % size) * side + p % out;
    T* to = x + row * pitch + line * size;
    for (int dx = 0; dx < size; ++dx) to[dx] = from[dx];
  });
  team.each(count * padding, [&](int i) { x[i / padding * pitch + taps + i % padding] = 0; });
}

}  // namespace kgf::discriminator
