// How extract_kernel is cut into launches and blocks on a GPU; plain C++, tested without one.
#pragma once

#include "core/launch.h"
#include "core/team.h"
#include "ops/extract_kernel/extract_kernel.h"

namespace kgf {

// A layer as a GPU needs it: sizes, and where things begin in a problem's rows.
struct GeneratorLayer {
  int outputs, inputs, size;
  int over, side;       // of the composition above, and of the one with this layer
  int weight;           // in `weights`
  int above, composed;  // in `saved`; composed means nothing for layer 0

  int64_t multiply_adds() const { return int64_t{outputs} * inputs * size * size * over * over; }
};

struct GeneratorPlan {
  int layers;
  GeneratorLayer layer[max_generator_layers];
  int64_t weights, saved, kernel;  // elements of a problem's rows
};

// Channels whose sums one item makes together.
constexpr int generator_channels = 4;
constexpr int generator_threads = 512;

// One launch: layers first, next, … last, by one block a problem, or one layer by many.
struct GeneratorStage {
  int first, last;
  int tiles;        // forward: blocks; backward: blocks for the gradient of the weights
  int above_tiles;  // backward: blocks for the gradient of the composition above; 0: the same block
  int blocks() const { return tiles + above_tiles; }
};

struct GeneratorStages {
  int count = 0;
  GeneratorStage stage[max_generator_layers];
};

inline GeneratorPlan generator_plan(const GeneratorLayout& layout) {
  constexpr int64_t limit = int64_t{1} << 30;
  KGF_CHECK(layout.weights() < limit && layout.partials() < limit,
            "a generator must have less than 2^30 weights to be composed on a GPU, got ",
            layout.weights());
  GeneratorPlan plan{};
  plan.layers = layout.layers;
  for (int l = 0; l < layout.layers; ++l) {
    plan.layer[l] = {layout.outputs(l),
                     layout.inputs(l),
                     layout.sizes[l],
                     layout.side(l + 1),
                     layout.side(l),
                     static_cast<int>(layout.weight(l)),
                     static_cast<int>(layout.partial(l + 1)),
                     static_cast<int>(layout.partial(l))};
  }
  plan.weights = layout.weights();
  plan.saved = layout.partials() > 0 ? layout.partials() : 1;
  plan.kernel = int64_t{layout.kernel_side()} * layout.kernel_side();
  return plan;
}

// Blocks of about 16 K multiply-adds: a few microseconds, and enough of them for one problem. The
// number must not depend on how many problems there are, else neither would a problem's sums.
inline int generator_tiles(int64_t multiply_adds) {
  const int64_t tiles = (multiply_adds + (1 << 14) - 1) >> 14;
  return static_cast<int>(tiles < 4096 ? tiles : 4096);
}

// Small neighbouring layers share a launch; a large one has its own, over many blocks.
inline GeneratorStages generator_stages(const GeneratorPlan& plan, bool backward) {
  constexpr int64_t small = 48 << 10;
  GeneratorStages stages;
  for (int i = 0; i < plan.layers; ++i) {
    const int l = backward ? i : plan.layers - 1 - i;
    const int64_t work = plan.layer[l].multiply_adds();
    if (work > small) {
      const int tiles = generator_tiles(work);
      const bool above = backward && l + 1 < plan.layers;
      // The gradient of the composition has few, long sums.
      stages.stage[stages.count++] = {l, l, tiles, above ? (tiles + 1) / 2 : 0};
    } else if (stages.count > 0 && stages.stage[stages.count - 1].tiles == 1 &&
               stages.stage[stages.count - 1].above_tiles == 0) {
      stages.stage[stages.count - 1].last = l;
    } else {
      stages.stage[stages.count++] = {l, l, 1, 0};
    }
  }
  return stages;
}

inline Launch generator_launch(const GeneratorStage& stage, int64_t problems, int64_t element) {
  Launch launch;
  launch.blocks_x = problems;
  launch.blocks_y = stage.blocks();
  launch.threads = generator_threads;
  launch.shared_bytes = split_scratch * generator_channels * element;
  return launch;
}

}  // namespace kgf
