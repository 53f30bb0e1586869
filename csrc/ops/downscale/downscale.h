// downscale: whole images correlated with an odd kernel and sampled every `scale` pixels.
//
//   out[c][y][x] = Σ k[s][t]·image[c][y·scale + s - K//2][x·scale + t - K//2]
// Beyond the border the image is mirrored with its edge pixel repeated (half-sample symmetric, scipy's
// "reflect"). Out is ceil(H/scale) × ceil(W/scale).
// Source: KernelGAN equation 1, applied to a whole image; border as in DIV2KRK.
#pragma once

#include <cstdint>

#include "core/array.h"
#include "core/device.h"
#include "core/host_device.h"
#include "core/simd_level.h"

namespace kgf {

struct DownscaleShape {
  int height, width, kernel_side, scale;

  KGF_HOST_DEVICE int out_height() const { return (height + scale - 1) / scale; }
  KGF_HOST_DEVICE int out_width() const { return (width + scale - 1) / scale; }
  KGF_HOST_DEVICE int margin() const { return kernel_side / 2; }
  // An input row with its margins, split by column phase: phases × pitch, pixel j at [j % scale][j / scale].
  int pitch() const { return (width + 2 * margin() + scale - 1) / scale + 64; }
  int row_size() const { return scale * pitch(); }
};

// images (N, C, H, W), kernel (1 or N, K, K) → out (N, C, ceil(H/scale), ceil(W/scale)).
void downscale_forward(const Array& images, const Array& kernel, int scale, const Array& out,
                       Stream cuda_stream = {});
// The adjoint: grad_out → grad_images.
void downscale_backward_images(const Array& grad_out, const Array& kernel, int scale,
                               const Array& grad_images, Stream cuda_stream = {});
// grad_out, images → grad_kernel (1 or N, K, K); summed over images where there is one kernel. On a GPU a
// workspace (1 or N, bands, K, K) is needed.
void downscale_backward_kernel(const Array& grad_out, const Array& images, int scale,
                               const Array& grad_kernel, const Array* workspace = nullptr,
                               Stream cuda_stream = {});
// The bands of that workspace for images (N, C, H, W) and the given number of kernels.
int64_t downscale_bands(int64_t images, int64_t channels, int64_t height, int scale,
                        int64_t kernels);

namespace cuda {
void downscale_forward(const DownscaleShape& shape, const Array& images, const Array& kernel,
                       const Array& out, Stream stream);
void downscale_backward_images(const DownscaleShape& shape, const Array& grad_out,
                               const Array& kernel, const Array& grad_images, Stream stream);
void downscale_backward_kernel(const DownscaleShape& shape, const Array& grad_out,
                               const Array& images, const Array& grad_kernel,
                               const Array& workspace, Stream stream);
}  // namespace cuda

// clang-format off
KGF_DECLARE_PER_LEVEL(
// Output rows from..to of one plane.
template <class T>
void downscale_rows(const DownscaleShape& shape, int from, int to, const T* image, const T* kernel, T* out,
                    T* scratch);
template <class T>
void downscale_plane_adjoint(const DownscaleShape& shape, const T* grad_out, const T* kernel, T* grad_image,
                             T* scratch);
// Adds one plane's share to grad_kernel.
template <class T>
void downscale_plane_kernel(const DownscaleShape& shape, const T* grad_out, const T* image, T* grad_kernel,
                            T* scratch);
)
// clang-format on

}  // namespace kgf
