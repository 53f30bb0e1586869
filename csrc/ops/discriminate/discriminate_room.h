// How a pass is shared out on a GPU, and where a team keeps the numbers it works on.
//
// The positions of a pass are split over the ranks of a cluster, or one rank has them all. A rank
// takes its positions in chunks. A room is memory of one rank, shared memory unless it is too small:
// the structs below hold where each part begins, in elements, every part a multiple of four.
#pragma once

#include "core/host_device.h"
#include "ops/discriminate/discriminate.h"

namespace kgf::discriminator {

// Rows of a product that one item computes, four columns wide. 400 positions over 8 ranks are 50 rows:
// 8 groups of 7 use 89 % of the arithmetic, 7 rows and 4 columns need 11 loads for 112 products.
constexpr int tile_rows = 7;

KGF_HOST_DEVICE constexpr int smaller(int a, int b) { return a < b ? a : b; }
KGF_HOST_DEVICE constexpr int larger(int a, int b) { return a > b ? a : b; }
KGF_HOST_DEVICE constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
KGF_HOST_DEVICE constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }
KGF_HOST_DEVICE constexpr int quads(int count) { return ceil_div(count, 4); }
KGF_HOST_DEVICE constexpr int rounded(int count) { return quads(count) * 4; }

// Distance of rows such that eight rows, four elements each, lie in different banks.
KGF_HOST_DEVICE constexpr int row_pitch(int columns) {
  return rounded(columns) % 8 == 0 ? rounded(columns) + 4 : rounded(columns);
}

// Distance of a convolution's rows such that four of them, eight elements each, do so.
KGF_HOST_DEVICE constexpr int weight_pitch(int columns) {
  return (larger(columns, 8) + 7) / 16 * 16 + 8;
}

// The positions of one rank.
struct Share {
  int first, rows;
};

KGF_HOST_DEVICE inline Share share_of(int positions, int rank, int ranks) {
  const unsigned all = positions, parts = ranks, index = rank;
  const int first = static_cast<int>(all * index / parts);
  return {first, static_cast<int>(all * (index + 1) / parts) - first};
}

// Hands out the parts of a room one after another.
struct Rooms {
  int64_t used = 0;

  int64_t take(int64_t count) {
    const int64_t start = used;
    used += (count + 3) / 4 * 4;
    return start;
  }
};

struct ForwardRoom {
  int chunk;        // positions at a time
  int64_t x;        // (chunk, row_pitch): input of a convolution
  int64_t w;        // (inputs, rounded features): its weights
  int64_t y;        // (rows, row_pitch): pre-activations; only where they are kept
  int64_t parts;    // 2 × (groups, rounded features): moments of a tile
  int64_t moments;  // 2 × 2 × (rounded features): of a rank; twice, so that slow ranks can read
  int64_t coefficients;  // 2 × (rounded features)
  int64_t elements;

  // keeps: the pre-activations of all `rows` positions of a rank stay in the room.
  ForwardRoom(const DiscriminatorLayout& layout, int rows, int most, bool keeps)
      : chunk(smaller(rows, most)) {
    const int F = rounded(layout.features), taps = rounded(layout.taps());
    const int groups = ceil_div(chunk, tile_rows);
    Rooms rooms;
    x = rooms.take(int64_t{chunk} * larger(row_pitch(taps), row_pitch(F)));
    w = rooms.take(int64_t{larger(taps, F)} * weight_pitch(F));
    y = rooms.take(keeps ? int64_t{rows} * row_pitch(F) : 0);
    parts = rooms.take(int64_t{2} * groups * F);
    moments = rooms.take(2 * (2 * F + 4));
    coefficients = rooms.take(2 * F);
    elements = rooms.used;
  }
};

// What a rank hands to the others of its cluster in a backward pass, feature by feature.
enum Sum { sum_total, sum_moment, sum_last, sums_a_feature };

// Parts of a sum of products that a rank's threads make together.
constexpr int dot_parts = 256;

struct BackwardRoom {
  int chunk;
  int grads;             // buffers for a convolution's gradient: 2, or 1 with one more wait
  int64_t parts;         // 2 × (groups, rounded features)
  int64_t bias_parts;    // (groups)
  int64_t dots;          // (dot_parts)
  int64_t sums;          // 2 × (sums_a_feature × rounded features + 4)
  int64_t coefficients;  // 9 × (rounded features)
  int64_t dy;  // (chunk, row_pitch): gradient of the pre-activations; first the top's parts
  // From here on twice: once for the blocks above the first ...
  int64_t g;      // (rows, row_pitch): gradient of the activations; only where it is kept
  int64_t upper;  // (rows or chunk, row_pitch): pre-activations, then the activations below
  int64_t lower;  // (rows, row_pitch): pre-activations below; only where they are kept
  int64_t w;      // (rounded features, weight_pitch)
  int64_t grad;   // grads × (features, rounded features); only in a cluster
  // ... and once for the first.
  int64_t windows;   // (chunk, row_pitch of taps): inputs, or the gradients of windows
  int64_t composed;  // (taps, row_pitch or rounded features): weights, their gradient, a crop's
  int64_t elements;

  BackwardRoom(const DiscriminatorLayout& layout, int rows, int most, bool keeps, bool to_crops,
               bool to_weights, int grad_buffers)
      : chunk(smaller(rows, most)), grads(grad_buffers) {
    const int F = rounded(layout.features), taps = layout.taps();
    const int groups = ceil_div(chunk, tile_rows);
    const int64_t square = int64_t{layout.features} * F;
    Rooms rooms;
    parts = rooms.take(int64_t{2} * groups * F);
    bias_parts = rooms.take(groups);
    dots = rooms.take(to_weights ? dot_parts : 0);
    sums = rooms.take(2 * (sums_a_feature * F + 4));
    coefficients = rooms.take(9 * F);
    // At least the top's parts.
    dy = rooms.take(larger(int64_t{chunk} * row_pitch(F), int64_t{sums_a_feature} * groups * F));
    const int64_t both = rooms.used;
    g = rooms.take(keeps ? int64_t{rows} * row_pitch(F) : 0);
    upper = rooms.take(int64_t{keeps ? rows : chunk} * row_pitch(F));
    lower = rooms.take(keeps ? int64_t{rows} * row_pitch(F) : 0);
    w = rooms.take(int64_t{F} * weight_pitch(F));
    grad = rooms.take(keeps && to_weights ? grads * square : 0);
    const int64_t above = rooms.used;
    rooms.used = both;
    windows = rooms.take(int64_t{chunk} * row_pitch(taps));
    const int64_t matrix = to_crops ? int64_t{taps} * row_pitch(F) : 0;
    const int64_t gradient = keeps && to_weights ? int64_t{taps} * F : 0;
    const int64_t crop =
        keeps && to_crops ? int64_t{layout.channels} * layout.side * layout.side : 0;
    composed = rooms.take(larger(larger(matrix, gradient), crop));
    elements = larger(above, rooms.used);
  }
};

// Elements of a team's scratch for long sums, beside what the functions below say.
constexpr int sum_parts = 1024;
constexpr int sum_ends = 16;  // a sum's last parts: every item that needs it adds them itself
constexpr int weights_scratch = sum_parts + 4 * sum_ends;
// Taps or inputs that one task of the composed convolution takes.
constexpr int task_span = 8;

// A pass' share of the gradient of the weights (see discriminate_team_backward.h), followed by what
// every rank adds to <gradient, matrix> of convolution l: sum_ends parts each.
KGF_HOST_DEVICE inline int64_t inner_at(const DiscriminatorLayout& layout, int ranks, int l,
                                        int rank) {
  return DiscriminatorLayout::padded(layout.weights()) + (int64_t{l} * ranks + rank) * sum_ends;
}
KGF_HOST_DEVICE inline int64_t partial_elements(const DiscriminatorLayout& layout, int ranks) {
  return inner_at(layout, ranks, layout.blocks + 1, 0);
}

// Before the passes: the power iterations of one convolution a task, then a span of taps of the composed
// convolution a task, then the transpose of one convolution a task.
KGF_HOST_DEVICE inline int prepare_tasks(const DiscriminatorLayout& layout) {
  return layout.convolutions() + ceil_div(layout.taps(), task_span) + layout.blocks - 1;
}

// After the passes: one convolution from 2 on a task, batch norms and biases in one, then spans of taps
// of convolution 0 and spans of inputs of convolution 1.
KGF_HOST_DEVICE inline int combine_tasks(const DiscriminatorLayout& layout) {
  return layout.blocks + 1 + ceil_div(layout.taps(), task_span) +
         ceil_div(layout.features, task_span);
}

}  // namespace kgf::discriminator
