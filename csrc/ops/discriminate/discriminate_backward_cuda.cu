#include "ops/discriminate/discriminate_cuda.h"
#include "ops/discriminate/discriminate_team_backward.h"
#include "ops/discriminate/discriminate_team_combine.h"

namespace kgf::cuda {
namespace {

template <class Team, class T>
__global__ void __launch_bounds__(pass_threads, blocks_at_once<T>)
    backward_kernel(Call<T> call, BackwardRoom room) {
  if constexpr (Team::exists) {
    Team team;
    const int64_t task = blockIdx.x / team.ranks(), n = task / call.passes, b = task % call.passes;
    const DiscriminatorLayout& layout = call.layout;
    const Workspace& parts = call.parts;
    BackwardPass<Team, T>{
        team,
        layout,
        room,
        call.template room<Team>(task),
        call.grad_map + task * layout.positions(),
        call.crops + call.crop(task),
        call.weights + n * layout.weights(),
        call.map + task * layout.positions(),
        call.problem(n),
        call.pass(task),
        call.grad_crops ? call.grad_crops + call.crop(task) : nullptr,
        call.grad_weights ? call.work(n, parts.partials() + b * parts.partial) : nullptr,
        call.work(n, parts.all_kept() + b * parts.kept)}
        .run();
  }
}

template <class T>
__global__ void __launch_bounds__(pass_threads) combine_kernel(Call<T> call, int ranks) {
  using Team = SharedTeam<false>;
  Team team;
  const int64_t n = blockIdx.x;
  const DiscriminatorLayout& layout = call.layout;
  Combine<Team, T>{team,
                   layout,
                   call.passes,
                   ranks,
                   call.weights + n * layout.weights(),
                   call.problem(n),
                   call.work(n, call.parts.partials()),
                   call.grad_weights + n * layout.weights(),
                   shared_memory<T>()}
      .run(blockIdx.y);
}

DiscriminateCall call_for(const Array* grad_crops, const Array* grad_weights) {
  if (grad_crops && grad_weights) return DiscriminateCall::backward_both;
  return grad_crops ? DiscriminateCall::backward_crops : DiscriminateCall::backward_weights;
}

template <class T>
void backward(const DiscriminatorLayout& layout, const Array& grad_map, const Array& crops,
              const Array& weights, const Array& map, const Array& saved, const Array* grad_crops,
              const Array* grad_weights, const Array* workspace, bool tensor_cores, Stream stream) {
  const char* const op = "discriminate_backward";
  const int device = crops.device, passes = static_cast<int>(crops.shape[1]);
  const int64_t problems = crops.shape[0];
  const DiscriminateCall kind = call_for(grad_crops, grad_weights);
  const PassPlan plan = plan_pass(layout, kind, limits_for_build(device), sizeof(T));
  Call<T> call{layout,
               passes,
               grad_map.as<T>(),
               crops.as<T>(),
               weights.as<T>(),
               nullptr,
               map.as<T>(),
               nullptr,
               saved.as<T>(),
               grad_crops ? grad_crops->as<T>() : nullptr,
               grad_weights ? grad_weights->as<T>() : nullptr,
               nullptr,
               {}};
  take_workspace(call, plan_workspace(layout, passes, kind, plan), workspace, crops);
  const Launch passes_launch = pass_launch(plan, problems, passes, sizeof(T));
  const BackwardRoom room =
      plan.backward_room(layout, grad_crops != nullptr, grad_weights != nullptr);
  by_team<T>(plan.place, tensor_cores, [&](auto team) {
    launch(op, backward_kernel<decltype(team), T>, passes_launch, device, stream, call, room);
  });
  if (!grad_weights) return;
  launch(op, combine_kernel<T>,
         task_launch(problems, combine_tasks(layout), weights_scratch, sizeof(T)), device, stream,
         call, plan.ranks);
}

}  // namespace

void discriminate_backward(const DiscriminatorLayout& layout, const Array& grad_map,
                           const Array& crops, const Array& weights, const Array& map,
                           const Array& saved, const Array* grad_crops, const Array* grad_weights,
                           const Array* workspace, bool tensor_cores, Stream stream) {
  if (!grad_crops && !grad_weights) return;
  check_tensor_cores(tensor_cores, crops.device);
  const auto run = [&](auto zero) {
    backward<decltype(zero)>(layout, grad_map, crops, weights, map, saved, grad_crops, grad_weights,
                             workspace, tensor_cores, stream);
  };
  KGF_BY_DTYPE(crops.dtype == DType::float64, run);
}

}  // namespace kgf::cuda
