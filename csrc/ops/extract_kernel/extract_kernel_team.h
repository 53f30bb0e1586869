// The arithmetic of extract_kernel for a team of GPU threads: gathers, so that nothing is added to by two.
//
//   composed[i][p] = Σ_o Σ_u above[o][u]·weight[o][i][p - u]
//   grad_weight[o][i][v] = Σ_u above[o][u]·grad[i][u + v],   grad_above[o][u] = Σ_i,v weight[o][i][v]·grad[i][u + v]
// Above the last layer stands the composition of nothing, the single number one.
#pragma once

#include "core/team.h"
#include "ops/extract_kernel/extract_kernel_launch.h"

namespace kgf {

template <class T>
using GeneratorSums = Values<T, generator_channels>;

// Every product of four numbers with four others, summed: v[r·4 + q] += a[r]·b[q].
template <class T>
struct GeneratorSquare : Values<T, generator_channels * generator_channels> {
  KGF_DEVICE void add(const T (&a)[generator_channels], const T (&b)[generator_channels]) {
    for (int r = 0; r < generator_channels; ++r) {
      for (int q = 0; q < generator_channels; ++q) {
        this->v[r * generator_channels + q] += a[r] * b[q];
      }
    }
  }
};

constexpr int generator_room = split_scratch / generator_channels;

template <class Team, class T>
KGF_DEVICE void compose_layer(Team& team, const GeneratorLayer& layer, int tile_index, int tiles,
                              const T* above, const T* weight, T* composed,
                              GeneratorSums<T>* scratch) {
  const int size = layer.size, taps = size * size, over = layer.over, inputs = layer.inputs;
  const int side = layer.side, positions = side * side;
  const int groups = (inputs + generator_channels - 1) / generator_channels;
  const Tile tile(groups * positions, tile_index, tiles);
  const auto sum = [&](int j, int first, int last) {
    const int item = tile.from + j;
    const int i = item / positions * generator_channels;
    const int y = item % positions / side;
    const int x = item % positions % side;
    const int uy_from = y < size ? 0 : y - size + 1, uy_to = y < over ? y + 1 : over;
    const int ux_from = x < size ? 0 : x - size + 1, ux_to = x < over ? x + 1 : over;
    GeneratorSums<T> total = {};
    for (int o = first; o < last; ++o) {
      const T* from = above + o * over * over;
      const T* w = weight + (o * inputs + i) * taps;
      for (int uy = uy_from; uy < uy_to; ++uy) {
        for (int ux = ux_from; ux < ux_to; ++ux) {
          const T a = above ? from[uy * over + ux] : T(1);
          const T* tap = w + (y - uy) * size + x - ux;
          for (int r = 0; r < generator_channels; ++r) {
            if (i + r < inputs) total.v[r] += a * tap[r * taps];
          }
        }
      }
    }
    return total;
  };
  split_sums(team, tile.count, layer.outputs, scratch, sum,
             [&](int j, const GeneratorSums<T>& total) {
               const int item = tile.from + j;
               const int i = item / positions * generator_channels;
               for (int r = 0; r < generator_channels; ++r) {
                 if (i + r < inputs) composed[(i + r) * positions + item % positions] = total.v[r];
               }
             });
}

// An item makes four outputs' gradients for four inputs: what it reads of each serves all of the other.
template <class Team, class T>
KGF_DEVICE void layer_weight_gradient(Team& team, const GeneratorLayer& layer, int tile_index,
                                      int tiles, const T* above, const T* grad, T* grad_weight) {
  constexpr int C = generator_channels;
  const int size = layer.size, taps = size * size, over = layer.over, side = layer.side;
  const int inputs = layer.inputs, outputs = layer.outputs, across = (inputs + C - 1) / C * taps;
  const Tile tile((outputs + C - 1) / C * across, tile_index, tiles);
  team.each(tile.count, [&](int j) {
    const int item = tile.from + j, v = item % taps;
    const int o = item / across * C, i = item % across / taps * C;
    const T* from = grad + (i * side + v / size) * side + v % size;
    GeneratorSquare<T> total = {};
    for (int uy = 0; uy < over; ++uy) {
      for (int ux = 0; ux < over; ++ux) {
        T a[C], g[C];
        for (int r = 0; r < C; ++r) {
          a[r] = above && o + r < outputs ? above[((o + r) * over + uy) * over + ux] : T(1);
          g[r] = i + r < inputs ? from[(r * side + uy) * side + ux] : T(0);
        }
        total.add(a, g);
      }
    }
    for (int r = 0; r < C && o + r < outputs; ++r) {
      for (int q = 0; q < C && i + q < inputs; ++q) {
        grad_weight[((o + r) * inputs + i + q) * taps + v] = total.v[r * C + q];
      }
    }
  });
}

// An item makes four outputs' gradients at four positions; a term is a row of an input's taps.
template <class Team, class T>
KGF_DEVICE void composition_gradient(Team& team, const GeneratorLayer& layer, int tile_index,
                                     int tiles, const T* weight, const T* grad, T* grad_above,
                                     GeneratorSquare<T>* scratch) {
  constexpr int C = generator_channels;
  const int size = layer.size, over = layer.over, side = layer.side, positions = over * over;
  const int rows = layer.inputs * size, outputs = layer.outputs, across = (positions + C - 1) / C;
  const Tile tile((outputs + C - 1) / C * across, tile_index, tiles);
  const auto sum = [&](int j, int first, int last) {
    const int o = (tile.from + j) / across * C, u = (tile.from + j) % across * C;
    int at[C];
    for (int q = 0; q < C; ++q) {
      at[q] = u + q < positions ? (u + q) / over * side + (u + q) % over : 0;
    }
    GeneratorSquare<T> total = {};
    for (int row = first; row < last; ++row) {
      const T* from = grad + (row / size * side + row % size) * side;
      const T* w = weight + (o * rows + row) * size;
      for (int vx = 0; vx < size; ++vx) {
        T a[C], g[C];
        for (int r = 0; r < C; ++r) {
          a[r] = o + r < outputs ? w[r * rows * size + vx] : T(0);
          g[r] = from[at[r] + vx];
        }
        total.add(a, g);
      }
    }
    return total;
  };
  split_sums<generator_room>(
      team, tile.count, rows, scratch, sum, [&](int j, const GeneratorSquare<T>& total) {
        const int o = (tile.from + j) / across * C, u = (tile.from + j) % across * C;
        for (int r = 0; r < C && o + r < outputs; ++r) {
          for (int q = 0; q < C && u + q < positions; ++q) {
            grad_above[(o + r) * positions + u + q] = total.v[r * C + q];
          }
        }
      });
}

// One block of a stage of the forward pass: problem n, tile `tile`.
template <class Team, class T>
KGF_DEVICE void compose_block(Team& team, const GeneratorPlan& plan, const GeneratorStage& stage,
                              int64_t n, int tile, const T* weights, T* kernel, T* saved,
                              GeneratorSums<T>* scratch) {
  weights += n * plan.weights;
  kernel += n * plan.kernel;
  saved += n * plan.saved;
  for (int l = stage.first; l >= stage.last; --l) {
    const GeneratorLayer& layer = plan.layer[l];
    const T* above = l == plan.layers - 1 ? nullptr : saved + layer.above;
    compose_layer(team, layer, tile, stage.tiles, above, weights + layer.weight,
                  l == 0 ? kernel : saved + layer.composed, scratch);
    team.sync();
  }
  // One layer keeps nothing, but a row of `saved` is never empty.
  if (plan.layers == 1 && tile == 0) team.each(1, [&](int) { saved[0] = 0; });
}

// Likewise of the backward pass. `grads` takes the gradients of the compositions, laid out like `saved`.
template <class Team, class T>
KGF_DEVICE void compose_block_backward(Team& team, const GeneratorPlan& plan,
                                       const GeneratorStage& stage, int64_t n, int tile,
                                       const T* grad_kernel, const T* weights, const T* saved,
                                       T* grad_weights, T* grads, GeneratorSquare<T>* scratch) {
  grad_kernel += n * plan.kernel;
  weights += n * plan.weights;
  saved += n * plan.saved;
  grad_weights += n * plan.weights;
  grads += n * plan.saved;
  const bool both = stage.above_tiles == 0;
  for (int l = stage.first; l <= stage.last; ++l) {
    const GeneratorLayer& layer = plan.layer[l];
    const bool last = l == plan.layers - 1;
    const T* grad = l == 0 ? grad_kernel : grads + layer.composed;
    if (tile < stage.tiles) {
      layer_weight_gradient(team, layer, tile, stage.tiles, last ? nullptr : saved + layer.above,
                            grad, grad_weights + layer.weight);
    }
    if (!last && (both || tile >= stage.tiles)) {
      composition_gradient(team, layer, both ? 0 : tile - stage.tiles, both ? 1 : stage.above_tiles,
                           weights + layer.weight, grad, grads + layer.above, scratch);
    }
    team.sync();
  }
}

}  // namespace kgf
