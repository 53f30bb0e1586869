// The arithmetic that GPUs run, run by threads of the host, against the op on the CPU.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "discriminate_host_cluster.h"
#include "expect.h"
#include "ops/discriminate/discriminate_team_backward.h"
#include "ops/discriminate/discriminate_team_combine.h"
#include "ops/discriminate/discriminate_team_forward.h"
#include "ops/discriminate/discriminate_team_prepare.h"

using namespace kgf;
using namespace kgf::discriminator;

namespace {

template <class T>
constexpr DType dtype = sizeof(T) == 8 ? DType::float64 : DType::float32;

// What a call's pass is run by.
struct Cut {
  int ranks;    // of a cluster that keeps its activations; 1 does not
  int threads;  // a rank
  int chunk;    // positions at a time
  int grads;
};

// All arrays of one call. The problem's arrays begin one element late, so that none is aligned.
template <class T>
struct Call {
  DiscriminatorLayout layout;
  int passes;
  std::vector<T> crops, weights, u, grad_map, map, u_next, saved, grad_crops, grad_weights;

  Call(const DiscriminatorLayout& l, int b, unsigned seed, int late)
      : layout(l), passes(b), late_(late) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    const auto fill = [&](std::vector<T>& data, int64_t count, double size) {
      data.resize(count + late_);
      for (T& value : data) value = static_cast<T>(size * normal(random));
    };
    fill(crops, crop_size() * passes, 1);
    fill(weights, layout.weights(), 0.3);
    fill(u, layout.us(), 1);
    fill(grad_map, map_size() * passes, 1);
    map.resize(map_size() * passes + late_);
    u_next.resize(layout.us() + late_);
    saved.resize(layout.saved(passes));
    grad_crops.resize(crops.size());
    grad_weights.resize(weights.size());
  }

  int64_t crop_size() const { return int64_t{layout.channels} * layout.side * layout.side; }
  int64_t map_size() const { return layout.positions(); }
  T* at(std::vector<T>& data) { return data.data() + late_; }
  Array array(std::vector<T>& data, std::vector<int64_t> shape) {
    Array result{
        data.data() + (&data == &saved ? 0 : late_), dtype<T>, static_cast<int>(shape.size()), {}};
    std::copy(shape.begin(), shape.end(), result.shape.begin());
    return result;
  }

  void on_cpu(bool to_crops, bool to_weights) {
    const DiscriminatorLayout& l = layout;
    const Array c = array(crops, {1, passes, l.channels, l.side, l.side}),
                w = array(weights, {1, l.weights()}),
                m = array(map, {1, passes, l.out_side(), l.out_side()}),
                s = array(saved, {1, l.saved(passes)}),
                gc = array(grad_crops, {1, passes, l.channels, l.side, l.side}),
                gw = array(grad_weights, {1, l.weights()});
    discriminate_forward(c, w, array(u, {1, l.us()}), l.features, l.size, l.blocks, m,
                         array(u_next, {1, l.us()}), s);
    discriminate_backward(array(grad_map, {1, passes, l.out_side(), l.out_side()}), c, w, m, s,
                          l.features, l.size, l.blocks, to_crops ? &gc : nullptr,
                          to_weights ? &gw : nullptr);
  }

  void prepare_by_team(int threads, int64_t vectors) {
    for (int task = 0; task < prepare_tasks(layout); ++task) {
      test::on_cluster<T, false>(1, threads, weights_scratch + vectors, [&](auto& team) {
        using Team = std::remove_reference_t<decltype(team)>;
        Prepare<Team, T>{team,       layout,       passes,      at(weights), at(u),
                         at(u_next), saved.data(), team.room(), vectors}
            .run(task);
      });
    }
  }

  T* pass_part(int b) { return saved.data() + layout.problem_part() + b * layout.pass_part(); }

  template <bool Keeps, bool Tensor>
  void forward_by_team(const Cut& cut) {
    const int rows = ceil_div(layout.positions(), cut.ranks);
    const ForwardRoom room(layout, rows, cut.chunk, Keeps);
    for (int b = 0; b < passes; ++b) {
      test::on_cluster<T, Keeps, Tensor>(cut.ranks, cut.threads, room.elements, [&](auto& team) {
        using Team = std::remove_reference_t<decltype(team)>;
        ForwardPass<Team, T>{team,
                             layout,
                             room,
                             team.room(),
                             at(crops) + b * crop_size(),
                             at(weights),
                             saved.data(),
                             pass_part(b),
                             at(map) + b * map_size()}
            .run();
      });
    }
  }

  template <bool Keeps, bool Tensor>
  void backward_by_team(const Cut& cut, bool to_crops, bool to_weights) {
    const int rows = ceil_div(layout.positions(), cut.ranks);
    const BackwardRoom room(layout, rows, cut.chunk, Keeps, to_crops, to_weights, cut.grads);
    const int64_t partial = partial_elements(layout, cut.ranks);
    std::vector<T> partials(partial * passes, std::numeric_limits<T>::quiet_NaN()),
        kept(layout.positions() * rounded(layout.features) + 4);
    T* g = kept.data() + (4 - reinterpret_cast<size_t>(kept.data()) / sizeof(T) % 4) % 4;
    for (int b = 0; b < passes; ++b) {
      test::on_cluster<T, Keeps, Tensor>(cut.ranks, cut.threads, room.elements, [&](auto& team) {
        using Team = std::remove_reference_t<decltype(team)>;
        BackwardPass<Team, T>{team,
                              layout,
                              room,
                              team.room(),
                              at(grad_map) + b * map_size(),
                              at(crops) + b * crop_size(),
                              at(weights),
                              at(map) + b * map_size(),
                              saved.data(),
                              pass_part(b),
                              to_crops ? at(grad_crops) + b * crop_size() : nullptr,
                              to_weights ? partials.data() + b * partial : nullptr,
                              g}
            .run();
      });
    }
    for (int task = 0; to_weights && task < combine_tasks(layout); ++task) {
      test::on_cluster<T, false>(1, cut.threads, weights_scratch, [&](auto& team) {
        using Team = std::remove_reference_t<decltype(team)>;
        Combine<Team, T>{team,         layout,          passes,           cut.ranks,  at(weights),
                         saved.data(), partials.data(), at(grad_weights), team.room()}
            .run(task);
      });
    }
  }

 private:
  int late_;
};

// Relative error in the sense of squares.
template <class T>
void expect_close(const std::vector<T>& got, const std::vector<T>& wanted, double tolerance,
                  const std::string& what) {
  double error = 0, size = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    error += std::pow(static_cast<double>(got[i]) - wanted[i], 2);
    size += std::pow(static_cast<double>(wanted[i]), 2);
  }
  const double relative = std::sqrt(error / size);
  const bool close = relative <= tolerance;  // false for NaN
  if (!close)
    std::fprintf(stderr, "%s: off by %g, allowed %g\n", what.c_str(), relative, tolerance);
  EXPECT(close);
}

template <class T, bool Tensor>
void compare(const DiscriminatorLayout& layout, int passes, const Cut& cut, bool to_crops,
             bool to_weights, int64_t vectors) {
  const unsigned seed = 7;
  const int late = (layout.features + cut.ranks) % 2;
  Call<T> wanted(layout, passes, seed, late), got(layout, passes, seed, late);
  wanted.on_cpu(to_crops, to_weights);
  std::fill(got.saved.begin(), got.saved.end(), std::numeric_limits<T>::quiet_NaN());
  const std::string name =
      concat(Tensor           ? "tf32"
             : sizeof(T) == 8 ? "float64"
                              : "float32",
             " F", layout.features, " k", layout.size, " S", layout.side, " blocks ", layout.blocks,
             " passes ", passes, " ranks ", cut.ranks, " chunk ", cut.chunk);
  // Backward in float32 a ReLU at its kink may open on one side only.
  const double forward = Tensor ? 5e-3 : sizeof(T) == 8 ? 1e-13 : 2e-5;
  const double backward = Tensor ? 0.1 : sizeof(T) == 8 ? 1e-12 : 2e-2;
  got.prepare_by_team(cut.threads, vectors);
  if (cut.ranks > 1) {
    got.template forward_by_team<true, Tensor>(cut);
  } else {
    got.template forward_by_team<false, Tensor>(cut);
  }
  expect_close(got.u_next, wanted.u_next, forward, name + ": u_next");
  expect_close(got.saved, wanted.saved, forward, name + ": saved");
  expect_close(got.map, wanted.map, forward, name + ": map");
  if (cut.ranks > 1) {
    got.template backward_by_team<true, Tensor>(cut, to_crops, to_weights);
  } else {
    got.template backward_by_team<false, Tensor>(cut, to_crops, to_weights);
  }
  if (to_crops) expect_close(got.grad_crops, wanted.grad_crops, backward, name + ": grad_crops");
  if (to_weights) {
    expect_close(got.grad_weights, wanted.grad_weights, backward, name + ": grad_weights");
  }
}

template <class T, bool Tensor = false>
void all_cases() {
  const DiscriminatorLayout shapes[] = {
      {3, 26, 64, 7, 5}, {3, 13, 33, 5, 3}, {1, 9, 17, 2, 1}, {2, 11, 5, 3, 2}, {3, 8, 7, 7, 4},
  };
  int turn = 0;
  for (const DiscriminatorLayout& layout : shapes) {
    const int all = layout.positions();
    for (const Cut& cut :
         {Cut{8, 1, all, 2}, Cut{3, 2, all, 1}, Cut{1, 3, 20, 1}, Cut{1, 2, all, 1}}) {
      ++turn;
      const bool both = turn % 3 == 0, crops = both || turn % 3 == 1, to_weights = both || !crops;
      compare<T, Tensor>(layout, 1 + turn % 3, cut, crops, to_weights, turn % 2 ? 1024 : 0);
    }
  }
}

// Whole numbers, which tf32 holds exactly, against plain loops.
void products_are_exact(int rows, int columns, int depth) {
  const int deep = rounded(depth), pitch_a = row_pitch(depth), pitch_b = weight_pitch(columns);
  std::mt19937 random(1);
  std::vector<float> a(rows * pitch_a), b(rounded(columns) * row_pitch(depth) + deep * pitch_b);
  const auto number = [&] { return static_cast<float>(static_cast<int>(random() % 15) - 7); };
  const auto wanted = [&](int m, int n, const auto& left, const auto& right) {
    float total = 0;
    for (int k = 0; k < depth; ++k) total += left(m, k) * right(k, n);
    return total;
  };
  for (int m = 0; m < rows; ++m) {
    for (int k = 0; k < depth; ++k) a[m * pitch_a + k] = number();
  }
  const auto left = [&](int m, int k) { return a[m * pitch_a + k]; };
  const auto by_rows = [&](int k, int n) { return b[k * pitch_b + n]; };
  const auto by_columns = [&](int k, int n) { return b[n * row_pitch(depth) + k]; };
  int found = 0;
  for (int k = 0; k < depth; ++k) {
    for (int n = 0; n < columns; ++n) b[k * pitch_b + n] = number();
  }
  for (int item = 0; item < product_items(rows, columns); ++item) {
    multiply(item, rows, deep, a.data(), pitch_a, b.data(), pitch_b,
             [&](const TileRows& tile, int quad, const Quad<float>* sum) {
               for (int r = 0; r < tile_rows; ++r) {
                 for (int c = 0; c < 4; ++c) {
                   if (!tile.has(r) || 4 * quad + c >= columns) continue;
                   ++found;
                   EXPECT(sum[r].v[c] == wanted(tile(r), 4 * quad + c, left, by_rows));
                 }
               }
             });
  }
  for (int item = 0; item < warp_items(rows, columns); ++item) {
    multiply_by_warp(item, rows, columns, depth, {a.data(), pitch_a, 1}, {b.data(), pitch_b, 1},
                     [&](int m, int n, float sum) {
                       ++found;
                       EXPECT(sum == wanted(m, n, left, by_rows));
                     });
  }
  // The rows of a as depth: (depth of a, columns) = aᵀ·b with b of as many rows.
  std::vector<float> tall(rows * pitch_b);
  for (int m = 0; m < rows; ++m) {
    for (int n = 0; n < columns; ++n) tall[m * pitch_b + n] = number();
  }
  for (int item = 0; item < outer_items(depth, columns); ++item) {
    multiply_outer(item, rows, depth, columns, a.data(), pitch_a, tall.data(), pitch_b,
                   [&](int k, int quad, const Quad<float>& sum) {
                     for (int c = 0; c < 4 && 4 * quad + c < columns; ++c) {
                       float total = 0;
                       for (int m = 0; m < rows; ++m) {
                         total += left(m, k) * tall[m * pitch_b + 4 * quad + c];
                       }
                       ++found;
                       EXPECT(sum.v[c] == total);
                     }
                   });
  }
  std::fill(b.begin(), b.end(), 0.0f);
  for (int n = 0; n < columns; ++n) {
    for (int k = 0; k < depth; ++k) b[n * row_pitch(depth) + k] = number();
  }
  for (int item = 0; item < product_items(rows, columns); ++item) {
    multiply_transposed(item, rows, columns, deep, a.data(), pitch_a, b.data(), row_pitch(depth),
                        [&](const TileRows& tile, int first, int step, const Quad<float>* sum) {
                          for (int r = 0; r < tile_rows; ++r) {
                            for (int c = 0; c < 4; ++c) {
                              const int n = first + c * step;
                              if (!tile.has(r) || n >= columns) continue;
                              ++found;
                              EXPECT(sum[r].v[c] == wanted(tile(r), n, left, by_columns));
                            }
                          }
                        });
  }
  EXPECT(found == 3 * rows * columns + depth * columns);
}

}  // namespace

int main() {
  products_are_exact(50, 64, 64);
  products_are_exact(1, 1, 1);
  products_are_exact(17, 33, 9);
  products_are_exact(9, 5, 147);
  all_cases<float>();
  all_cases<float, true>();
#ifdef KGF_FLOAT64
  all_cases<double>();
#endif
  return test::finish();
}
