// How downscale is cut into launches and blocks on a GPU; plain C++, tested without one.
#pragma once

#include "core/launch.h"
#include "core/team.h"
#include "ops/downscale/downscale.h"

namespace kgf {

constexpr int downscale_threads = 128;
// Output pixels above each other that one item makes, and taps next to each other.
constexpr int downscale_rows_an_item = 4, downscale_taps_an_item = 4;

// The forward pass: a block makes a tile of one plane. It first brings the pixels below it into shared
// memory, mirrored and split by column phase; where not even one output's fit, it reads them in place.
struct DownscalePlan {
  Launch launch;
  int tile_height, tile_width;
  int tiles_down, tiles_across;
  bool staged;

  KGF_HOST_DEVICE int staged_rows(const DownscaleShape& shape) const {
    return (tile_height - 1) * shape.scale + shape.kernel_side;
  }
  // Pixels of one phase of a staged row.
  KGF_HOST_DEVICE int staged_pitch(const DownscaleShape& shape) const {
    return tile_width + (shape.kernel_side - 1) / shape.scale;
  }
  KGF_HOST_DEVICE int staged_size(const DownscaleShape& shape) const {
    return staged_rows(shape) * shape.scale * staged_pitch(shape);
  }
};

inline DownscalePlan downscale_plan(const DownscaleShape& shape, int64_t planes, int64_t element,
                                    const DeviceLimits& limits) {
  DownscalePlan plan{};
  plan.tile_height = 16;
  plan.tile_width = 32;
  const int64_t taps = int64_t{shape.kernel_side} * shape.kernel_side;
  // A third of a multiprocessor's memory, so that blocks take turns at waiting; more if it must be.
  const int64_t wanted = limits.shared_a_multiprocessor / 3;
  const auto bytes = [&] { return (plan.staged_size(shape) + taps) * element; };
  const bool sane = shape.kernel_side <= 512;  // else even the sizes would overflow
  while (sane && bytes() > wanted && plan.tile_height * plan.tile_width > 1) {
    (plan.tile_width > 2 * plan.tile_height || plan.tile_height == 1 ? plan.tile_width
                                                                     : plan.tile_height) /= 2;
  }
  plan.staged = sane && bytes() <= limits.shared_a_block;
  if (!plan.staged) {
    plan.tile_height = 16;
    plan.tile_width = 32;
  }
  plan.tiles_down = (shape.out_height() + plan.tile_height - 1) / plan.tile_height;
  plan.tiles_across = (shape.out_width() + plan.tile_width - 1) / plan.tile_width;
  plan.launch.blocks_x = planes * plan.tiles_down * plan.tiles_across;
  plan.launch.threads = downscale_threads;
  plan.launch.shared_bytes = plan.staged ? bytes() : 0;
  return plan;
}

// The gradient of the images: a block gathers the pixels of a tile.
struct DownscaleGatherPlan {
  Launch launch;
  int tiles_down, tiles_across;
};

constexpr int gather_height = 8, gather_width = 64;

inline DownscaleGatherPlan downscale_gather_plan(const DownscaleShape& shape, int64_t planes) {
  DownscaleGatherPlan plan{};
  plan.tiles_down = (shape.height + gather_height - 1) / gather_height;
  plan.tiles_across = (shape.width + gather_width - 1) / gather_width;
  plan.launch.blocks_x = planes * plan.tiles_down * plan.tiles_across;
  plan.launch.threads = downscale_threads;
  return plan;
}

// The gradient of a kernel: `bands` of output rows make partial sums of a kernel row each (one block),
// then the bands are added up.
struct DownscaleKernelPlan {
  Launch partial, total;
  int64_t rows;  // output rows that one kernel meets, over all its planes
  int bands, rows_a_band;
};

constexpr int kernel_threads = 256, kernel_band = 16, kernel_most_bands = 1024;
// Columns of an output row that make one term of a sum.
constexpr int kernel_columns = 32;

inline int64_t downscale_rows_a_band(int64_t rows) {
  const int64_t needed = (rows + kernel_most_bands - 1) / kernel_most_bands;
  return needed > kernel_band ? needed : kernel_band;
}

inline int64_t downscale_band_count(int64_t rows) {
  const int64_t each = downscale_rows_a_band(rows);
  return (rows + each - 1) / each;
}

inline DownscaleKernelPlan downscale_kernel_plan(const DownscaleShape& shape, int64_t planes,
                                                 int64_t kernels, int64_t element) {
  DownscaleKernelPlan plan{};
  plan.rows = kernels > 0 ? planes / kernels * shape.out_height() : 0;
  plan.rows_a_band = static_cast<int>(downscale_rows_a_band(plan.rows));
  plan.bands = static_cast<int>(downscale_band_count(plan.rows));
  plan.partial.blocks_x = kernels * plan.bands;
  plan.partial.blocks_y = shape.kernel_side;
  plan.partial.threads = kernel_threads;
  plan.partial.shared_bytes = split_scratch * downscale_taps_an_item * element;
  const int64_t taps = int64_t{shape.kernel_side} * shape.kernel_side;
  const int64_t tiles = (taps + 63) / 64;
  plan.total.blocks_x = kernels;
  plan.total.blocks_y = tiles < 4096 ? tiles : 4096;
  plan.total.threads = kernel_threads;
  plan.total.shared_bytes = split_scratch * element;
  return plan;
}

}  // namespace kgf
