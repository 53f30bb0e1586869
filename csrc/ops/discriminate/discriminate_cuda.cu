#include <map>
#include <mutex>

#include "ops/discriminate/discriminate_cuda.h"
#include "ops/discriminate/discriminate_team_forward.h"
#include "ops/discriminate/discriminate_team_prepare.h"

namespace kgf::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(pass_threads) prepare_kernel(Call<T> call, int64_t vectors) {
  using Team = SharedTeam<false>;
  Team team;
  const int64_t n = blockIdx.x;
  const DiscriminatorLayout& layout = call.layout;
  Prepare<Team, T>{team,
                   layout,
                   call.passes,
                   call.weights + n * layout.weights(),
                   call.u + n * layout.us(),
                   call.u_next + n * layout.us(),
                   call.problem(n),
                   shared_memory<T>(),
                   vectors}
      .run(blockIdx.y);
}

template <class Team, class T>
__global__ void __launch_bounds__(pass_threads, blocks_at_once<T>)
    forward_kernel(Call<T> call, ForwardRoom room) {
  if constexpr (Team::exists) {
    Team team;
    const int64_t task = blockIdx.x / team.ranks(), n = task / call.passes;
    const DiscriminatorLayout& layout = call.layout;
    ForwardPass<Team, T>{team,
                         layout,
                         room,
                         call.template room<Team>(task),
                         call.crops + call.crop(task),
                         call.weights + n * layout.weights(),
                         call.problem(n),
                         call.pass(task),
                         call.map + task * layout.positions()}
        .run();
  }
}

// The architecture that the kernels for a device were written for: its own or an older one.
int built_for(int device) {
  static std::mutex mutex;
  static std::map<int, int> known;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = known.find(device);
  if (found != known.end()) return found->second;
  const Current current(device);
  cudaFuncAttributes attributes = {};
  check(cudaFuncGetAttributes(&attributes, prepare_kernel<float>),
        "asking what the kernels were built for");
  return known[device] = attributes.ptxVersion;
}

template <class T>
void forward(const DiscriminatorLayout& layout, const Array& crops, const Array& weights,
             const Array& u, const Array& map, const Array& u_next, const Array& saved,
             const Array* workspace, bool tensor_cores, Stream stream) {
  const char* const op = "discriminate";
  const int device = crops.device, passes = static_cast<int>(crops.shape[1]);
  const int64_t problems = crops.shape[0];
  const PassPlan plan =
      plan_pass(layout, DiscriminateCall::forward, limits_for_build(device), sizeof(T));
  Call<T> call{
      layout,      passes,         nullptr,       crops.as<T>(), weights.as<T>(), u.as<T>(),
      map.as<T>(), u_next.as<T>(), saved.as<T>(), nullptr,       nullptr,         nullptr,
      {}};
  take_workspace(call, plan_workspace(layout, passes, DiscriminateCall::forward, plan), workspace,
                 crops);
  const int64_t vectors = vectors_of(layout);
  launch(op, prepare_kernel<T>,
         task_launch(problems, prepare_tasks(layout), weights_scratch + vectors, sizeof(T)), device,
         stream, call, vectors);
  const Launch passes_launch = pass_launch(plan, problems, passes, sizeof(T));
  const ForwardRoom room = plan.forward_room(layout);
  by_team<T>(plan.place, tensor_cores, [&](auto team) {
    launch(op, forward_kernel<decltype(team), T>, passes_launch, device, stream, call, room);
  });
}

}  // namespace

DeviceLimits limits_for_build(int device) {
  DeviceLimits limits = limits_of(device);
  if (built_for(device) < 90) limits.blocks_a_cluster = 1;
  return limits;
}

void check_tensor_cores(bool wanted, int device) {
  KGF_CHECK(!wanted || built_for(device) >= 80,
            "tf32 needs a GPU of compute capability 8.0 and kernels built for it, got ",
            limits_of(device).capability / 10.0, " and kernels for ", built_for(device) / 10.0,
            "; use set_cuda_matmul(\"float32\")");
}

void discriminate_workspace(const DiscriminatorLayout& layout, int passes, DiscriminateCall call,
                            bool float64, int device, int64_t* elements) {
  const PassPlan plan = plan_pass(layout, call, limits_for_build(device), float64 ? 8 : 4);
  *elements = plan_workspace(layout, passes, call, plan).elements();
}

void discriminate_forward(const DiscriminatorLayout& layout, const Array& crops,
                          const Array& weights, const Array& u, const Array& map,
                          const Array& u_next, const Array& saved, const Array* workspace,
                          bool tensor_cores, Stream stream) {
  check_tensor_cores(tensor_cores, crops.device);
  const auto run = [&](auto zero) {
    forward<decltype(zero)>(layout, crops, weights, u, map, u_next, saved, workspace, tensor_cores,
                            stream);
  };
  KGF_BY_DTYPE(crops.dtype == DType::float64, run);
}

}  // namespace kgf::cuda
