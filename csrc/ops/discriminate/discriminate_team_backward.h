// One pass backward, by the ranks of a team: gradient of the map → of the crop, and this pass' share
// of the gradient of the weights (`partial`, laid out as weights but (taps, features) for the composed
// convolution in the place of weight 0; σ's own gradient is left to discriminate_team_combine.h).
#pragma once

#include "ops/discriminate/discriminate_team_first.h"

namespace kgf::discriminator {

template <class Team, class T>
struct BackwardPass {
  Team& team;
  const DiscriminatorLayout& layout;
  const BackwardRoom& room;
  T* memory;  // the room
  const T *grad_map, *crop, *weights, *map;
  const T *problem, *pass;  // the problem's and the pass' part of saved
  T* grad_crop;             // or null
  T* partial;               // or null
  T* kept;                  // (positions, rounded features), where the room keeps nothing
  Share share = share_of(layout.positions(), team.rank(), team.ranks());

  KGF_DEVICE int width() const { return rounded(layout.features); }
  KGF_DEVICE int pitch() const { return row_pitch(layout.features); }

  // Gradient of the activations of this rank's positions; each block overwrites that of the one above.
  KGF_DEVICE Rows<T> g() const {
    if constexpr (Team::keeps) return Rows<T>::padded(memory + room.g, pitch());
    return Rows<T>::padded(kept, width());
  }
  KGF_DEVICE T* dy() const { return memory + room.dy; }
  // Pre-activations of a block. In a room two buffers take turns: what is below is above next.
  KGF_DEVICE T* kept_rows(int block) const {
    return memory + ((layout.blocks - block) % 2 ? room.lower : room.upper);
  }
  KGF_DEVICE const T* saved_rows(int block) const {
    return pass + layout.activation(block) + int64_t{share.first} * layout.features;
  }
  KGF_DEVICE Rows<T> y(int block) const {
    if constexpr (Team::keeps) return Rows<T>::padded(kept_rows(block), pitch());
    return Rows<T>::dense(const_cast<T*>(saved_rows(block)), layout.features);
  }
  // The activations of the block below, in the place of this block's pre-activations.
  KGF_DEVICE T* x(int block) const { return Team::keeps ? kept_rows(block) : memory + room.upper; }
  KGF_DEVICE T* coefficient(int index) const {
    return memory + room.coefficients + index * width();
  }
  KGF_DEVICE Affine<T> affine(int block) const {
    T* at = coefficient(3 + block % 2 * 3);
    return {at, at + width(), at + 2 * width()};
  }
  KGF_DEVICE T* sums(int block) const {
    return memory + room.sums + block % 2 * (sums_a_feature * width() + 4);
  }
  KGF_DEVICE T* grad(int block) const {
    return memory + room.grad + (room.grads == 2 ? block % 2 * layout.features * width() : 0);
  }

  KGF_DEVICE void fetch_rows(int block) const {
    if (!Team::keeps || block < 1) return;
    const int rows = share.rows;
    fetch_matrix(team, kept_rows(block), pitch(), rows, saved_rows(block), rows, layout.features);
  }
  KGF_DEVICE void fetch_weights(int block) const {
    if (block < 2) return;
    const int F = layout.features;
    fetch_matrix(team, memory + room.w, weight_pitch(F), width(), weights + layout.weight(block), F,
                 F);
  }
  KGF_DEVICE void set_affine(int block) const {
    if (block < 1) return;
    const Affine<T> norm = affine(block);
    team.each(width(), [&](int c) {
      const bool real = c < layout.features;
      norm.set(layout, weights, block, c, real ? pass[layout.mean(block) + c] : T(0),
               real ? pass[layout.inverse_std(block) + c] : T(0), T(1));
    });
  }

  // dz through the sigmoid; W·dz into g, without 1/σ; the sums of the top block and the last weights.
  KGF_DEVICE void start() const {
    const int F = layout.features, across = quads(F), last = layout.blocks + 1, rows = share.rows;
    const int groups = ceil_div(room.chunk, tile_rows), plane = groups * width();
    const Affine<T> norm = affine(layout.blocks);
    const Rows<T> top = y(layout.blocks), gradient = g();
    const T* w = weights + layout.weight(last);
    T *parts = dy(), *bias = memory + room.bias_parts;
    team.each(groups * across, [&](int i) {
      const int group = i / across, quad = i % across;
      Quad<T> weight = {}, total = {}, moment = {}, of_last = {};
      for (int c = 0; c < 4; ++c) weight.v[c] = 4 * quad + c < F ? w[4 * quad + c] : T(0);
      T of_bias = 0;
      for (int row = group; row < rows; row += groups) {
        const int p = share.first + row;
        const T dz = grad_map[p] * map[p] * (1 - map[p]);
        const Quad<T> value = top.get(row, quad), active = norm.activate(value, quad);
        Quad<T> to;
        for (int c = 0; c < 4; ++c) {
          to.v[c] = dz * weight.v[c];
          const T open = active.v[c] > 0 ? to.v[c] : T(0);
          total.v[c] += open;
          moment.v[c] += open * (value.v[c] - norm.mean[4 * quad + c]);
          of_last.v[c] += dz * active.v[c];
        }
        of_bias += dz;
        gradient.put(row, quad, to);
      }
      T* to = parts + group * width() + 4 * quad;
      store(to, total);
      store(to + plane, moment);
      store(to + 2 * plane, of_last);
      if (quad == 0) bias[group] = of_bias;
    });
    team.sync();
    T* sum = sums(layout.blocks);
    team.each(sums_a_feature * width() + 1, [&](int i) {
      const bool of_bias = i == sums_a_feature * width();
      const T* from = of_bias ? bias : parts + i / width() * plane + i % width();
      T total = 0;
      KGF_UNROLL_BY(4)
      for (int group = 0; group < groups; ++group) total += from[group * (of_bias ? 1 : width())];
      sum[i] = total;
    });
  }

  // The block's sums over all ranks, and with them what `through_norm` needs:
  //   dy = γ/std·(g·[open]/σ - grad_beta/P - x̂·grad_gamma/P), x̂ = (y - mean)/std,
  // grad_beta = Σ g·[open]/σ, grad_gamma = Σ g·[open]·x̂/σ; g and its sums lack the 1/σ above.
  KGF_DEVICE void set_coefficients(int block) const {
    const int F = width();
    const T inverse_sigma = 1 / pass[layout.sigma() + block + 1];
    const T* own = sums(block);
    const bool top = block == layout.blocks, leads = partial && team.rank() == 0;
    const auto over_ranks = [&](int i) {
      T total = 0;
      for (int rank = 0; rank < team.ranks(); ++rank) total += team.peer(own, rank)[i];
      return total;
    };
    T *a = coefficient(0), *b = coefficient(1), *d = coefficient(2);
    team.each(F, [&](int c) {
      a[c] = b[c] = d[c] = 0;
      if (c >= layout.features) return;
      const T inverse_std = pass[layout.inverse_std(block) + c];
      const T grad_beta = over_ranks(sum_total * F + c) * inverse_sigma;
      const T grad_gamma = over_ranks(sum_moment * F + c) * inverse_std * inverse_sigma;
      const T slope = weights[layout.gamma(block) + c] * inverse_std;
      const T count = static_cast<T>(layout.positions());
      a[c] = slope * inverse_sigma;
      b[c] = slope * grad_beta / count;
      d[c] = slope * inverse_std * grad_gamma / count;
      if (leads) {
        partial[layout.beta(block) + c] = grad_beta;
        partial[layout.gamma(block) + c] = grad_gamma;
      }
    });
    if (!top || !leads) return;
    team.each(layout.features + 1, [&](int c) {
      if (c < layout.features) {
        partial[layout.weight(block + 1) + c] = over_ranks(sum_last * F + c) * inverse_sigma;
      } else {
        partial[layout.bias(block + 1)] = over_ranks(sums_a_feature * F);
      }
    });
  }

  // dy of a chunk, and the activations of the block below.
  KGF_DEVICE void through_norm(int block, int start, int count) const {
    const int across = quads(layout.features);
    const Rows<T> gradient = g(), above = y(block), below = y(larger(block - 1, 1));
    const Affine<T> norm = affine(block), lower = affine(block - 1);
    const T *a = coefficient(0), *b = coefficient(1), *d = coefficient(2);
    T *to_dy = dy(), *to_x = x(block);
    team.each(count * across, [&](int i) {
      const int row = i / across, quad = i % across, at = row * pitch() + 4 * quad;
      const Quad<T> value = above.get(start + row, quad), from = gradient.get(start + row, quad);
      const Quad<T> active = norm.activate(value, quad);
      const Quad<T> slope = load(a + 4 * quad), constant = load(b + 4 * quad),
                    along = load(d + 4 * quad), mean = load(norm.mean + 4 * quad);
      Quad<T> to;
      for (int c = 0; c < 4; ++c) {
        const T open = active.v[c] > 0 ? from.v[c] : T(0);
        to.v[c] = slope.v[c] * open - constant.v[c] - along.v[c] * (value.v[c] - mean.v[c]);
      }
      store(to_dy + at, to);
      // The buffer of `above` takes the activations, each in the place just read.
      if (block > 1 && partial)
        store(to_x + at, lower.activate(below.get(start + row, quad), quad));
    });
  }

  // What a tile of the gradient of the activations of a block adds to their sums.
  KGF_DEVICE void tile_sums(const TileRows& tile, int quad, int block, int start,
                            const Quad<T>* gradient) const {
    const int F = width();
    const Affine<T> norm = affine(block);
    const Rows<T> value = y(block);
    Quad<T> total = {}, moment = {};
    KGF_UNROLL
    for (int r = 0; r < tile_rows; ++r) {
      if (!tile.has(r)) continue;
      const Quad<T> pre = value.get(start + tile(r), quad), active = norm.activate(pre, quad);
      for (int c = 0; c < 4; ++c) {
        const T open = active.v[c] > 0 ? gradient[r].v[c] : T(0);
        total.v[c] += open;
        moment.v[c] += open * (pre.v[c] - norm.mean[4 * quad + c]);
      }
    }
    T* to = memory + room.parts + tile.group * F + 4 * quad;
    store(to, total);
    store(to + tile.groups * F, moment);
  }

  // An item of dy·W: the gradient of the activations below.
  KGF_DEVICE void below_item(int item, int block, int start, int count) const {
    const int F = layout.features;
    const Rows<T> gradient = g();
    const T* w = memory + room.w;
    if constexpr (Team::tensor_cores) {
      multiply_by_warp(item, count, width(), F, {dy(), pitch(), 1}, {w, weight_pitch(F), 1},
                       [&](int row, int column, T sum) { gradient.set(start + row, column, sum); });
    } else {
      multiply(item, count, width(), dy(), pitch(), w, weight_pitch(F),
               [&](const TileRows& tile, int quad, const Quad<T>* sum) {
                 KGF_UNROLL
                 for (int r = 0; r < tile_rows; ++r) {
                   if (tile.has(r)) gradient.put(start + tile(r), quad, sum[r]);
                 }
                 tile_sums(tile, quad, block - 1, start, sum);
               });
    }
  }

  // Where a convolution's gradient goes: the room of a rank, or at once into partial, chunk by chunk.
  KGF_DEVICE Rows<T> grad_rows(T* in_room, int convolution) const {
    const int F = layout.features;
    if (Team::keeps) return Rows<T>::padded(in_room, width());
    return Rows<T>::dense(partial + (convolution < 2 ? 0 : layout.weight(convolution)), F);
  }
  // An item of aᵀ·b, (left, features), over the positions of a chunk, added to those before.
  KGF_DEVICE void weights_item(int item, const Rows<T>& to, int start, int count, int left,
                               const T* a, int pitch_a, const T* b, T factor) const {
    if constexpr (Team::tensor_cores) {
      multiply_by_warp(item, left, width(), count, {a, 1, pitch_a}, {b, pitch(), 1},
                       [&](int row, int column, T sum) {
                         if (column >= to.columns) return;
                         T* at = to.data + row * to.pitch + column;
                         *at = factor * sum + (start > 0 ? *at : T(0));
                       });
    } else {
      multiply_outer(item, count, left, layout.features, a, pitch_a, b, pitch(),
                     [&](int row, int quad, const Quad<T>& sum) {
                       Quad<T> value = {};
                       if (start > 0) value = to.get(row, quad);
                       for (int c = 0; c < 4; ++c) value.v[c] += factor * sum.v[c];
                       to.put(row, quad, value);
                     });
    }
  }
  // The gradient of a convolution, (rows, features), into partial: Σ over ranks of what is in their rooms,
  // each rank summing a share of it; and the parts of its inner product with the matrix.
  KGF_DEVICE void reduce_grad(const T* own, int rows, T* into, const T* matrix) const {
    const int across = quads(layout.features);
    const Rows<T> to = Rows<T>::dense(into, layout.features);
    const Rows<const T> factors = Rows<const T>::dense(matrix, layout.features);
    const Share mine = share_of(rows * across, team.rank(), team.ranks());
    T* dots = memory + room.dots;
    team.each(dot_parts, [&](int part) {
      T dot = 0;
      for (int i = part; i < mine.rows; i += dot_parts) {
        const int at = mine.first + i, row = at / across, quad = at % across;
        Quad<T> total = {};
        if (Team::keeps) {
          for (int rank = 0; rank < team.ranks(); ++rank) {
            const Quad<T> theirs = load(team.peer(own, rank) + 4 * at);
            for (int c = 0; c < 4; ++c) total.v[c] += theirs.v[c];
          }
          to.put(row, quad, total);
        } else {
          total = to.get(row, quad);
        }
        const Quad<T> factor = factors.get(row, quad);
        for (int c = 0; c < 4; ++c) dot += total.v[c] * factor.v[c];
      }
      dots[part] = dot;
    });
  }
  // A sync after reduce_grad: this rank's share of the inner product.
  KGF_DEVICE void finish_grad(int convolution) const {
    const T* dots = memory + room.dots;
    T* to = partial + inner_at(layout, team.ranks(), convolution, team.rank());
    team.each(sum_ends, [&](int end) {
      T total = 0;
      for (int i = end; i < dot_parts; i += sum_ends) total += dots[i];
      to[end] = total;
    });
  }

  // Adds a chunk's tiles to this rank's sums.
  KGF_DEVICE void merge_tiles(int block, int start, int count) const {
    const int F = width(), groups = ceil_div(count, tile_rows);
    const T* parts = memory + room.parts;
    T* to = sums(block);
    team.each(2 * F, [&](int i) {
      T total = start > 0 ? to[i] : T(0);
      const T* from = parts + i / F * groups * F + i % F;
      KGF_UNROLL_BY(4)
      for (int group = 0; group < groups; ++group) total += from[group * F];
      to[i] = total;
    });
  }

  // From block to block - 1: g, its sums and the gradient of the convolution between.
  KGF_DEVICE void descend(int block) const {
    const int F = layout.features, all = share.rows;
    const T factor = 1 / pass[layout.sigma() + block];
    // At least once, so that a rank without positions meets the others and hands them zeros.
    for (int start = 0; start == 0 || start < all; start += room.chunk) {
      const int count = smaller(room.chunk, all - start);
      through_norm(block, start, count);
      team.sync();
      const Rows<T> to = partial ? grad_rows(grad(block), block) : Rows<T>{};
      const auto item = [&](int inner, int i) {
        if (i < inner) {
          below_item(i, block, start, count);
        } else {
          // (outputs, inputs) = dyᵀ·x
          weights_item(i - inner, to, start, count, F, dy(), pitch(), x(block), factor);
        }
      };
      if constexpr (Team::tensor_cores) {
        const int inner = warp_items(count, width()), outer = partial ? warp_items(F, width()) : 0;
        team.each_warp(inner + outer, [&](int i) { item(inner, i); });
        team.sync();
        const Rows<T> gradient = g();
        team.each(product_items(count, F), [&](int i) {
          const TileRows tile(count, i);
          Quad<T> value[tile_rows];
          KGF_UNROLL
          for (int r = 0; r < tile_rows; ++r) {
            value[r] = gradient.get(start + tile.safe(r), i / tile.groups);
          }
          tile_sums(tile, i / tile.groups, block - 1, start, value);
        });
      } else {
        const int inner = product_items(count, F), outer = partial ? outer_items(F, F) : 0;
        team.each(inner + outer, [&](int i) { item(inner, i); });
      }
      team.sync();
      merge_tiles(block - 1, start, count);
    }
  }

  // What stands between block and block - 1: all ranks meet, and the next block is made ready.
  KGF_DEVICE void meet(int block) const {
    const bool grad_there = partial && block <= layout.blocks;
    fetch_weights(block - 1);
    fetch_rows(block - 2);
    team.wait();
    if (grad_there) {
      reduce_grad(grad(block), layout.features, partial + layout.weight(block),
                  weights + layout.weight(block));
    }
    set_coefficients(block - 1);
    set_affine(block - 2);
    team.fetched();
    // With one buffer, its next gradient must wait until all ranks have read this one.
    if (grad_there && room.grads == 1) {
      team.wait();
    } else {
      team.sync();
    }
    if (grad_there) finish_grad(block);
  }

  KGF_DEVICE void run() const {
    fetch_rows(layout.blocks);
    set_affine(layout.blocks);
    team.fetched();
    team.sync();
    for (int block = layout.blocks + 1; block > 1; --block) {
      if (block > layout.blocks) {
        start();
      } else {
        descend(block);
      }
      meet(block);
    }
    first_backward(*this);
    // Nobody leaves while another may still read its room.
    team.wait();
  }
};

}  // namespace kgf::discriminator
