// Matrix products on tensor cores: a warp multiplies 16 × 8 by 8 × 8 numbers, rounded to tf32 (8 bits of
// exponent, 11 of mantissa), and sums in float32.
//
// A warp's numbers are spread over its lanes. On the host one thread plays all 32 of them, so that
// the places of the numbers are tested without a GPU.
// Source: PTX ISA, "matrix fragments for mma.m16n8k8", .tf32.
#pragma once

#include <cstdint>
#include <cstring>

#include "ops/discriminate/discriminate_tile.h"

namespace kgf::discriminator {

// Rows and columns of C that one warp computes.
constexpr int warp_rows = 16, warp_columns = 32;

#ifdef __CUDACC__
constexpr int lanes_here = 1;
#else
constexpr int lanes_here = 32;
#endif

// N numbers of every lane.
template <class T, int N>
struct Fragment {
  T v[lanes_here][N];
};

// f(lane, where its numbers are in a fragment)
template <class F>
KGF_DEVICE inline void each_lane(F f) {
#ifdef __CUDACC__
  f(static_cast<int>(threadIdx.x % 32), 0);
#else
  for (int lane = 0; lane < 32; ++lane) f(lane, lane);
#endif
}

// A number whose upper 19 bits, all that tensor cores read, are those of the nearest tf32 number.
KGF_DEVICE inline uint32_t to_tf32(float value) {
#ifdef __CUDACC__
  const uint32_t bits = __float_as_uint(value);
#else
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
#endif
  return bits + 0x1000u;
}

// c += a·b. In lane 4·g + t: a holds (g, t), (g+8, t), (g, t+4), (g+8, t+4); b holds (t, g), (t+4, g);
// c holds (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1).
KGF_DEVICE inline void multiply_add(Fragment<float, 4>& c, const Fragment<uint32_t, 4>& a,
                                    const Fragment<uint32_t, 2>& b) {
#ifdef __CUDACC__
#if __CUDA_ARCH__ >= 800
  float* d = c.v[0];
  // Volatile, as all 32 lanes must come to it together: else the compiler may move it into a branch
  // that only some take, where its result is used.
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a.v[0][0]), "r"(a.v[0][1]), "r"(a.v[0][2]), "r"(a.v[0][3]), "r"(b.v[0][0]),
        "r"(b.v[0][1]));
#endif
#else
  const auto number = [](uint32_t bits) {
    bits &= 0xffffe000u;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  };
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      for (int k = 0; k < 8; ++k) {
        c.v[lane][i] += number(a.v[row % 8 * 4 + k % 4][row / 8 + k / 4 * 2]) *
                        number(b.v[column * 4 + k % 4][k / 4]);
      }
    }
  }
#endif
}

// A matrix by the distances of its rows and columns, so also a transposed one.
struct Strided {
  const float* data;
  int row, column;
};

KGF_DEVICE inline int warp_items(int rows, int columns) {
  return ceil_div(rows, warp_rows) * ceil_div(columns, warp_columns);
}

// The part of C = A (rows, depth) · B (depth, columns) of one warp. finish(row, column, sum).
template <class Finish>
KGF_DEVICE inline void multiply_by_warp(int item, int rows, int columns, int depth,
                                        const Strided& a, const Strided& b, Finish finish) {
  constexpr int tiles = warp_columns / 8;
  const int down = ceil_div(rows, warp_rows);
  const int top = item % down * warp_rows, left = item / down * warp_columns;
  // Rows and columns beyond the last are computed from that one and thrown away.
  Fragment<const float*, 2> from_a;
  Fragment<const float*, tiles> from_b;
  each_lane([&](int lane, int at) {
    const int g = lane / 4, t = lane % 4;
    KGF_UNROLL
    for (int i = 0; i < 2; ++i) {
      from_a.v[at][i] = a.data + smaller(top + g + 8 * i, rows - 1) * a.row + t * a.column;
    }
    KGF_UNROLL
    for (int i = 0; i < tiles; ++i) {
      from_b.v[at][i] = b.data + smaller(left + 8 * i + g, columns - 1) * b.column + t * b.row;
    }
  });
  Fragment<float, 4> sum[tiles] = {};
  // Eight of the depth; only the first `there` of them exist, and beyond there may be anything.
  const auto step = [&](int there) {
    Fragment<uint32_t, 4> x;
    Fragment<uint32_t, 2> y[tiles];
    each_lane([&](int lane, int at) {
      KGF_UNROLL
      for (int half = 0; half < 2; ++half) {
        const bool exists = lane % 4 + 4 * half < there;
        KGF_UNROLL
        for (int i = 0; i < 2; ++i) {
          const float* from = from_a.v[at][i] + 4 * half * a.column;
          x.v[at][2 * half + i] = exists ? to_tf32(*from) : 0;
        }
        KGF_UNROLL
        for (int i = 0; i < tiles; ++i) {
          const float* from = from_b.v[at][i] + 4 * half * b.row;
          y[i].v[at][half] = exists ? to_tf32(*from) : 0;
        }
      }
      KGF_UNROLL
      for (int i = 0; i < 2; ++i) from_a.v[at][i] += 8 * a.column;
      KGF_UNROLL
      for (int i = 0; i < tiles; ++i) from_b.v[at][i] += 8 * b.row;
    });
    KGF_UNROLL
    for (int i = 0; i < tiles; ++i) multiply_add(sum[i], x, y[i]);
  };
  KGF_UNROLL_BY(2)
  for (int k = 0; k + 8 <= depth; k += 8) step(8);
  if (depth % 8) step(depth % 8);
  each_lane([&](int lane, int at) {
    KGF_UNROLL
    for (int tile = 0; tile < tiles; ++tile) {
      KGF_UNROLL
      for (int i = 0; i < 4; ++i) {
        const int row = top + lane / 4 + i / 2 * 8, column = left + 8 * tile + lane % 4 * 2 + i % 2;
        if (row < rows && column < columns) finish(row, column, sum[tile].v[at][i]);
      }
    }
  });
}

}  // namespace kgf::discriminator
