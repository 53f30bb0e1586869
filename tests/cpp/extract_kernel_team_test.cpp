// The arithmetic that GPUs run for extract_kernel, run on the host, against the op on the CPU.
#include "ops/extract_kernel/extract_kernel_team.h"

#include "teams.h"
#include "tensors.h"

using namespace kgf;
using test::random_tensor;
using test::Tensor;

namespace {

template <class T>
void agrees_with_the_cpu(const std::vector<int>& sizes, int features, bool by_threads) {
  GeneratorLayout layout{static_cast<int>(sizes.size()), features, {}};
  std::copy(sizes.begin(), sizes.end(), layout.sizes.begin());
  const int64_t problems = 2, side = layout.kernel_side();
  const GeneratorPlan plan = generator_plan(layout);
  Tensor<T> weights = random_tensor<T>({problems, plan.weights}, 1, 0.4);
  Tensor<T> grad_kernel = random_tensor<T>({problems, side, side}, 2);
  Tensor<T> kernel(grad_kernel.shape), saved({problems, plan.saved}), grads(weights.shape);
  extract_kernel_forward(weights.array(), sizes, features, kernel.array(), saved.array());
  extract_kernel_backward(grad_kernel.array(), weights.array(), saved.array(), sizes, features,
                          grads.array());

  Tensor<T> my_kernel(kernel.shape), my_saved(saved.shape), my_grads(grads.shape);
  Tensor<T> workspace(saved.shape);
  const GeneratorStages forward = generator_stages(plan, false);
  for (int s = 0; s < forward.count; ++s) {
    const GeneratorStage& stage = forward.stage[s];
    const Launch launch = generator_launch(stage, problems, sizeof(T));
    EXPECT(test::fits_all(launch));
    test::run_blocks(by_threads, launch, [&](auto& team, int64_t n, int tile, void* shared) {
      compose_block(team, plan, stage, n, tile, weights.at(), my_kernel.at(), my_saved.at(),
                    static_cast<GeneratorSums<T>*>(shared));
    });
  }
  EXPECT_NEAR(test::distance(my_kernel, kernel), 0, test::rounding<T>);
  EXPECT_NEAR(test::distance(my_saved, saved), 0, test::rounding<T>);

  const GeneratorStages backward = generator_stages(plan, true);
  for (int s = 0; s < backward.count; ++s) {
    const GeneratorStage& stage = backward.stage[s];
    const Launch launch = generator_launch(stage, problems, sizeof(T));
    EXPECT(test::fits_all(launch));
    test::run_blocks(by_threads, launch, [&](auto& team, int64_t n, int tile, void* shared) {
      compose_block_backward(team, plan, stage, n, tile, grad_kernel.at(), weights.at(), saved.at(),
                             my_grads.at(), workspace.at(),
                             static_cast<GeneratorSquare<T>*>(shared));
    });
  }
  EXPECT_NEAR(test::distance(my_grads, grads), 0, test::rounding<T>);
}

void published_generator_takes_three_launches() {
  const GeneratorPlan plan = generator_plan({6, 64, {7, 5, 3, 1, 1, 1}});
  const GeneratorStages forward = generator_stages(plan, false);
  EXPECT(forward.count == 3);
  EXPECT(forward.stage[0].first == 5 && forward.stage[0].last == 2);
  EXPECT(forward.stage[1].blocks() > 40);
  const GeneratorStages backward = generator_stages(plan, true);
  EXPECT(backward.count == 3);
  EXPECT(backward.stage[2].first == 2 && backward.stage[2].last == 5);
  EXPECT(backward.stage[1].above_tiles > 0);
}

void every_layer_is_in_one_stage() {
  for (int features : {1, 3, 64, 700}) {
    for (const std::vector<int>& sizes :
         {std::vector<int>{3}, {1, 1}, {31, 31, 31}, {7, 5, 3, 1, 1, 1}, {1, 9, 1, 9, 1, 9}}) {
      GeneratorLayout layout{static_cast<int>(sizes.size()), features, {}};
      std::copy(sizes.begin(), sizes.end(), layout.sizes.begin());
      const GeneratorPlan plan = generator_plan(layout);
      for (bool backward : {false, true}) {
        const GeneratorStages stages = generator_stages(plan, backward);
        int next = backward ? 0 : plan.layers - 1;
        for (int s = 0; s < stages.count; ++s) {
          EXPECT(stages.stage[s].first == next);
          next = stages.stage[s].last + (backward ? 1 : -1);
          EXPECT(test::fits_all(generator_launch(stages.stage[s], 100000, 8)));
        }
        EXPECT(next == (backward ? plan.layers : -1));
      }
    }
  }
}

template <class T>
void all_layouts(bool by_threads) {
  agrees_with_the_cpu<T>({13}, 1, by_threads);
  agrees_with_the_cpu<T>({3, 3, 1}, 5, by_threads);
  agrees_with_the_cpu<T>({1, 4, 2}, 7, by_threads);
  agrees_with_the_cpu<T>({5, 3, 1}, 11, by_threads);
  agrees_with_the_cpu<T>({7, 5, 3, 1, 1, 1}, by_threads ? 6 : 64, by_threads);
}

}  // namespace

int main() {
  published_generator_takes_three_launches();
  every_layer_is_in_one_stage();
  for (bool by_threads : {false, true}) {
    all_layouts<float>(by_threads);
#ifdef KGF_FLOAT64
    all_layouts<double>(by_threads);
#endif
  }
  return test::finish();
}
