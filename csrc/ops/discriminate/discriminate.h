// discriminate: the patch discriminator on N problems × B crops, forward and backward.
//
//   crop (C, S, S) → 7×7 convolution → blocks × [1×1 convolution, batch norm, ReLU] → 1×1 convolution
//   → sigmoid → map (T, T), T = S - size + 1.
// Every convolution is spectrally normalised; batch norm uses the statistics of the one crop.
// Source: KernelGAN section 4.2 (patch discriminator); spectral normalisation, Miyato et al. 2018.
//
// Two identities save a fifth of the arithmetic:
// - nothing but a scale stands between convolutions 0 and 1, so they are composed into one;
// - batch norm subtracts whatever a convolution's bias adds, so those biases (all but the last
//   convolution's) drop out and their gradient is exactly zero.
#pragma once

#include <cstdint>
#include <string>

#include "core/array.h"
#include "core/device.h"
#include "core/host_device.h"
#include "core/simd_level.h"

namespace kgf {

// Where everything lies. Activations are (positions, features): one position's features adjacent.
struct DiscriminatorLayout {
  int channels, side, features, size, blocks;

  KGF_HOST_DEVICE int out_side() const { return side - size + 1; }
  KGF_HOST_DEVICE int positions() const { return out_side() * out_side(); }
  KGF_HOST_DEVICE int taps() const { return channels * size * size; }
  KGF_HOST_DEVICE int convolutions() const { return blocks + 2; }

  // Inputs and outputs of convolution l.
  KGF_HOST_DEVICE int fan_in(int l) const { return l == 0 ? taps() : features; }
  KGF_HOST_DEVICE int fan_out(int l) const { return l == blocks + 1 ? 1 : features; }

  // weights: (fan_out, fan_in) weight then bias of every convolution, then gamma, beta of every block.
  KGF_HOST_DEVICE int weight(int l) const {
    return l == 0 ? 0 : (taps() + 1) * features + (l - 1) * (features + 1) * features;
  }
  KGF_HOST_DEVICE int bias(int l) const { return weight(l) + fan_out(l) * fan_in(l); }
  KGF_HOST_DEVICE int gamma(int block) const {
    return bias(blocks + 1) + 1 + (block - 1) * 2 * features;
  }
  KGF_HOST_DEVICE int beta(int block) const { return gamma(block) + features; }
  KGF_HOST_DEVICE int weights() const { return gamma(blocks + 1); }

  // u, v: the singular vectors of every convolution, one after another.
  KGF_HOST_DEVICE int u(int l) const { return l * features; }
  KGF_HOST_DEVICE int us() const { return (blocks + 1) * features + 1; }
  KGF_HOST_DEVICE int v(int l) const { return l == 0 ? 0 : taps() + (l - 1) * features; }
  KGF_HOST_DEVICE int vs() const { return taps() + (blocks + 1) * features; }

  // saved, what the backward pass needs of a problem: the composed first convolution (taps, features),
  // the transposed weights of convolutions 2..blocks, then for every pass: the pre-activations of the
  // blocks, their statistics (mean, 1/std), sigma, u and v.
  KGF_HOST_DEVICE int transposed(int l) const { return (taps() + (l - 2) * features) * features; }
  KGF_HOST_DEVICE int problem_part() const {
    return padded((taps() + (blocks - 1) * features) * features);
  }
  KGF_HOST_DEVICE int activation(int block) const { return (block - 1) * positions() * features; }
  KGF_HOST_DEVICE int mean(int block) const {
    return activation(blocks + 1) + (block - 1) * 2 * features;
  }
  KGF_HOST_DEVICE int inverse_std(int block) const { return mean(block) + features; }
  KGF_HOST_DEVICE int sigma() const { return mean(blocks + 1); }
  KGF_HOST_DEVICE int saved_u() const { return sigma() + convolutions(); }
  KGF_HOST_DEVICE int saved_v() const { return saved_u() + us(); }
  KGF_HOST_DEVICE int pass_part() const { return padded(saved_v() + vs()); }
  KGF_HOST_DEVICE int saved(int passes) const { return problem_part() + passes * pass_part(); }

  // Rounded up to a cache line.
  KGF_HOST_DEVICE static int padded(int count) { return (count + 15) / 16 * 16; }
};

// crops (N, B, C, S, S), weights (N, P), u (N, U) → map (N, B, T, T), u_next (N, U), saved (N, Q).
// workspace (N, W) is memory that a GPU works in; null where W is 0.
void discriminate_forward(const Array& crops, const Array& weights, const Array& u, int features,
                          int size, int blocks, const Array& map, const Array& u_next,
                          const Array& saved, const Array* workspace = nullptr,
                          Stream cuda_stream = {});

// Gradients for crops (same shape) and weights (N, P); a null array is not computed.
void discriminate_backward(const Array& grad_map, const Array& crops, const Array& weights,
                           const Array& map, const Array& saved, int features, int size, int blocks,
                           const Array* grad_crops, const Array* grad_weights,
                           const Array* workspace = nullptr, Stream cuda_stream = {});

// Length Q of a problem's row of `saved`; the same on every device.
int64_t discriminate_saved(int channels, int side, int features, int size, int blocks, int passes);

// Which call a workspace is for.
enum class DiscriminateCall { forward, backward_crops, backward_weights, backward_both };

// Length W of a problem's row of `workspace` on a device: 0 on the host, and usually for a forward.
int64_t discriminate_workspace(int channels, int side, int features, int size, int blocks,
                               int passes, DiscriminateCall call, bool float64, int device);

// How a GPU multiplies the matrices of float32 passes: "float32", the default, or "tf32" on tensor
// cores (factors rounded to 11 bits, sums in float32) where it has them.
void set_cuda_matmul(const std::string& precision);
std::string cuda_matmul();

// The same for arrays of one GPU, already checked.
namespace cuda {
void discriminate_forward(const DiscriminatorLayout& layout, const Array& crops,
                          const Array& weights, const Array& u, const Array& map,
                          const Array& u_next, const Array& saved, const Array* workspace,
                          bool tensor_cores, Stream stream);
void discriminate_backward(const DiscriminatorLayout& layout, const Array& grad_map,
                           const Array& crops, const Array& weights, const Array& map,
                           const Array& saved, const Array* grad_crops, const Array* grad_weights,
                           const Array* workspace, bool tensor_cores, Stream stream);
void discriminate_workspace(const DiscriminatorLayout& layout, int passes, DiscriminateCall call,
                            bool float64, int device, int64_t* elements);
}  // namespace cuda

// clang-format off
KGF_DECLARE_PER_LEVEL(
// One problem's share before its passes: B power iterations, transposed and composed weights.
template <class T>
void discriminate_prepare(const DiscriminatorLayout& layout, int passes, const T* weights, const T* u,
                          T* u_next, T* saved, T* scratch);
// One pass forward: crop → map.
template <class T>
void discriminate_pass(const DiscriminatorLayout& layout, const T* crop, const T* weights,
                       const T* problem, T* pass, T* map, T* scratch);
// One pass backward. grad_crop may be null. partial, unless null, takes this pass' gradients in the
// layout of weights, but (taps, features) for the composed convolution in the place of weight 0.
template <class T>
void discriminate_pass_backward(const DiscriminatorLayout& layout, const T* grad_map, const T* crop,
                                const T* weights, const T* map, const T* problem, const T* pass,
                                T* grad_crop, T* partial, T* scratch);
// Sums the passes' partial gradients into the gradient of a problem's weights.
template <class T>
void discriminate_combine(const DiscriminatorLayout& layout, int passes, const T* weights,
                          const T* saved, const T* partials, T* grad_weights, T* scratch);
)
// clang-format on

// Positions handled together, so that a chunk's activations stay in the first-level cache between
// the steps that touch them.
constexpr int discriminator_chunk = 48;

// Elements of scratch that one call of the functions above needs.
int64_t discriminate_scratch(const DiscriminatorLayout& layout);

}  // namespace kgf
