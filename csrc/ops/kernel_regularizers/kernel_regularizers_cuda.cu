#include "core/cuda.h"
#include "ops/kernel_regularizers/kernel_regularizers_team.h"

namespace kgf::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(regularizer_threads)
    regularize_kernel(int side, const T* kernel, const T* mask, const T* weights, T sparse_power,
                      T* loss, T* terms, T* grad) {
  BlockTeam team;
  regularize(team, side, blockIdx.x, kernel, mask, weights, sparse_power, loss, terms, grad,
             shared_memory<RegularizerSums<T>>());
}

}  // namespace

void kernel_regularizers_forward(const Array& kernel, const Array& mask, const Array& weights,
                                 double sparse_power, const Array& loss, const Array& terms,
                                 const Array& grad, Stream stream) {
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const Launch blocks = regularizer_launch(kernel.shape[0], sizeof(T));
    launch("kernel_regularizers", regularize_kernel<T>, blocks, kernel.device, stream,
           static_cast<int>(kernel.shape[1]), kernel.as<T>(), mask.as<T>(), weights.as<T>(),
           static_cast<T>(sparse_power), loss.as<T>(), terms.as<T>(), grad.as<T>());
  };
  KGF_BY_DTYPE(kernel.dtype == DType::float64, run);
}

}  // namespace kgf::cuda
