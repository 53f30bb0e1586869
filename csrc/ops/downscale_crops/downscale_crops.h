// downscale_crops: valid correlation of crops with each problem's kernel, stride 2.
//
//   out[c][y][x] = Σ k[s][t]·crop[c][2y + s][2x + t],   T = (S - K)//2 + 1
// What the generator does to its crops, with the generator composed. Gradient for the kernel alone:
// crops are data.
// Source: KernelGAN equation 1.
#pragma once

#include <cstdint>

#include "core/array.h"
#include "core/device.h"
#include "core/simd_level.h"

namespace kgf {

// crops (N, C, S, S), kernel (N, K, K) → out (N, C, T, T).
void downscale_crops_forward(const Array& crops, const Array& kernel, const Array& out,
                             Stream cuda_stream = {});
// grad_out (N, C, T, T), crops (N, C, S, S) → grad_kernel (N, K, K).
void downscale_crops_backward(const Array& grad_out, const Array& crops, const Array& grad_kernel,
                              Stream cuda_stream = {});

namespace cuda {
void downscale_crops_forward(const Array& crops, const Array& kernel, const Array& out,
                             Stream stream);
void downscale_crops_backward(const Array& grad_out, const Array& crops, const Array& grad_kernel,
                              Stream stream);
}  // namespace cuda

// clang-format off
KGF_DECLARE_PER_LEVEL(
template <class T>
void downscale_crops_one(int channels, int side, int kernel_side, const T* crop, const T* kernel, T* out,
                         T* scratch);
template <class T>
void downscale_crops_one_backward(int channels, int side, int kernel_side, const T* grad_out,
                                  const T* crop, T* grad_kernel, T* scratch);
)
// clang-format on

}  // namespace kgf
