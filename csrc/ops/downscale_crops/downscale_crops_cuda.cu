#include "core/cuda.h"
#include "ops/downscale_crops/downscale_crops.h"
#include "ops/downscale_crops/downscale_crops_team.h"

namespace kgf::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(downscale_crops_threads)
    forward_kernel(CropShape shape, const T* crops, const T* kernel, T* out) {
  BlockTeam team;
  downscale_crops_tile(team, shape, blockIdx.x, static_cast<int>(blockIdx.y),
                       static_cast<int>(gridDim.y), crops, kernel, out,
                       shared_memory<CropSums<T>>());
}

template <class T>
__global__ void __launch_bounds__(downscale_crops_threads)
    backward_kernel(CropShape shape, const T* grad_out, const T* crops, T* grad_kernel) {
  BlockTeam team;
  downscale_crops_tile_backward(team, shape, blockIdx.x, static_cast<int>(blockIdx.y),
                                static_cast<int>(gridDim.y), grad_out, crops, grad_kernel,
                                shared_memory<CropSums<T>>());
}

CropShape shape_of(const Array& crops, const Array& kernel) {
  const int side = static_cast<int>(crops.shape[2]), taps = static_cast<int>(kernel.shape[1]);
  return {static_cast<int>(crops.shape[1]), side, taps, (side - taps) / 2 + 1};
}

}  // namespace

void downscale_crops_forward(const Array& crops, const Array& kernel, const Array& out,
                             Stream stream) {
  const CropShape shape = shape_of(crops, kernel);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const Launch blocks = downscale_crops_launch(shape, crops.shape[0], sizeof(T));
    launch("downscale_crops", forward_kernel<T>, blocks, crops.device, stream, shape, crops.as<T>(),
           kernel.as<T>(), out.as<T>());
  };
  KGF_BY_DTYPE(crops.dtype == DType::float64, run);
}

void downscale_crops_backward(const Array& grad_out, const Array& crops, const Array& grad_kernel,
                              Stream stream) {
  const CropShape shape = shape_of(crops, grad_kernel);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const Launch blocks = downscale_crops_launch(shape, crops.shape[0], sizeof(T));
    launch("downscale_crops_backward", backward_kernel<T>, blocks, crops.device, stream, shape,
           grad_out.as<T>(), crops.as<T>(), grad_kernel.as<T>());
  };
  KGF_BY_DTYPE(crops.dtype == DType::float64, run);
}

}  // namespace kgf::cuda
