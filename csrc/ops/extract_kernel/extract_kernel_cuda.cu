#include "core/cuda.h"
#include "ops/extract_kernel/extract_kernel_team.h"

namespace kgf::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(generator_threads)
    compose(GeneratorPlan plan, GeneratorStage stage, const T* weights, T* kernel, T* saved) {
  BlockTeam team;
  compose_block(team, plan, stage, blockIdx.x, static_cast<int>(blockIdx.y), weights, kernel, saved,
                shared_memory<GeneratorSums<T>>());
}

template <class T>
__global__ void __launch_bounds__(generator_threads)
    compose_backward(GeneratorPlan plan, GeneratorStage stage, const T* grad_kernel,
                     const T* weights, const T* saved, T* grad_weights, T* grads) {
  BlockTeam team;
  compose_block_backward(team, plan, stage, blockIdx.x, static_cast<int>(blockIdx.y), grad_kernel,
                         weights, saved, grad_weights, grads, shared_memory<GeneratorSquare<T>>());
}

}  // namespace

void extract_kernel_forward(const GeneratorLayout& layout, const Array& weights,
                            const Array& kernel, const Array& saved, Stream stream) {
  const GeneratorPlan plan = generator_plan(layout);
  const GeneratorStages stages = generator_stages(plan, false);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    for (int s = 0; s < stages.count; ++s) {
      const Launch blocks = generator_launch(stages.stage[s], weights.shape[0], sizeof(T));
      launch("extract_kernel", compose<T>, blocks, weights.device, stream, plan, stages.stage[s],
             weights.as<T>(), kernel.as<T>(), saved.as<T>());
    }
  };
  KGF_BY_DTYPE(weights.dtype == DType::float64, run);
}

void extract_kernel_backward(const GeneratorLayout& layout, const Array& grad_kernel,
                             const Array& weights, const Array& saved, const Array& grad_weights,
                             const Array& workspace, Stream stream) {
  const GeneratorPlan plan = generator_plan(layout);
  const GeneratorStages stages = generator_stages(plan, true);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    for (int s = 0; s < stages.count; ++s) {
      const Launch blocks = generator_launch(stages.stage[s], weights.shape[0], sizeof(T));
      launch("extract_kernel_backward", compose_backward<T>, blocks, weights.device, stream, plan,
             stages.stage[s], grad_kernel.as<T>(), weights.as<T>(), saved.as<T>(),
             grad_weights.as<T>(), workspace.as<T>());
    }
  };
  KGF_BY_DTYPE(weights.dtype == DType::float64, run);
}

}  // namespace kgf::cuda
