#include "ops/extract_kernel/extract_kernel.h"

#include <algorithm>

#include "core/checked.h"
#include "core/scratch.h"
#include "core/thread_pool.h"

namespace kgf {
namespace {

int64_t largest_weight(const GeneratorLayout& layout) {
  int64_t most = 0;
  for (int l = 0; l < layout.layers; ++l) {
    most = std::max(most, layout.weight(l + 1) - layout.weight(l));
  }
  return most;
}

GeneratorLayout layout_of(const std::vector<int>& sizes, int features) {
  const int layers = static_cast<int>(sizes.size());
  KGF_CHECK(layers >= 1 && layers <= max_generator_layers, "sizes must name 1..",
            max_generator_layers, " layers, got ", layers);
  KGF_CHECK(features >= 1 && features <= 4096, "features must be in 1..4096, got ", features);
  GeneratorLayout layout{layers, features, {}};
  for (int l = 0; l < layers; ++l) {
    KGF_CHECK(sizes[l] >= 1 && sizes[l] <= 31, "sizes must be in 1..31, got ", sizes[l]);
    layout.sizes[l] = sizes[l];
  }
  const int64_t most = std::max({largest_weight(layout), layout.widest(),
                                 layout.padded_composition(), layout.padded_product()});
  KGF_CHECK(most <= max_int, "features and sizes must need fewer than 2^31 values a layer, got ",
            most, "; take fewer features or smaller layers");
  return layout;
}

constexpr int64_t widest_vector = 16;

// Scratch of one problem's backward pass: a product's gradient, two compositions', two padded ones.
int64_t scratch_size(const GeneratorLayout& layout) {
  return 3 * layout.widest() + layout.padded_composition() + layout.padded_product();
}

int64_t padded_positions(const GeneratorLayout& layout, int l) {
  return int64_t{layout.side(l + 1)} * layout.side(l + 1) + widest_vector;
}

}  // namespace

int64_t GeneratorLayout::widest() const {
  int64_t most = 1;
  for (int l = 0; l < layers; ++l) {
    const int64_t above = int64_t{side(l + 1)} * side(l + 1);
    most = std::max({most, above * inputs(l) * taps(l), int64_t{inputs(l)} * side(l) * side(l)});
  }
  return most;
}

int64_t GeneratorLayout::padded_composition() const {
  int64_t most = 1;
  for (int l = 0; l < layers; ++l) most = std::max(most, outputs(l) * padded_positions(*this, l));
  return most;
}

int64_t GeneratorLayout::padded_product() const {
  int64_t most = 1;
  for (int l = 0; l < layers; ++l) {
    most = std::max(most, int64_t{inputs(l)} * taps(l) * padded_positions(*this, l));
  }
  return most;
}

int64_t extract_kernel_saved(const std::vector<int>& sizes, int features) {
  return std::max<int64_t>(1, layout_of(sizes, features).partials());
}

void extract_kernel_forward(const Array& weights, const std::vector<int>& sizes, int features,
                            const Array& kernel, const Array& saved, Stream cuda_stream) {
  const GeneratorLayout layout = layout_of(sizes, features);
  const bool wide = is_float64(weights, "weights");
  KGF_CHECK(weights.rank == 2, "weights must be (N, P), got ", describe(weights));
  const int64_t problems = weights.shape[0], side = layout.kernel_side();
  const int64_t row = extract_kernel_saved(sizes, features);
  check(weights, "weights", weights.dtype, {problems, layout.weights()});
  check(kernel, "kernel", weights.dtype, {problems, side, side});
  check(saved, "saved", weights.dtype, {problems, row});
  if (device_of({{weights, "weights"}, {kernel, "kernel"}, {saved, "saved"}}) != host) {
    return KGF_CUDA(extract_kernel_forward(layout, weights, kernel, saved, cuda_stream));
  }
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const auto one = KGF_PER_LEVEL(extract_kernel_one<T>);
    parallel_for(problems, [&](int64_t n) {
      one(layout, weights.as<T>() + n * layout.weights(), kernel.as<T>() + n * side * side,
          saved.as<T>() + n * row, scratch<T>(scratch_size(layout)));
    });
  };
  KGF_BY_DTYPE(wide, run);
}

void extract_kernel_backward(const Array& grad_kernel, const Array& weights, const Array& saved,
                             const std::vector<int>& sizes, int features, const Array& grad_weights,
                             const Array* workspace, Stream cuda_stream) {
  const GeneratorLayout layout = layout_of(sizes, features);
  const bool wide = is_float64(weights, "weights");
  KGF_CHECK(weights.rank == 2, "weights must be (N, P), got ", describe(weights));
  const int64_t problems = weights.shape[0], side = layout.kernel_side();
  const int64_t row = extract_kernel_saved(sizes, features);
  check(grad_kernel, "grad_kernel", weights.dtype, {problems, side, side});
  check(weights, "weights", weights.dtype, {problems, layout.weights()});
  check(saved, "saved", weights.dtype, {problems, row});
  check(grad_weights, "grad_weights", weights.dtype, {problems, layout.weights()});
  if (device_of({{grad_kernel, "grad_kernel"},
                 {weights, "weights"},
                 {saved, "saved"},
                 {grad_weights, "grad_weights"}}) != host) {
    check_workspace(workspace, weights, {problems, row});
    return KGF_CUDA(extract_kernel_backward(layout, grad_kernel, weights, saved, grad_weights,
                                            *workspace, cuda_stream));
  }
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const auto one = KGF_PER_LEVEL(extract_kernel_one_backward<T>);
    parallel_for(problems, [&](int64_t n) {
      one(layout, grad_kernel.as<T>() + n * side * side, weights.as<T>() + n * layout.weights(),
          saved.as<T>() + n * row, grad_weights.as<T>() + n * layout.weights(),
          scratch<T>(scratch_size(layout)));
    });
  };
  KGF_BY_DTYPE(wide, run);
}

}  // namespace kgf
