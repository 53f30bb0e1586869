// How discriminate is cut for every architecture, without a GPU: what is launched must fit, whatever the
// sizes, and the sizes of training must run the way they were designed to.
#include "ops/discriminate/discriminate_launch.h"

#include <algorithm>

#include "expect.h"

using namespace kgf;
using namespace kgf::discriminator;

namespace {

constexpr DiscriminateCall calls[] = {DiscriminateCall::forward, DiscriminateCall::backward_crops,
                                      DiscriminateCall::backward_weights,
                                      DiscriminateCall::backward_both};
const DiscriminatorLayout training{3, 26, 64, 7, 5};

DeviceLimits limits_of(int capability) {
  for (const DeviceLimits& device : known_devices) {
    if (device.capability == capability) return device;
  }
  return {};
}

// Whether a multiprocessor holds two blocks; each also costs it a KiB.
bool two_at_once(const PassPlan& plan, const DeviceLimits& limits, int64_t element_bytes) {
  return 2 * (plan.room * element_bytes + 1024) <= limits.shared_a_multiprocessor;
}

void every_plan_fits() {
  const DiscriminatorLayout layouts[] = {
      training,           {3, 32, 64, 7, 5},  {1, 1, 1, 1, 1},    {3, 13, 33, 5, 3},
      {2, 9, 17, 3, 2},   {3, 26, 128, 7, 5}, {3, 128, 64, 7, 5}, {3, 26, 4096, 7, 2},
      {4, 64, 16, 64, 1}, {1, 9, 5, 2, 64},
  };
  for (const DeviceLimits& limits : known_devices) {
    for (const DiscriminatorLayout& layout : layouts) {
      for (DiscriminateCall call : calls) {
        for (int64_t bytes : {4, 8}) {
          const PassPlan plan = plan_pass(layout, call, limits, bytes);
          const Launch passes = pass_launch(plan, 5, 2, bytes);
          check_launch(passes, limits, "discriminate");
          EXPECT(passes.blocks_x == 10 * plan.ranks && passes.cluster == plan.ranks);
          EXPECT(plan.ranks == 1 || plan.place == Place::cluster);
          // In a cluster, a rank's positions are one chunk: the room is laid out anew after it.
          EXPECT(plan.ranks == 1 || plan.chunk == plan.rows(layout));
          const Workspace work = plan_workspace(layout, 2, call, plan);
          EXPECT((plan.place == Place::workspace) == (work.room > 0));
          EXPECT(goes_to_weights(call) == (work.partial > 0));
          EXPECT(work.elements() % 4 == 0 && work.rooms() % 4 == 0 && work.all_kept() % 4 == 0);
          EXPECT(plan.place == Place::cluster || call == DiscriminateCall::forward ||
                 work.kept > 0);
          check_launch(
              task_launch(5, prepare_tasks(layout), weights_scratch + vectors_of(layout), bytes),
              limits, "discriminate");
          check_launch(task_launch(5, combine_tasks(layout), weights_scratch, bytes), limits,
                       "discriminate");
        }
      }
    }
  }
}

void training_uses_clusters() {
  for (int capability : {90, 100}) {
    for (DiscriminateCall call : calls) {
      const PassPlan plan = plan_pass(training, call, limits_of(capability), 4);
      EXPECT(plan.place == Place::cluster && plan.ranks == 8 && plan.chunk == 50);
      EXPECT(two_at_once(plan, limits_of(capability), 4));
      EXPECT(plan_pass(training, call, limits_of(capability), 8).place == Place::cluster);
    }
  }
  for (DiscriminateCall call : calls) {
    const PassPlan plan = plan_pass(training, call, limits_of(120), 4);
    EXPECT(plan.place == Place::cluster && plan.ranks == 8);
    EXPECT(plan.grads == (goes_to_weights(call) ? 1 : 2));
  }
}

void chips_without_clusters_take_chunks() {
  for (int capability : {70, 75, 80, 86, 89}) {
    for (DiscriminateCall call : calls) {
      const PassPlan plan = plan_pass(training, call, limits_of(capability), 4);
      EXPECT(plan.place == Place::block && plan.chunk % tile_rows == 0);
      if (capability >= 80) EXPECT(plan.chunk == block_chunks[0]);
      if (capability == 80 && !goes_to_crops(call)) {
        EXPECT(two_at_once(plan, limits_of(capability), 4));
      }
    }
  }
  // Kernels that were not written for clusters must not be asked for them.
  DeviceLimits old_build = limits_of(90);
  old_build.blocks_a_cluster = 1;
  EXPECT(plan_pass(training, DiscriminateCall::forward, old_build, 4).place == Place::block);
}

void sizes_without_bounds_work_in_the_workspace() {
  for (const DeviceLimits& limits : known_devices) {
    const PassPlan plan =
        plan_pass({3, 26, 4096, 7, 2}, DiscriminateCall::forward, limits, sizeof(float));
    EXPECT(plan.place == Place::workspace);
    EXPECT(pass_launch(plan, 1, 1, sizeof(float)).shared_bytes == 0);
  }
}

void few_positions_are_not_spread_thin() {
  const DeviceLimits h100 = limits_of(90);
  const auto ranks = [&](int side) {
    return plan_pass({3, side, 16, 3, 2}, DiscriminateCall::forward, h100, 4).ranks;
  };
  EXPECT(ranks(4) == 1);   // 4 positions
  EXPECT(ranks(6) == 2);   // 16
  EXPECT(ranks(8) == 4);   // 36
  EXPECT(ranks(10) == 8);  // 64
}

void shares_cover_all_positions() {
  for (int positions : {1, 7, 49, 400, 1023}) {
    for (int ranks : {1, 2, 3, 8}) {
      int next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const Share share = share_of(positions, rank, ranks);
        EXPECT(share.first == next && share.rows <= ceil_div(positions, ranks));
        next += share.rows;
      }
      EXPECT(next == positions);
    }
  }
}

void precision_is_a_word() {
  EXPECT(cuda_matmul() == "float32");
  set_cuda_matmul("tf32");
  EXPECT(cuda_matmul() == "tf32");
  EXPECT(test::throws<Error>([] { set_cuda_matmul("bf16"); }));
  set_cuda_matmul("float32");
}

// A gradient that lies elsewhere than the crops is refused before anything is computed.
void arrays_of_two_devices_are_refused() {
  const DiscriminatorLayout layout{1, 3, 2, 2, 1};
  float memory[1024] = {};
  const auto array = [&](std::initializer_list<int64_t> shape) {
    Array result{memory, DType::float32, static_cast<int>(shape.size()), {}};
    std::copy(shape.begin(), shape.end(), result.shape.begin());
    return result;
  };
  const Array crops = array({1, 1, 1, 3, 3}), weights = array({1, layout.weights()}),
              map = array({1, 1, 2, 2}), saved = array({1, layout.saved(1)});
  Array grad_crops = crops;
  grad_crops.device = 0;
  EXPECT(test::throws<Error>([&] {
    discriminate_backward(map, crops, weights, map, saved, 2, 2, 1, &grad_crops, nullptr);
  }));
  EXPECT(discriminate_workspace(1, 3, 2, 2, 1, 1, DiscriminateCall::backward_both, false, host) ==
         0);
}

}  // namespace

int main() {
  every_plan_fits();
  training_uses_clusters();
  chips_without_clusters_take_chunks();
  sizes_without_bounds_work_in_the_workspace();
  few_positions_are_not_spread_thin();
  shares_cover_all_positions();
  precision_is_a_word();
  arrays_of_two_devices_are_refused();
  return test::finish();
}
