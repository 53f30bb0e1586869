// The arithmetic of downscale for a team of GPU threads: every output, gradients included, is gathered.
#pragma once

#include "core/team.h"
#include "ops/downscale/downscale_launch.h"

namespace kgf {

// Index of pixel i after mirroring at both ends, however far out it lies.
KGF_DEVICE inline int mirrored(int i, int size) {
  if (i >= 0 && i < size) return i;
  const int period = 2 * size;
  i %= period;
  if (i < 0) i += period;
  return i < size ? i : period - 1 - i;
}

// Block `block` of the forward pass. staged: plan.staged_size elements, then the kernel's.
template <bool Staged, class Team, class T>
KGF_DEVICE void downscale_tile(Team& team, const DownscaleShape& shape, const DownscalePlan& plan,
                               int64_t block, int64_t planes_a_kernel, const T* images,
                               const T* kernels, T* out, T* staged) {
  const int side = shape.kernel_side, scale = shape.scale, margin = shape.margin();
  const int64_t plane = block / (plan.tiles_down * plan.tiles_across);
  const int tile = static_cast<int>(block % (plan.tiles_down * plan.tiles_across));
  const int from_y = tile / plan.tiles_across * plan.tile_height;
  const int from_x = tile % plan.tiles_across * plan.tile_width;
  const T* image = images + plane * shape.height * shape.width;
  const T* kernel = kernels + plane / planes_a_kernel * side * side;
  out += plane * shape.out_height() * shape.out_width();
  const int rows = plan.staged_rows(shape), pitch = plan.staged_pitch(shape);
  const auto pixel = [&](int row, int col) {
    const int y = mirrored(from_y * scale + row - margin, shape.height);
    return image[int64_t{y} * shape.width + mirrored(from_x * scale + col - margin, shape.width)];
  };
  if (Staged) {
    T* taps = staged + plan.staged_size(shape);
    team.each(rows * scale * pitch, [&](int i) {
      const int row = i / (scale * pitch), col = i % (scale * pitch);
      staged[row * scale * pitch + col % scale * pitch + col / scale] = pixel(row, col);
    });
    team.each(side * side, [&](int i) { taps[i] = kernel[i]; });
    team.sync();
    kernel = taps;
  }
  constexpr int group = downscale_rows_an_item;
  const int step = (plan.tile_height + group - 1) / group;
  team.each(step * plan.tile_width, [&](int item) {
    const int y = item / plan.tile_width, x = item % plan.tile_width;
    Values<T, group> total = {};
    for (int s = 0; s < side; ++s) {
      for (int phase = 0; phase < scale; ++phase) {
        for (int t = phase, col = x; t < side; t += scale, ++col) {
          const T k = kernel[s * side + t];
          for (int r = 0; r < group; ++r) {
            // A row below the tile counts what its last row does, and is dropped.
            const int below = y + r * step < plan.tile_height ? y + r * step : plan.tile_height - 1;
            const int row = below * scale + s;
            total.v[r] += k * (Staged ? staged[(row * scale + phase) * pitch + col]
                                      : pixel(row, x * scale + t));
          }
        }
      }
    }
    for (int r = 0; r < group; ++r) {
      const int to_y = from_y + y + r * step, to_x = from_x + x;
      if (y + r * step < plan.tile_height && to_y < shape.out_height() &&
          to_x < shape.out_width()) {
        out[int64_t{to_y} * shape.out_width() + to_x] = total.v[r];
      }
    }
  });
}

// Calls use(place) for every place of the mirrored axis, -margin .. last, that shows pixel i.
template <class Use>
KGF_DEVICE void each_reflection(int i, int size, int margin, int last, Use use) {
  const int period = 2 * size;
  for (int mirror = 0; mirror < 2; ++mirror) {
    int ahead = ((mirror ? -1 - i : i) + margin) % period;
    if (ahead < 0) ahead += period;
    for (int place = ahead - margin; place <= last; place += period) use(place);
  }
}

// Block `block` of the gradient of the images.
template <class Team, class T>
KGF_DEVICE void downscale_gather(Team& team, const DownscaleShape& shape,
                                 const DownscaleGatherPlan& plan, int64_t block,
                                 int64_t planes_a_kernel, const T* grad_out, const T* kernels,
                                 T* grad_images) {
  const int side = shape.kernel_side, scale = shape.scale, margin = shape.margin();
  const int height = shape.out_height(), width = shape.out_width();
  const int64_t plane = block / (plan.tiles_down * plan.tiles_across);
  const int tile = static_cast<int>(block % (plan.tiles_down * plan.tiles_across));
  grad_out += plane * height * width;
  grad_images += plane * shape.height * shape.width;
  const T* kernel = kernels + plane / planes_a_kernel * side * side;
  // Outputs first .. last whose kernel, centred on output·scale, covers a place of the mirrored axis.
  const auto first = [&](int place) {
    const int beyond = place + margin - side + 1;
    return beyond <= 0 ? 0 : (beyond + scale - 1) / scale;
  };
  const auto last = [&](int place, int count) {
    const int at = (place + margin) / scale;
    return at < count ? at : count - 1;
  };
  team.each(gather_height * gather_width, [&](int item) {
    const int row = tile / plan.tiles_across * gather_height + item / gather_width;
    const int col = tile % plan.tiles_across * gather_width + item % gather_width;
    if (row >= shape.height || col >= shape.width) return;
    T total = 0;
    each_reflection(
        row, shape.height, margin, (height - 1) * scale + side - 1 - margin, [&](int ey) {
          each_reflection(
              col, shape.width, margin, (width - 1) * scale + side - 1 - margin, [&](int ex) {
                for (int y = first(ey); y <= last(ey, height); ++y) {
                  const T* taps = kernel + (ey + margin - y * scale) * side + ex + margin;
                  for (int x = first(ex); x <= last(ex, width); ++x) {
                    total += grad_out[int64_t{y} * width + x] * taps[-x * scale];
                  }
                }
              });
        });
    grad_images[int64_t{row} * shape.width + col] = total;
  });
}

template <class T>
using TapSums = Values<T, downscale_taps_an_item>;

// Row s of kernel k's gradient, from the output rows of one band: partials (kernels, bands, K, K).
template <class Team, class T>
KGF_DEVICE void downscale_kernel_band(Team& team, const DownscaleShape& shape,
                                      const DownscaleKernelPlan& plan, int64_t k, int band, int s,
                                      const T* grad_out, const T* images, T* partials,
                                      TapSums<T>* scratch) {
  constexpr int group = downscale_taps_an_item;
  const int side = shape.kernel_side, scale = shape.scale, margin = shape.margin();
  const int height = shape.out_height(), width = shape.out_width();
  const int chunks = (width + kernel_columns - 1) / kernel_columns;
  const int64_t first_row = int64_t{band} * plan.rows_a_band;
  const int rows = static_cast<int>(plan.rows - first_row < plan.rows_a_band ? plan.rows - first_row
                                                                             : plan.rows_a_band);
  partials += ((k * plan.bands + band) * side + s) * side;
  const auto sum = [&](int j, int from, int to) {
    const int t = j * group;
    TapSums<T> total = {};
    for (int term = from; term < to; ++term) {
      const int64_t row = k * plan.rows + first_row + term / chunks;  // over all planes
      const int64_t plane = row / height;
      const int y = mirrored(static_cast<int>(row % height) * scale + s - margin, shape.height);
      const T* g = grad_out + row * width;
      const T* pixels = images + (plane * shape.height + y) * shape.width;
      const int begin = term % chunks * kernel_columns;
      const int end = begin + kernel_columns < width ? begin + kernel_columns : width;
      for (int x = begin; x < end; ++x) {
        for (int r = 0; r < group; ++r) {
          if (t + r < side) {
            total.v[r] += g[x] * pixels[mirrored(x * scale + t + r - margin, shape.width)];
          }
        }
      }
    }
    return total;
  };
  split_sums(team, (side + group - 1) / group, rows * chunks, scratch, sum,
             [&](int j, const TapSums<T>& total) {
               for (int r = 0; r < group; ++r) {
                 if (j * group + r < side) partials[j * group + r] = total.v[r];
               }
             });
}

// Adds up the bands of kernel k, share `tile` of its taps.
template <class Team, class T>
KGF_DEVICE void downscale_kernel_total(Team& team, const DownscaleShape& shape,
                                       const DownscaleKernelPlan& plan, int64_t k, int tile,
                                       const T* partials, T* grad_kernel, T* scratch) {
  const int taps = shape.kernel_side * shape.kernel_side;
  const Tile share(taps, tile, static_cast<int>(plan.total.blocks_y));
  partials += k * plan.bands * taps;
  grad_kernel += k * taps;
  const auto sum = [&](int j, int from, int to) {
    T total = 0;
    for (int band = from; band < to; ++band)
      total += partials[int64_t{band} * taps + share.from + j];
    return total;
  };
  split_sums(team, share.count, plan.bands, scratch, sum,
             [&](int j, T total) { grad_kernel[share.from + j] = total; });
}

}  // namespace kgf
