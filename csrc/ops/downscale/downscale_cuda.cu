#include "core/cuda.h"
#include "ops/downscale/downscale_team.h"

namespace kgf::cuda {
namespace {

template <bool Staged, class T>
__global__ void __launch_bounds__(downscale_threads)
    tile_kernel(DownscaleShape shape, DownscalePlan plan, int64_t planes_a_kernel, const T* images,
                const T* kernels, T* out) {
  BlockTeam team;
  downscale_tile<Staged>(team, shape, plan, blockIdx.x, planes_a_kernel, images, kernels, out,
                         shared_memory<T>());
}

template <class T>
__global__ void __launch_bounds__(downscale_threads)
    gather_kernel(DownscaleShape shape, DownscaleGatherPlan plan, int64_t planes_a_kernel,
                  const T* grad_out, const T* kernels, T* grad_images) {
  BlockTeam team;
  downscale_gather(team, shape, plan, blockIdx.x, planes_a_kernel, grad_out, kernels, grad_images);
}

template <class T>
__global__ void __launch_bounds__(kernel_threads)
    band_kernel(DownscaleShape shape, DownscaleKernelPlan plan, const T* grad_out, const T* images,
                T* partials) {
  BlockTeam team;
  downscale_kernel_band(team, shape, plan, blockIdx.x / plan.bands,
                        static_cast<int>(blockIdx.x % plan.bands), static_cast<int>(blockIdx.y),
                        grad_out, images, partials, shared_memory<TapSums<T>>());
}

template <class T>
__global__ void __launch_bounds__(kernel_threads)
    total_kernel(DownscaleShape shape, DownscaleKernelPlan plan, const T* partials,
                 T* grad_kernel) {
  BlockTeam team;
  downscale_kernel_total(team, shape, plan, blockIdx.x, static_cast<int>(blockIdx.y), partials,
                         grad_kernel, shared_memory<T>());
}

// Planes that meet the same kernel; never 0, for it divides.
int64_t planes_a_kernel(const Array& images, const Array& kernel) {
  const int64_t planes = images.shape[0] * images.shape[1];
  const int64_t each = kernel.shape[0] > 0 ? planes / kernel.shape[0] : 0;
  return each > 0 ? each : 1;
}

}  // namespace

void downscale_forward(const DownscaleShape& shape, const Array& images, const Array& kernel,
                       const Array& out, Stream stream) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const DownscalePlan plan = downscale_plan(shape, images.shape[0] * images.shape[1], sizeof(T),
                                              limits_of(images.device));
    const auto tile = plan.staged ? tile_kernel<true, T> : tile_kernel<false, T>;
    launch("downscale", tile, plan.launch, images.device, stream, shape, plan,
           planes_a_kernel(images, kernel), images.as<T>(), kernel.as<T>(), out.as<T>());
  };
  KGF_BY_DTYPE(images.dtype == DType::float64, run);
}

void downscale_backward_images(const DownscaleShape& shape, const Array& grad_out,
                               const Array& kernel, const Array& grad_images, Stream stream) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const DownscaleGatherPlan plan =
        downscale_gather_plan(shape, grad_images.shape[0] * grad_images.shape[1]);
    launch("downscale_backward_images", gather_kernel<T>, plan.launch, grad_images.device, stream,
           shape, plan, planes_a_kernel(grad_images, kernel), grad_out.as<T>(), kernel.as<T>(),
           grad_images.as<T>());
  };
  KGF_BY_DTYPE(grad_images.dtype == DType::float64, run);
}

void downscale_backward_kernel(const DownscaleShape& shape, const Array& grad_out,
                               const Array& images, const Array& grad_kernel,
                               const Array& workspace, Stream stream) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const DownscaleKernelPlan plan = downscale_kernel_plan(shape, images.shape[0] * images.shape[1],
                                                           grad_kernel.shape[0], sizeof(T));
    launch("downscale_backward_kernel", band_kernel<T>, plan.partial, images.device, stream, shape,
           plan, grad_out.as<T>(), images.as<T>(), workspace.as<T>());
    launch("downscale_backward_kernel", total_kernel<T>, plan.total, images.device, stream, shape,
           plan, workspace.as<T>(), grad_kernel.as<T>());
  };
  KGF_BY_DTYPE(images.dtype == DType::float64, run);
}

}  // namespace kgf::cuda
