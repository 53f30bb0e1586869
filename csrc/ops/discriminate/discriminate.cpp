#include "ops/discriminate/discriminate.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "core/checked.h"
#include "core/scratch.h"
#include "core/thread_pool.h"

namespace kgf {
namespace {

std::atomic<bool> tensor_cores{false};

// Refuses sizes that the op does not take, or whose arrays its layout, in ints, could not address.
DiscriminatorLayout layout_of(int64_t channels, int64_t side, int features, int size, int blocks,
                              int64_t passes) {
  KGF_CHECK(passes >= 1 && channels >= 1, "crops need at least one pass and channel, got ", passes,
            " and ", channels);
  KGF_CHECK(features >= 1 && features <= 4096, "features must be in 1..4096, got ", features);
  KGF_CHECK(blocks >= 1 && blocks <= 64, "blocks must be in 1..64, got ", blocks);
  KGF_CHECK(size >= 1 && size <= side, "size must be in 1..S = ", side, ", got ", size);
  // Bounds first, so that no sum below overflows.
  bool fits = side < 1 << 15 && passes <= max_int && product_fits(max_int, {channels, side, side});
  if (fits) {
    const int64_t F = features, taps = channels * size * size;
    const int64_t positions = (side - size + 1) * (side - size + 1);
    const int64_t vectors = taps + 2 * (blocks + 1) * F + 1;
    const int64_t weights = (taps + 1) * F + blocks * (F + 1) * F + F + 1 + 2 * blocks * F;
    const int64_t problem = (taps + blocks * F) * F;
    const int64_t pass = (positions + 2) * blocks * F + blocks + 2 + vectors;
    const int64_t scratch = positions * std::max(taps, F) + (9 + 2 * positions) * F;
    constexpr int64_t most = max_int / 2;  // room for padding
    fits = std::max({weights, problem, scratch}) <= most &&
           product_fits(most - problem, {passes, pass});
  }
  KGF_CHECK(fits, "crops must be small enough for arrays of 2^30 values a problem, got ", passes,
            " passes of ", channels, " x ", side, " x ", side, " with ", features,
            " features, size ", size, " and ", blocks, " blocks");
  return {static_cast<int>(channels), static_cast<int>(side), features, size, blocks};
}

DiscriminatorLayout layout_of(const Array& crops, int features, int size, int blocks) {
  KGF_CHECK(crops.rank == 5 && crops.shape[3] == crops.shape[4],
            "crops must be (N, B, C, S, S), got ", describe(crops));
  return layout_of(crops.shape[2], crops.shape[3], features, size, blocks, crops.shape[1]);
}

// Refuses an array that is given but does not lie where crops do.
void check_optional(const Array* array, const char* argument, const Array& crops) {
  if (array) device_of({{crops, "crops"}, {*array, argument}});
}

template <class T>
void forward(const DiscriminatorLayout& layout, int64_t problems, int passes, const Array& crops,
             const Array& weights, const Array& u, const Array& map, const Array& u_next,
             const Array& saved) {
  const int64_t crop = int64_t{layout.channels} * layout.side * layout.side;
  const auto prepare = KGF_PER_LEVEL(discriminate_prepare<T>);
  const auto pass = KGF_PER_LEVEL(discriminate_pass<T>);
  auto problem_saved = [&](int64_t n) { return saved.as<T>() + n * layout.saved(passes); };
  parallel_for(problems, [&](int64_t n) {
    prepare(layout, passes, weights.as<T>() + n * layout.weights(), u.as<T>() + n * layout.us(),
            u_next.as<T>() + n * layout.us(), problem_saved(n),
            scratch<T>(discriminate_scratch(layout)));
  });
  parallel_for(problems * passes, [&](int64_t task) {
    const int64_t n = task / passes, b = task % passes;
    T* problem = problem_saved(n);
    pass(layout, crops.as<T>() + task * crop, weights.as<T>() + n * layout.weights(), problem,
         problem + layout.problem_part() + b * layout.pass_part(),
         map.as<T>() + task * layout.positions(), scratch<T>(discriminate_scratch(layout)));
  });
}

template <class T>
void backward(const DiscriminatorLayout& layout, int64_t problems, int passes,
              const Array& grad_map, const Array& crops, const Array& weights, const Array& map,
              const Array& saved, const Array* grad_crops, const Array* grad_weights) {
  const int64_t crop = int64_t{layout.channels} * layout.side * layout.side;
  const auto pass = KGF_PER_LEVEL(discriminate_pass_backward<T>);
  const auto combine = KGF_PER_LEVEL(discriminate_combine<T>);
  const int64_t partial = DiscriminatorLayout::padded(layout.weights());
  thread_local std::vector<T> partials;
  if (grad_weights) partials.resize(problems * passes * partial);
  T* const all_partials = partials.data();
  const auto one_pass = [&](int64_t task) {
    const int64_t n = task / passes, b = task % passes;
    const T* problem = saved.as<T>() + n * layout.saved(passes);
    pass(layout, grad_map.as<T>() + task * layout.positions(), crops.as<T>() + task * crop,
         weights.as<T>() + n * layout.weights(), map.as<T>() + task * layout.positions(), problem,
         problem + layout.problem_part() + b * layout.pass_part(),
         grad_crops ? grad_crops->as<T>() + task * crop : nullptr,
         grad_weights ? all_partials + task * partial : nullptr,
         scratch<T>(discriminate_scratch(layout)));
  };
  parallel_for(problems * passes, one_pass, Order::last_to_first);
  if (!grad_weights) return;
  parallel_for(problems, [&](int64_t n) {
    combine(layout, passes, weights.as<T>() + n * layout.weights(),
            saved.as<T>() + n * layout.saved(passes), all_partials + n * passes * partial,
            grad_weights->as<T>() + n * layout.weights(), scratch<T>(discriminate_scratch(layout)));
  });
}

}  // namespace

int64_t discriminate_saved(int channels, int side, int features, int size, int blocks, int passes) {
  return layout_of(channels, side, features, size, blocks, passes).saved(passes);
}

int64_t discriminate_workspace(int channels, int side, int features, int size, int blocks,
                               int passes, [[maybe_unused]] DiscriminateCall call,
                               [[maybe_unused]] bool float64, int device) {
  [[maybe_unused]] const DiscriminatorLayout layout =
      layout_of(channels, side, features, size, blocks, passes);
  int64_t elements = 0;
  if (device != host) {
    KGF_CUDA(discriminate_workspace(layout, passes, call, float64, device, &elements));
  }
  return elements;
}

void set_cuda_matmul(const std::string& precision) {
  KGF_CHECK(precision == "float32" || precision == "tf32",
            "precision must be float32 or tf32, got ", precision);
  tensor_cores = precision == "tf32";
}

std::string cuda_matmul() { return tensor_cores ? "tf32" : "float32"; }

int64_t discriminate_scratch(const DiscriminatorLayout& layout) {
  const int64_t F = layout.features, P = layout.positions(), taps = layout.taps();
  const int64_t wide = taps > F ? taps : F;
  const int64_t backward = (9 + discriminator_chunk + 2 * P) * F + P * wide + P + taps;
  const int64_t combine = 2 * wide * F + P + taps;
  return (backward > combine ? backward : combine) + 64;
}

void discriminate_forward(const Array& crops, const Array& weights, const Array& u, int features,
                          int size, int blocks, const Array& map, const Array& u_next,
                          const Array& saved, const Array* workspace, Stream cuda_stream) {
  const DiscriminatorLayout layout = layout_of(crops, features, size, blocks);
  const int64_t problems = crops.shape[0], passes = crops.shape[1], side = layout.out_side();
  const bool wide = is_float64(crops, "crops");
  check(weights, "weights", crops.dtype, {problems, layout.weights()});
  check(u, "u", crops.dtype, {problems, layout.us()});
  check(map, "map", crops.dtype, {problems, passes, side, side});
  check(u_next, "u_next", crops.dtype, {problems, layout.us()});
  check(saved, "saved", crops.dtype, {problems, layout.saved(static_cast<int>(passes))});
  const int device = device_of({{crops, "crops"},
                                {weights, "weights"},
                                {u, "u"},
                                {map, "map"},
                                {u_next, "u_next"},
                                {saved, "saved"}});
  if (device != host) {
    check_optional(workspace, "workspace", crops);
    return KGF_CUDA(discriminate_forward(layout, crops, weights, u, map, u_next, saved, workspace,
                                         tensor_cores, cuda_stream));
  }
  const auto run = [&](auto zero) {
    forward<decltype(zero)>(layout, problems, static_cast<int>(passes), crops, weights, u, map,
                            u_next, saved);
  };
  KGF_BY_DTYPE(wide, run);
}

void discriminate_backward(const Array& grad_map, const Array& crops, const Array& weights,
                           const Array& map, const Array& saved, int features, int size, int blocks,
                           const Array* grad_crops, const Array* grad_weights,
                           const Array* workspace, Stream cuda_stream) {
  const DiscriminatorLayout layout = layout_of(crops, features, size, blocks);
  const int64_t problems = crops.shape[0], passes = crops.shape[1], side = layout.out_side();
  const bool wide = is_float64(crops, "crops");
  check(grad_map, "grad_map", crops.dtype, {problems, passes, side, side});
  check(weights, "weights", crops.dtype, {problems, layout.weights()});
  check(map, "map", crops.dtype, {problems, passes, side, side});
  check(saved, "saved", crops.dtype, {problems, layout.saved(static_cast<int>(passes))});
  if (grad_crops) {
    check(*grad_crops, "grad_crops", crops.dtype,
          {problems, passes, layout.channels, layout.side, layout.side});
  }
  if (grad_weights) check(*grad_weights, "grad_weights", crops.dtype, {problems, layout.weights()});
  const int device = device_of({{crops, "crops"},
                                {grad_map, "grad_map"},
                                {weights, "weights"},
                                {map, "map"},
                                {saved, "saved"}});
  check_optional(grad_crops, "grad_crops", crops);
  check_optional(grad_weights, "grad_weights", crops);
  if (device != host) {
    check_optional(workspace, "workspace", crops);
    return KGF_CUDA(discriminate_backward(layout, grad_map, crops, weights, map, saved, grad_crops,
                                          grad_weights, workspace, tensor_cores, cuda_stream));
  }
  const auto run = [&](auto zero) {
    backward<decltype(zero)>(layout, problems, static_cast<int>(passes), grad_map, crops, weights,
                             map, saved, grad_crops, grad_weights);
  };
  KGF_BY_DTYPE(wide, run);
}

}  // namespace kgf
