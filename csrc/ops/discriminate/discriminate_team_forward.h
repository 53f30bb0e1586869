// One pass forward, by the ranks of a team: crop → map. Prepared weights and sigma are in `saved`.
#pragma once

#include "ops/discriminate/discriminate_team.h"

namespace kgf::discriminator {

template <class Team, class T>
struct ForwardPass {
  Team& team;
  const DiscriminatorLayout& layout;
  const ForwardRoom& room;
  T* memory;         // the room
  const T* crop;     // (C, S, S)
  const T* weights;  // of the problem
  const T* problem;  // the problem's part of saved
  T* pass;           // the pass' part of saved
  T* map;            // (T, T)
  Share share = share_of(layout.positions(), team.rank(), team.ranks());

  KGF_DEVICE int width() const { return rounded(layout.features); }
  KGF_DEVICE Affine<T> affine() const {
    T* scale = memory + room.coefficients;
    return {scale, scale + width(), nullptr};
  }
  // Mean and sum of squared deviations of every feature over this rank's positions, and their number.
  KGF_DEVICE T* moments(int block) const {
    return memory + room.moments + block % 2 * (2 * width() + 4);
  }
  KGF_DEVICE Rows<T> saved_rows(int block) const {
    const int F = layout.features;
    return Rows<T>::dense(pass + layout.activation(block) + int64_t{share.first} * F, F);
  }
  // Pre-activations of this rank's positions.
  KGF_DEVICE Rows<T> rows(int block) const {
    if constexpr (!Team::keeps) return saved_rows(block);
    return Rows<T>::padded(memory + room.y, row_pitch(layout.features));
  }

  KGF_DEVICE void fetch_weights(int block) const {
    const int F = layout.features, inputs = block == 1 ? layout.taps() : F;
    const T* from = block == 1 ? problem : problem + layout.transposed(block);
    fetch_matrix(team, memory + room.w, weight_pitch(F), rounded(inputs), from, inputs, F);
  }

  // x = relu(batch norm of the block's pre-activations) at positions start .. start + count - 1.
  KGF_DEVICE void activate(int block, int start, int count) const {
    const Rows<T> y = rows(block);
    const Affine<T> norm = affine();
    const int across = quads(layout.features), pitch = row_pitch(layout.features);
    T* x = memory + room.x;
    team.each(count * across, [&](int i) {
      const int row = i / across, quad = i % across;
      store(x + row * pitch + 4 * quad, norm.activate(y.get(start + row, quad), quad));
    });
  }

  // Mean and squared deviations of a tile of pre-activations.
  KGF_DEVICE void tile_moments(const TileRows& tile, int quad, const Quad<T>* y) const {
    const int F = width();
    T *means = memory + room.parts, *deviations = means + tile.groups * F;
    Quad<T> mean = {}, deviation = {};
    int present = 0;
    KGF_UNROLL
    for (int r = 0; r < tile_rows; ++r) {
      if (!tile.has(r)) continue;
      ++present;
      for (int c = 0; c < 4; ++c) mean.v[c] += y[r].v[c];
    }
    for (int c = 0; c < 4; ++c) mean.v[c] /= static_cast<T>(present);
    KGF_UNROLL
    for (int r = 0; r < tile_rows; ++r) {
      if (!tile.has(r)) continue;
      for (int c = 0; c < 4; ++c) {
        const T d = y[r].v[c] - mean.v[c];
        deviation.v[c] += d * d;
      }
    }
    store(means + tile.group * F + 4 * quad, mean);
    store(deviations + tile.group * F + 4 * quad, deviation);
  }

  // y = factor·x·w, and the moments of its tiles.
  KGF_DEVICE void convolve(int block, int start, int count) const {
    const int F = layout.features, depth = block == 1 ? layout.taps() : F;
    const T* sigma = pass + layout.sigma();
    const T factor = block == 1 ? 1 / (sigma[0] * sigma[1]) : T(1);
    const Rows<T> y = rows(block), saved = saved_rows(block);
    const T *x = memory + room.x, *w = memory + room.w;
    const int items = product_items(count, F), pitch = row_pitch(depth);
    if constexpr (Team::tensor_cores) {
      team.each_warp(warp_items(count, rounded(F)), [&](int item) {
        multiply_by_warp(item, count, rounded(F), depth, {x, pitch, 1}, {w, weight_pitch(F), 1},
                         [&](int row, int column, T sum) {
                           y.set(start + row, column, factor * sum);
                           if (Team::keeps) saved.set(start + row, column, factor * sum);
                         });
      });
      team.sync();
      team.each(items, [&](int item) {
        const TileRows tile(count, item);
        Quad<T> value[tile_rows];
        KGF_UNROLL
        for (int r = 0; r < tile_rows; ++r) {
          value[r] = y.get(start + tile.safe(r), item / tile.groups);
        }
        tile_moments(tile, item / tile.groups, value);
      });
    } else {
      team.each(items, [&](int item) {
        multiply(item, count, rounded(depth), x, pitch, w, weight_pitch(F),
                 [&](const TileRows& tile, int quad, Quad<T>* sum) {
                   KGF_UNROLL
                   for (int r = 0; r < tile_rows; ++r) {
                     if (!tile.has(r)) continue;
                     for (int c = 0; c < 4; ++c) sum[r].v[c] *= factor;
                     y.put(start + tile(r), quad, sum[r]);
                     if (Team::keeps) saved.put(start + tile(r), quad, sum[r]);
                   }
                   tile_moments(tile, quad, sum);
                 });
      });
    }
  }

  // Adds the tiles of a chunk to this rank's moments, which hold those of `start` positions.
  KGF_DEVICE void merge_tiles(int block, int start, int count) const {
    const int F = width(), groups = ceil_div(count, tile_rows);
    const T *means = memory + room.parts, *deviations = means + groups * F;
    T* to = moments(block);
    const int least = count / larger(groups, 1), longer = count % larger(groups, 1);
    team.each(layout.features, [&](int c) {
      const auto present = [&](int g) { return static_cast<T>(least + (g < longer)); };
      T mean = 0, deviation = 0;
      KGF_UNROLL_BY(4)
      for (int g = 0; g < groups; ++g) mean += present(g) * means[g * F + c];
      mean /= static_cast<T>(larger(count, 1));
      KGF_UNROLL_BY(4)
      for (int g = 0; g < groups; ++g) {
        const T d = means[g * F + c] - mean;
        deviation += deviations[g * F + c] + present(g) * d * d;
      }
      if (start > 0) {
        const T part = static_cast<T>(count) / static_cast<T>(start + count), d = mean - to[c];
        mean = to[c] + part * d;
        deviation += to[F + c] + static_cast<T>(start) * part * d * d;
      }
      to[c] = mean;
      to[F + c] = deviation;
      if (c == 0) to[2 * F] = static_cast<T>(start + count);
    });
  }

  // Statistics of all positions from those of the ranks; batch norm with the next convolution's 1/σ.
  KGF_DEVICE void normalize(int block) const {
    const int F = width();
    const T* own = moments(block);
    const T count = static_cast<T>(layout.positions());
    const T factor = 1 / pass[layout.sigma() + block + 1];
    const Affine<T> norm = affine();
    team.each(F, [&](int c) {
      T first = 0, second = 0, origin = 0, mean = 0, inverse_std = 0;
      if (c < layout.features) {
        // Measured from one rank's mean, the variance does not drown in the mean.
        origin = team.peer(own, 0)[c];
        for (int rank = 0; rank < team.ranks(); ++rank) {
          const T* theirs = team.peer(own, rank);
          const T there = theirs[2 * F], d = theirs[c] - origin;
          first += there * d;
          second += there * d * d + theirs[F + c];
        }
        first /= count;
        const T variance = second / count - first * first;
        mean = origin + first;
        inverse_std = 1 / root((variance > 0 ? variance : T(0)) + T(batch_norm_epsilon));
        if (team.rank() == 0) {
          pass[layout.mean(block) + c] = mean;
          pass[layout.inverse_std(block) + c] = inverse_std;
        }
      }
      norm.set(layout, weights, block, c, mean, inverse_std, factor);
    });
  }

  // map = sigmoid(x·w + bias), with four items a position.
  KGF_DEVICE void finish_map(int start, int count) const {
    const int F = layout.features, last = layout.blocks + 1, pitch = row_pitch(F);
    const Rows<T> y = rows(layout.blocks);
    const Affine<T> norm = affine();
    const T* w = weights + layout.weight(last);
    T* sums = memory + room.x;
    team.each(4 * count, [&](int i) {
      T sum = 0;
      for (int quad = i % 4; quad < quads(F); quad += 4) {
        const Quad<T> x = norm.activate(y.get(start + i / 4, quad), quad);
        for (int c = 0; c < 4; ++c) {
          if (4 * quad + c < F) sum += x.v[c] * w[4 * quad + c];
        }
      }
      sums[i / 4 * pitch + i % 4] = sum;
    });
    team.sync();
    const T bias = weights[layout.bias(last)];
    T* to = map + share.first + start;
    team.each(count, [&](int p) {
      const Quad<T> sum = load(sums + p * pitch);
      to[p] = 1 / (1 + exponential(-(sum.v[0] + sum.v[1] + sum.v[2] + sum.v[3] + bias)));
    });
    team.sync();
  }

  KGF_DEVICE void run() const {
    const int all = share.rows;
    fetch_weights(1);
    for (int block = 1; block <= layout.blocks; ++block) {
      // At least once, so that a rank without positions has moments too.
      for (int start = 0; start == 0 || start < all; start += room.chunk) {
        const int count = smaller(room.chunk, all - start);
        if (block == 1) {
          gather_windows(team, layout, crop, share.first + start, count, memory + room.x);
        } else {
          activate(block - 1, start, count);
        }
        team.fetched();
        team.sync();
        convolve(block, start, count);
        team.sync();
        merge_tiles(block, start, count);
      }
      if (block < layout.blocks) fetch_weights(block + 1);
      team.wait();
      normalize(block);
      team.sync();
    }
    for (int start = 0; start < all; start += room.chunk) {
      finish_map(start, smaller(room.chunk, all - start));
    }
    // Nobody leaves while another may still read its moments.
    team.wait();
  }
};

}  // namespace kgf::discriminator
