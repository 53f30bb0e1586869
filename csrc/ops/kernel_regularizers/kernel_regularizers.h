// kernel_regularizers: the four penalties on a kernel, their values and gradient in one pass.
//
//   sum to one  |1 - Σk|
//   boundaries  mean |k·mask|
//   centre      mean over the axes of (centre of mass - c)²,  c = K//2 + ½(2 - K mod 2)
//   sparse      mean |k|^p, its gradient taken as 0 where k = 0
// A term of weight 0 adds neither to the loss nor to the gradient (the centre of mass of a kernel that
// sums to nothing is no number).
// Source: KernelGAN equations 2 and 3; means where the paper writes sums.
#pragma once

#include <cstdint>

#include "core/array.h"
#include "core/device.h"
#include "core/simd_level.h"

namespace kgf {

constexpr int regularizer_terms = 4;

// kernel (N, K, K), mask (K, K), weights (N, 4) → loss (N), terms (N, 4) unweighted, grad (N, K, K),
// the gradient of loss with respect to kernel.
void kernel_regularizers_forward(const Array& kernel, const Array& mask, const Array& weights,
                                 double sparse_power, const Array& loss, const Array& terms,
                                 const Array& grad, Stream cuda_stream = {});

namespace cuda {
void kernel_regularizers_forward(const Array& kernel, const Array& mask, const Array& weights,
                                 double sparse_power, const Array& loss, const Array& terms,
                                 const Array& grad, Stream stream);
}

// clang-format off
KGF_DECLARE_PER_LEVEL(
template <class T>
void kernel_regularizers_one(int side, const T* kernel, const T* mask, const T* weights, T sparse_power,
                             T* loss, T* terms, T* grad);
)
// clang-format on

}  // namespace kgf
