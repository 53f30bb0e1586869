// How discriminate is cut into thread blocks, from sizes and a GPU's limits alone.
#pragma once

#include "core/launch.h"
#include "ops/discriminate/discriminate_room.h"

namespace kgf::discriminator {

// Where a pass runs, best first: in a cluster whose shared memory holds all of it; in one block that
// takes its positions chunk by chunk; likewise with a room in the workspace, whatever the sizes.
enum class Place { cluster, block, workspace };

struct PassPlan {
  Place place;
  int ranks, chunk, grads;
  int64_t room;  // elements a rank

  ForwardRoom forward_room(const DiscriminatorLayout& layout) const {
    return {layout, rows(layout), chunk, place == Place::cluster};
  }
  BackwardRoom backward_room(const DiscriminatorLayout& layout, bool to_crops,
                             bool to_weights) const {
    return {layout, rows(layout), chunk, place == Place::cluster, to_crops, to_weights, grads};
  }
  int rows(const DiscriminatorLayout& layout) const { return ceil_div(layout.positions(), ranks); }
};

constexpr int pass_threads = 256;
// Ranks of a cluster, most first: the more, the shorter a pass takes, and every chip with clusters has 8.
constexpr int cluster_ranks[] = {8, 4, 2};
// Positions at a time in one block, most first: whole tiles.
constexpr int block_chunks[] = {8 * tile_rows, 4 * tile_rows, 2 * tile_rows, tile_rows};

inline bool goes_to_crops(DiscriminateCall call) {
  return call == DiscriminateCall::backward_crops || call == DiscriminateCall::backward_both;
}
inline bool goes_to_weights(DiscriminateCall call) {
  return call == DiscriminateCall::backward_weights || call == DiscriminateCall::backward_both;
}

inline PassPlan plan_pass(const DiscriminatorLayout& layout, DiscriminateCall call,
                          const DeviceLimits& limits, int64_t element_bytes) {
  PassPlan plan{};
  const auto fits = [&](Place place, int ranks, int chunk, int grads) {
    plan = {place, ranks, chunk, grads, 0};
    plan.room =
        call == DiscriminateCall::forward
            ? plan.forward_room(layout).elements
            : plan.backward_room(layout, goes_to_crops(call), goes_to_weights(call)).elements;
    return plan.room * element_bytes <= limits.shared_a_block;
  };
  for (int ranks : cluster_ranks) {
    // Fewer positions a rank than rows of a tile would leave most threads without work.
    const int rows = ceil_div(layout.positions(), ranks);
    if (ranks > limits.blocks_a_cluster || rows < tile_rows) continue;
    for (int grads : {2, 1}) {
      if (fits(Place::cluster, ranks, rows, grads)) return plan;
    }
  }
  for (int chunk : block_chunks) {
    if (fits(Place::block, 1, chunk, 1)) return plan;
  }
  fits(Place::workspace, 1, block_chunks[0], 1);
  return plan;
}

inline Launch pass_launch(const PassPlan& plan, int64_t problems, int passes,
                          int64_t element_bytes) {
  Launch launch;
  launch.blocks_x = problems * passes * plan.ranks;
  launch.threads = pass_threads;
  launch.cluster = plan.ranks;
  launch.shared_bytes = plan.place == Place::workspace ? 0 : plan.room * element_bytes;
  return launch;
}

// A problem's row of the workspace: for every pass its share of the gradient of the weights, then for
// every pass the gradients that no room keeps, then for every pass a room.
struct Workspace {
  int64_t partial, kept, room;  // elements a pass
  int passes;

  KGF_HOST_DEVICE int64_t partials() const { return 0; }
  KGF_HOST_DEVICE int64_t all_kept() const { return passes * partial; }
  KGF_HOST_DEVICE int64_t rooms() const { return passes * (partial + kept); }
  KGF_HOST_DEVICE int64_t elements() const { return passes * (partial + kept + room); }
};

inline Workspace plan_workspace(const DiscriminatorLayout& layout, int passes,
                                DiscriminateCall call, const PassPlan& plan) {
  const bool backward = call != DiscriminateCall::forward;
  const int64_t kept = int64_t{layout.positions()} * rounded(layout.features);
  return {goes_to_weights(call) ? partial_elements(layout, plan.ranks) : 0,
          backward && plan.place != Place::cluster ? kept : 0,
          plan.place == Place::workspace ? plan.room : 0, passes};
}

// Elements of shared memory that a convolution's u and v may take during power iterations.
inline int64_t vectors_of(const DiscriminatorLayout& layout) {
  const int64_t most =
      int64_t{rounded(layout.features)} + rounded(larger(layout.taps(), layout.features));
  return most <= 2048 ? most : 0;
}

inline Launch task_launch(int64_t problems, int tasks, int64_t elements, int64_t element_bytes) {
  Launch launch;
  launch.blocks_x = problems;
  launch.blocks_y = tasks;
  launch.threads = pass_threads;
  launch.shared_bytes = elements * element_bytes;
  return launch;
}

}  // namespace kgf::discriminator
