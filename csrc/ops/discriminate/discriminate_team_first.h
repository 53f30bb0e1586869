// The backward pass through the composed first convolution: from dy of block 1 to its weights and to
// the crop. Here the room is laid out anew; whatever the blocks above had in it is gone.
#pragma once

#include "ops/discriminate/discriminate_team.h"

namespace kgf::discriminator {

// windows = factor·dy·composedᵀ: what every position adds to the pixels under its window.
template <class Pass>
KGF_DEVICE void window_gradients(const Pass& s, int count) {
  const int F = s.layout.features, taps = s.layout.taps(), pitch = row_pitch(taps);
  const auto* sigma = s.pass + s.layout.sigma();
  const auto factor = 1 / (sigma[0] * sigma[1]);
  auto* windows = s.memory + s.room.windows;
  if constexpr (std::remove_reference_t<decltype(s.team)>::tensor_cores) {
    s.team.each_warp(warp_items(count, taps), [&](int item) {
      multiply_by_warp(
          item, count, taps, F, {s.dy(), s.pitch(), 1},
          {s.memory + s.room.composed, 1, row_pitch(F)},
          [&](int row, int tap, auto sum) { windows[row * pitch + tap] = factor * sum; });
    });
  } else {
    s.team.each(product_items(count, taps), [&](int item) {
      multiply_transposed(item, count, taps, s.width(), s.dy(), s.pitch(),
                          s.memory + s.room.composed, row_pitch(F),
                          [&](const TileRows& tile, int first, int step, const auto* sum) {
                            KGF_UNROLL
                            for (int r = 0; r < tile_rows; ++r) {
                              if (!tile.has(r)) continue;
                              for (int c = 0; c < 4; ++c) {
                                const int tap = first + c * step;
                                if (tap < taps)
                                  windows[tile(r) * pitch + tap] = factor * sum[r].v[c];
                              }
                            }
                          });
    });
  }
}

// The adjoint of gather_windows: every pixel of a crop sums what positions first .. first + count - 1
// add to it.
template <class T>
KGF_DEVICE T fold_windows(const DiscriminatorLayout& layout, const T* windows, int first, int count,
                          int pixel) {
  const int size = layout.size, side = layout.side, out = layout.out_side();
  const int x = pixel % side, y = pixel / side % side, channel = pixel / side / side;
  const int pitch = row_pitch(layout.taps());
  const int from = larger(y - size + 1, first / out), to = smaller(y, (first + count - 1) / out);
  T total = 0;
  for (int row = from; row <= to; ++row) {
    const int line = (channel * size + y - row) * size;
    for (int dx = larger(0, x - out + 1); dx < size && dx <= x; ++dx) {
      const int p = row * out + x - dx - first;
      if (p >= 0 && p < count) total += windows[p * pitch + line + dx];
    }
  }
  return total;
}

template <class Pass>
KGF_DEVICE void first_to_weights(const Pass& s, int start, int count) {
  const int F = s.layout.features, taps = s.layout.taps();
  auto* windows = s.memory + s.room.windows;
  auto* composed = s.memory + s.room.composed;
  gather_windows(s.team, s.layout, s.crop, s.share.first + start, count, windows);
  s.team.sync();
  const auto to = s.grad_rows(composed, 0);
  const auto* sigma = s.pass + s.layout.sigma();
  const auto factor = 1 / (sigma[0] * sigma[1]);
  const auto item = [&](int i) {
    s.weights_item(i, to, start, count, taps, windows, row_pitch(taps), s.dy(), factor);
  };
  if constexpr (std::remove_reference_t<decltype(s.team)>::tensor_cores) {
    s.team.each_warp(warp_items(taps, s.width()), item);
  } else {
    s.team.each(outer_items(taps, F), item);
  }
  s.team.wait();
  if (start + count == s.share.rows) s.reduce_grad(composed, taps, s.partial, s.problem);
}

template <class Pass>
KGF_DEVICE void first_to_crop(const Pass& s, int start, int count) {
  const int F = s.layout.features, taps = s.layout.taps(), first = s.share.first + start;
  const int pixels = s.layout.channels * s.layout.side * s.layout.side;
  auto* windows = s.memory + s.room.windows;
  auto* composed = s.memory + s.room.composed;
  if (start == 0) fetch_matrix(s.team, composed, row_pitch(F), taps, s.problem, taps, F);
  s.team.fetched();
  s.team.sync();
  window_gradients(s, count);
  s.team.sync();
  if (!s.team.keeps) {
    s.team.each(pixels, [&](int i) {
      const auto value = fold_windows(s.layout, windows, first, count, i);
      s.grad_crop[i] = start > 0 ? s.grad_crop[i] + value : value;
    });
    return;
  }
  s.team.each(pixels,
              [&](int i) { composed[i] = fold_windows(s.layout, windows, first, count, i); });
  s.team.wait();
  const Share mine = share_of(pixels, s.team.rank(), s.team.ranks());
  s.team.each(mine.rows, [&](int i) {
    auto total = s.team.peer(composed, 0)[mine.first + i];
    for (int rank = 1; rank < s.team.ranks(); ++rank) {
      total += s.team.peer(composed, rank)[mine.first + i];
    }
    s.grad_crop[mine.first + i] = total;
  });
}

template <class Pass>
KGF_DEVICE void first_backward(const Pass& s) {
  const int all = s.share.rows;
  for (int start = 0; start == 0 || start < all; start += s.room.chunk) {
    const int count = smaller(s.room.chunk, all - start);
    s.through_norm(1, start, count);
    // Nobody may still read a gradient where the windows go.
    s.team.wait();
    if (s.partial) first_to_weights(s, start, count);
    if (s.partial && s.grad_crop) s.team.wait();
    if (s.grad_crop) first_to_crop(s, start, count);
    s.team.sync();
  }
  if (s.partial) s.finish_grad(0);
}

}  // namespace kgf::discriminator
