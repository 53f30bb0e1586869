// extract_kernel: the deep linear generator composed into the one kernel that it is, N at once.
//
// The layers are correlations without bias or activation, so their composition is the full convolution
// of their kernels, summed over channels: k = w_L ∗ … ∗ w_1. Composing from the output end keeps the
// number of channels on the left at one: 1.1 M multiply-adds for the published generator, where
// running it over a crop costs 1,293 M.
// Source: KernelGAN section 4.1 (deep linear generator), equation 1.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/array.h"
#include "core/device.h"
#include "core/simd_level.h"

namespace kgf {

constexpr int max_generator_layers = 16;

// Layer l maps inputs(l) to outputs(l) channels with a square kernel of sizes[l].
struct GeneratorLayout {
  int layers, features;
  std::array<int, max_generator_layers> sizes;

  int inputs(int l) const { return l == 0 ? 1 : features; }
  int outputs(int l) const { return l == layers - 1 ? 1 : features; }
  int taps(int l) const { return sizes[l] * sizes[l]; }
  // weights: (outputs, inputs, size, size) of every layer, first layer first.
  int64_t weight(int l) const {
    int64_t offset = 0;
    for (int i = 0; i < l; ++i) offset += int64_t{outputs(i)} * inputs(i) * taps(i);
    return offset;
  }
  int64_t weights() const { return weight(layers); }
  // Side of the composition of layers l..last; 1 beyond the last.
  int side(int l) const {
    int total = 1;
    for (int i = l; i < layers; ++i) total += sizes[i] - 1;
    return total;
  }
  int kernel_side() const { return side(0); }
  // Compositions of layers l..last, (inputs(l), side, side) each, kept for the backward pass: l >= 1.
  int64_t partial(int l) const {
    int64_t offset = 0;
    for (int i = 1; i < l; ++i) offset += int64_t{inputs(i)} * side(i) * side(i);
    return offset;
  }
  int64_t partials() const { return partial(layers); }
  // The largest product (side(l+1)², inputs(l)·taps(l)) or composition of any layer.
  int64_t widest() const;
  // The largest composition, and product transposed, whose positions are padded to whole vectors.
  int64_t padded_composition() const;
  int64_t padded_product() const;
};

// weights (N, P) → kernel (N, K, K), saved (N, partials).
void extract_kernel_forward(const Array& weights, const std::vector<int>& sizes, int features,
                            const Array& kernel, const Array& saved, Stream cuda_stream = {});
// grad_kernel (N, K, K) → grad_weights (N, P). On a GPU a workspace of the shape of saved is needed.
void extract_kernel_backward(const Array& grad_kernel, const Array& weights, const Array& saved,
                             const std::vector<int>& sizes, int features, const Array& grad_weights,
                             const Array* workspace = nullptr, Stream cuda_stream = {});
// Length of a problem's row of `saved`, never 0.
int64_t extract_kernel_saved(const std::vector<int>& sizes, int features);

namespace cuda {
void extract_kernel_forward(const GeneratorLayout& layout, const Array& weights,
                            const Array& kernel, const Array& saved, Stream stream);
void extract_kernel_backward(const GeneratorLayout& layout, const Array& grad_kernel,
                             const Array& weights, const Array& saved, const Array& grad_weights,
                             const Array& workspace, Stream stream);
}  // namespace cuda

// clang-format off
KGF_DECLARE_PER_LEVEL(
template <class T>
void extract_kernel_one(const GeneratorLayout& layout, const T* weights, T* kernel, T* saved, T* scratch);
template <class T>
void extract_kernel_one_backward(const GeneratorLayout& layout, const T* grad_kernel, const T* weights,
                                 const T* saved, T* grad_weights, T* scratch);
)
// clang-format on

}  // namespace kgf
