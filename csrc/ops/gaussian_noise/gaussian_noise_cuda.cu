#include "core/cuda.h"
#include "ops/gaussian_noise/gaussian_noise.h"
#include "ops/gaussian_noise/gaussian_noise_launch.h"
#include "ops/gaussian_noise/gaussian_noise_team.h"

namespace kgf::cuda {
namespace {

__global__ void __launch_bounds__(noise_threads)
    noise_kernel(int64_t problems, int64_t each, int64_t blocks, int64_t share,
                 const int64_t* seeds, uint32_t stream, uint32_t first, float* out) {
  BlockTeam team;
  const int64_t from = blockIdx.y * share;
  fill_noise(team, blockIdx.x, problems, each, from, from + share < blocks ? from + share : blocks,
             seeds, stream, first, out);
}

}  // namespace

void gaussian_noise(const Array& seeds, int stream, int64_t first, const Array& out,
                    Stream cuda_stream) {
  const int64_t problems = out.shape[1], tasks = out.shape[0] * problems;
  const NoisePlan plan = noise_plan(tasks, out.size() / tasks);
  launch("gaussian_noise", noise_kernel, plan.launch, out.device, cuda_stream, problems, plan.each,
         plan.blocks, plan.share, seeds.as<int64_t>(), static_cast<uint32_t>(stream),
         static_cast<uint32_t>(first), out.as<float>());
}

}  // namespace kgf::cuda
