// Matrix products of a team, tile by tile: an item keeps its tile of the result in registers while the
// depth runs, and reads four numbers at a time.
#pragma once

#include <type_traits>

#include "ops/discriminate/discriminate_room.h"

// Before a loop whose arrays are to stay in registers, or whose loads are to overlap.
#ifdef __CUDACC__
#define KGF_PRAGMA(text) _Pragma(#text)
#define KGF_UNROLL KGF_PRAGMA(unroll)
#define KGF_UNROLL_BY(count) KGF_PRAGMA(unroll count)
#else
#define KGF_UNROLL
#define KGF_UNROLL_BY(count)
#endif

namespace kgf::discriminator {

template <class T>
struct alignas(16) Quad {
  T v[4];
};

template <class T>
KGF_DEVICE inline Quad<T> load(const T* from) {
  return *reinterpret_cast<const Quad<T>*>(from);
}

template <class T>
KGF_DEVICE inline void store(T* to, const Quad<T>& value) {
  *reinterpret_cast<Quad<T>*>(to) = value;
}

template <class T>
KGF_DEVICE inline bool aligned(const T* data) {
  return reinterpret_cast<size_t>(data) % 16 == 0;
}

// A matrix that is read and written a quad of columns at a time. Columns beyond the last read as zero
// and are not written, unless they exist as padding (whole).
template <class T>
struct Rows {
  T* data;
  int pitch, columns;
  bool whole;

  // In a room: padded and aligned.
  KGF_DEVICE static Rows padded(T* data, int pitch) { return {data, pitch, pitch, true}; }
  // In an array of the caller, at any address.
  KGF_DEVICE static Rows dense(T* data, int columns) {
    return {data, columns, columns, columns % 4 == 0 && aligned(data)};
  }

  KGF_DEVICE Quad<std::remove_const_t<T>> get(int row, int quad) const {
    const std::remove_const_t<T>* at = data + static_cast<int64_t>(row) * pitch + 4 * quad;
    if (whole) return load(at);
    Quad<std::remove_const_t<T>> value;
    for (int c = 0; c < 4; ++c) value.v[c] = 4 * quad + c < columns ? at[c] : T(0);
    return value;
  }

  KGF_DEVICE void put(int row, int quad, const Quad<T>& value) const {
    T* at = data + static_cast<int64_t>(row) * pitch + 4 * quad;
    if (whole) return store(at, value);
    for (int c = 0; c < 4; ++c) {
      if (4 * quad + c < columns) at[c] = value.v[c];
    }
  }

  KGF_DEVICE void set(int row, int column, T value) const {
    if (column < columns) data[static_cast<int64_t>(row) * pitch + column] = value;
  }
};

// Which rows a tile has: group, group + groups, … so that neighbouring items read neighbouring rows.
struct TileRows {
  int rows, groups, group;

  KGF_DEVICE TileRows(int all, int index)
      : rows(all), groups(ceil_div(all, tile_rows)), group(index % groups) {}
  KGF_DEVICE int operator()(int r) const { return group + r * groups; }
  KGF_DEVICE bool has(int r) const { return group + r * groups < rows; }
  KGF_DEVICE int safe(int r) const { return smaller(group + r * groups, rows - 1); }
};

KGF_DEVICE inline int product_items(int rows, int columns) {
  return ceil_div(rows, tile_rows) * quads(columns);
}

// C = A·B: the tile of item's rows and its quad of columns. A (rows, depth) and B (depth, columns),
// depth a multiple of four with zeros where it was not. finish(tile rows, quad, sums).
template <class T, class Finish>
KGF_DEVICE inline void multiply(int item, int rows, int depth, const T* a, int pitch_a, const T* b,
                                int pitch_b, Finish finish) {
  const TileRows tile(rows, item);
  const int quad = item / tile.groups;
  const T* from[tile_rows];
  KGF_UNROLL
  for (int r = 0; r < tile_rows; ++r) from[r] = a + tile.safe(r) * pitch_a;
  const T* right = b + 4 * quad;
  Quad<T> sum[tile_rows] = {};
  KGF_UNROLL_BY(2)
  for (int k = 0; k < depth; k += 4) {
    Quad<T> x[tile_rows];
    KGF_UNROLL
    for (int r = 0; r < tile_rows; ++r) {
      x[r] = load(from[r]);
      from[r] += 4;
    }
    KGF_UNROLL
    for (int j = 0; j < 4; ++j) {
      const Quad<T> y = load(right);
      right += pitch_b;
      KGF_UNROLL
      for (int r = 0; r < tile_rows; ++r) {
        KGF_UNROLL
        for (int c = 0; c < 4; ++c) sum[r].v[c] += x[r].v[j] * y.v[c];
      }
    }
  }
  finish(tile, quad, sum);
}

// C = A·Bᵀ: like multiply, but B is (columns, depth) and the tile's columns are first, first + step, …
// finish(tile rows, first, step, sums).
template <class T, class Finish>
KGF_DEVICE inline void multiply_transposed(int item, int rows, int columns, int depth, const T* a,
                                           int pitch_a, const T* b, int pitch_b, Finish finish) {
  const TileRows tile(rows, item);
  const int step = quads(columns), first = item / tile.groups;
  const T *from[tile_rows], *right[4];
  KGF_UNROLL
  for (int r = 0; r < tile_rows; ++r) from[r] = a + tile.safe(r) * pitch_a;
  KGF_UNROLL
  for (int c = 0; c < 4; ++c) right[c] = b + smaller(first + c * step, columns - 1) * pitch_b;
  Quad<T> sum[tile_rows] = {};
  KGF_UNROLL_BY(2)
  for (int k = 0; k < depth; k += 4) {
    Quad<T> x[tile_rows];
    KGF_UNROLL
    for (int r = 0; r < tile_rows; ++r) {
      x[r] = load(from[r]);
      from[r] += 4;
    }
    KGF_UNROLL
    for (int c = 0; c < 4; ++c) {
      const Quad<T> y = load(right[c]);
      right[c] += 4;
      KGF_UNROLL
      for (int r = 0; r < tile_rows; ++r) {
        KGF_UNROLL
        for (int j = 0; j < 4; ++j) sum[r].v[c] += x[r].v[j] * y.v[j];
      }
    }
  }
  finish(tile, first, step, sum);
}

KGF_DEVICE inline int outer_items(int left, int right) { return ceil_div(left, 8) * quads(right); }

// C = Aᵀ·B, (left, right), over rows: eight rows of C by a quad. finish(row of C, quad, sums).
template <class T, class Finish>
KGF_DEVICE inline void multiply_outer(int item, int rows, int left, int right, const T* a,
                                      int pitch_a, const T* b, int pitch_b, Finish finish) {
  const int across = quads(right), quad = item % across, first = 2 * (item / across);
  // The last pair of quads may be a single one, which then is computed twice.
  const int second = smaller(first + 1, quads(left) - 1);
  Quad<T> sum[8] = {};
  const T *left_1 = a + 4 * first, *left_2 = a + 4 * second, *right_1 = b + 4 * quad;
  KGF_UNROLL_BY(4)
  for (int p = 0; p < rows; ++p) {
    const Quad<T> x[2] = {load(left_1), load(left_2)}, y = load(right_1);
    left_1 += pitch_a;
    left_2 += pitch_a;
    right_1 += pitch_b;
    KGF_UNROLL
    for (int r = 0; r < 8; ++r) {
      KGF_UNROLL
      for (int c = 0; c < 4; ++c) sum[r].v[c] += x[r / 4].v[r % 4] * y.v[c];
    }
  }
  KGF_UNROLL
  for (int r = 0; r < 8; ++r) {
    if (4 * first + r < left) finish(4 * first + r, quad, sum[r]);
  }
}

}  // namespace kgf::discriminator
