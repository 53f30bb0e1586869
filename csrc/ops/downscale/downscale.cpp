#include "ops/downscale/downscale.h"

#include <algorithm>

#include "core/checked.h"
#include "core/scratch.h"
#include "core/thread_pool.h"
#include "ops/downscale/downscale_launch.h"

namespace kgf {
namespace {

struct Problem {
  DownscaleShape shape;
  int64_t images, channels, kernels;

  int64_t planes() const { return images * channels; }
  int64_t image_size() const { return int64_t{shape.height} * shape.width; }
  int64_t out_size() const { return int64_t{shape.out_height()} * shape.out_width(); }
  int64_t kernel_size() const { return int64_t{shape.kernel_side} * shape.kernel_side; }
  int64_t kernel_of(int64_t plane) const { return kernels == 1 ? 0 : plane / channels; }
};

Problem problem_of(const Array& images, const char* images_name, const Array& kernel,
                   const char* kernel_name, int scale, const Array& out, const char* out_name) {
  KGF_CHECK(images.rank == 4, images_name, " must be (N, C, H, W), got ", describe(images));
  KGF_CHECK(kernel.rank == 3 && kernel.shape[1] == kernel.shape[2] && kernel.shape[1] % 2 == 1,
            kernel_name, " must be (1 or N, K, K) with odd K, got ", describe(kernel));
  KGF_CHECK(kernel.shape[0] == 1 || kernel.shape[0] == images.shape[0], kernel_name,
            " must hold one kernel or one an image, got ", kernel.shape[0], " for ",
            images.shape[0], " images");
  KGF_CHECK(kernel.shape[1] < 1 << 15, kernel_name, " must have a side below 2^15, got ",
            describe(kernel));
  KGF_CHECK(scale >= 1 && scale <= 64, "scale must be in 1..64, got ", scale);
  KGF_CHECK(images.shape[2] >= 1 && images.shape[3] >= 1 && images.shape[2] < (1 << 24) &&
                images.shape[3] < (1 << 24),
            images_name, " must have sides in 1..2^24, got ", describe(images));
  const Problem problem{{static_cast<int>(images.shape[2]), static_cast<int>(images.shape[3]),
                         static_cast<int>(kernel.shape[1]), scale},
                        images.shape[0],
                        images.shape[1],
                        kernel.shape[0]};
  check(kernel, kernel_name, images.dtype, {-1, -1, -1});
  check(out, out_name, images.dtype,
        {images.shape[0], images.shape[1], problem.shape.out_height(), problem.shape.out_width()});
  return problem;
}

}  // namespace

int64_t downscale_bands(int64_t images, int64_t channels, int64_t height, int scale,
                        int64_t kernels) {
  KGF_CHECK(scale >= 1 && kernels >= 0, "scale must be >= 1 and kernels >= 0, got ", scale, " and ",
            kernels);
  KGF_CHECK(images >= 0 && channels >= 0 && height >= 0 && height < 1 << 24 &&
                product_fits(INT64_MAX >> 24, {images, channels}),
            "images must be (N, C, H, W) with H below 2^24, got N = ", images, ", C = ", channels,
            ", H = ", height);
  const int64_t planes = kernels > 0 ? images * channels / kernels : 0;
  return downscale_band_count(planes * ((height + scale - 1) / scale));
}

void downscale_forward(const Array& images, const Array& kernel, int scale, const Array& out,
                       Stream cuda_stream) {
  const bool wide = is_float64(images, "images");
  const Problem p = problem_of(images, "images", kernel, "kernel", scale, out, "out");
  if (device_of({{images, "images"}, {kernel, "kernel"}, {out, "out"}}) != host) {
    return KGF_CUDA(downscale_forward(p.shape, images, kernel, out, cuda_stream));
  }
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const auto rows = KGF_PER_LEVEL(downscale_rows<T>);
    // Bands of rows, so that one large photo keeps every thread busy.
    const int band = std::max(16, p.shape.kernel_side);
    const int64_t bands = (p.shape.out_height() + band - 1) / band;
    parallel_for(p.planes() * bands, [&](int64_t task) {
      const int64_t plane = task / bands;
      const int from = static_cast<int>(task % bands) * band;
      rows(p.shape, from, std::min(from + band, p.shape.out_height()),
           images.as<T>() + plane * p.image_size(),
           kernel.as<T>() + p.kernel_of(plane) * p.kernel_size(),
           out.as<T>() + plane * p.out_size(),
           scratch<T>(int64_t{p.shape.kernel_side} * p.shape.row_size()));
    });
  };
  KGF_BY_DTYPE(wide, run);
}

void downscale_backward_images(const Array& grad_out, const Array& kernel, int scale,
                               const Array& grad_images, Stream cuda_stream) {
  const bool wide = is_float64(grad_images, "grad_images");
  const Problem p =
      problem_of(grad_images, "grad_images", kernel, "kernel", scale, grad_out, "grad_out");
  if (device_of({{grad_out, "grad_out"}, {kernel, "kernel"}, {grad_images, "grad_images"}}) !=
      host) {
    return KGF_CUDA(downscale_backward_images(p.shape, grad_out, kernel, grad_images, cuda_stream));
  }
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const auto adjoint = KGF_PER_LEVEL(downscale_plane_adjoint<T>);
    parallel_for(p.planes(), [&](int64_t plane) {
      adjoint(p.shape, grad_out.as<T>() + plane * p.out_size(),
              kernel.as<T>() + p.kernel_of(plane) * p.kernel_size(),
              grad_images.as<T>() + plane * p.image_size(), scratch<T>(p.shape.row_size()));
    });
  };
  KGF_BY_DTYPE(wide, run);
}

void downscale_backward_kernel(const Array& grad_out, const Array& images, int scale,
                               const Array& grad_kernel, const Array* workspace,
                               Stream cuda_stream) {
  const bool wide = is_float64(images, "images");
  const Problem p =
      problem_of(images, "images", grad_kernel, "grad_kernel", scale, grad_out, "grad_out");
  if (device_of({{grad_out, "grad_out"}, {images, "images"}, {grad_kernel, "grad_kernel"}}) !=
      host) {
    const int64_t bands = downscale_bands(p.images, p.channels, p.shape.height, scale, p.kernels);
    check_workspace(workspace, images,
                    {p.kernels, bands, p.shape.kernel_side, p.shape.kernel_side});
    return KGF_CUDA(
        downscale_backward_kernel(p.shape, grad_out, images, grad_kernel, *workspace, cuda_stream));
  }
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const auto share = KGF_PER_LEVEL(downscale_plane_kernel<T>);
    std::fill_n(grad_kernel.as<T>(), grad_kernel.size(), T(0));
    // One task a kernel: planes that share one add to it in order.
    parallel_for(p.kernels, [&](int64_t k) {
      const int64_t planes = p.planes() / p.kernels;
      for (int64_t plane = k * planes; plane < (k + 1) * planes; ++plane) {
        share(p.shape, grad_out.as<T>() + plane * p.out_size(),
              images.as<T>() + plane * p.image_size(), grad_kernel.as<T>() + k * p.kernel_size(),
              scratch<T>(p.shape.row_size()));
      }
    });
  };
  KGF_BY_DTYPE(wide, run);
}

}  // namespace kgf
