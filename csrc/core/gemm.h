// The one matrix product of the extension:  C[m][n] (+)= Σ_k A(m, k)·B[k][n].
//
// B and C are row-major. A(m, k) = a[row(m) + col(k)], where row and col are a stride or a table of
// offsets; that covers transposed operands and convolutions (a crop addressed by position and tap)
// without copying. A tile of C stays in registers while k runs; A is broadcast, B is loaded.
#pragma once

#include "core/simd.h"

namespace kgf::KGF_SIMD {

struct Stride {
  int step;
  KGF_INLINE int operator()(int i) const { return i * step; }
};

struct Table {
  const int* offsets;
  KGF_INLINE int operator()(int i) const { return offsets[i]; }
};

// Tile of C: tile_rows × tile_vectors vectors. 32 registers hold 6×4, 16 registers hold 6×2.
constexpr int tile_rows = 6;
#if defined(__AVX512F__)
constexpr int tile_vectors = 4;
#else
constexpr int tile_vectors = 2;
#endif

// One tile; Partial: the last vector has only `width` elements (then V is 1).
template <int R, int V, bool Partial, class T, class Row, class Col>
KGF_INLINE void gemm_tile(int depth, const T* a, Row row, int m, Col col, const T* b, int ldb, T* c,
                          int ldc, bool accumulate, int width) {
  const T* rows[R];
  for (int r = 0; r < R; ++r) rows[r] = a + row(m + r);
  Vec<T> acc[R][V] = {};
  for (int k = 0; k < depth; ++k) {
    const T* bk = b + static_cast<int64_t>(k) * ldb;
    Vec<T> bv[V];
    for (int v = 0; v < V; ++v) {
      bv[v] = Partial ? load_partial(bk, width) : load(bk + v * lanes<T>);
    }
    const int offset = col(k);
    for (int r = 0; r < R; ++r) {
      const Vec<T> x = broadcast(rows[r][offset]);
      for (int v = 0; v < V; ++v) acc[r][v] += x * bv[v];
    }
  }
  for (int r = 0; r < R; ++r) {
    T* out = c + static_cast<int64_t>(m + r) * ldc;
    for (int v = 0; v < V; ++v) {
      if (Partial) {
        store_partial(out, accumulate ? acc[r][v] + load_partial(out, width) : acc[r][v], width);
      } else {
        T* to = out + v * lanes<T>;
        store(to, accumulate ? acc[r][v] + load(to) : acc[r][v]);
      }
    }
  }
}

// All rows of one panel of columns.
template <int V, bool Partial, class T, class Row, class Col>
inline void gemm_panel(int rows, int depth, const T* a, Row row, Col col, const T* b, int ldb, T* c,
                       int ldc, bool accumulate, int width) {
  int m = 0;
  for (; m + tile_rows <= rows; m += tile_rows) {
    gemm_tile<tile_rows, V, Partial>(depth, a, row, m, col, b, ldb, c, ldc, accumulate, width);
  }
  switch (rows - m) {
    case 5:
      gemm_tile<5, V, Partial>(depth, a, row, m, col, b, ldb, c, ldc, accumulate, width);
      break;
    case 4:
      gemm_tile<4, V, Partial>(depth, a, row, m, col, b, ldb, c, ldc, accumulate, width);
      break;
    case 3:
      gemm_tile<3, V, Partial>(depth, a, row, m, col, b, ldb, c, ldc, accumulate, width);
      break;
    case 2:
      gemm_tile<2, V, Partial>(depth, a, row, m, col, b, ldb, c, ldc, accumulate, width);
      break;
    case 1:
      gemm_tile<1, V, Partial>(depth, a, row, m, col, b, ldb, c, ldc, accumulate, width);
      break;
    default: break;
  }
}

// C (rows × cols, row pitch ldc) (+)= A (rows × depth) · B (depth × cols, row pitch ldb)
template <class T, class Row, class Col>
inline void gemm(int rows, int cols, int depth, const T* a, Row row, Col col, const T* b, int ldb,
                 T* c, int ldc, bool accumulate = false) {
  constexpr int panel = tile_vectors * lanes<T>;
  int n = 0;
  for (; n + panel <= cols; n += panel) {
    gemm_panel<tile_vectors, false>(rows, depth, a, row, col, b + n, ldb, c + n, ldc, accumulate,
                                    0);
  }
  for (; n + lanes<T> <= cols; n += lanes<T>) {
    gemm_panel<1, false>(rows, depth, a, row, col, b + n, ldb, c + n, ldc, accumulate, 0);
  }
  if (n < cols) {
    gemm_panel<1, true>(rows, depth, a, row, col, b + n, ldb, c + n, ldc, accumulate, cols - n);
  }
}

// Tile of dot_products: R rows of a against Q rows of b.
template <int R, int Q, class T>
KGF_INLINE void dot_tile(int depth, const T* a, const T* b, T* c, int ldc) {
  Vec<T> acc[R][Q] = {};
  int k = 0;
  for (; k + lanes<T> <= depth; k += lanes<T>) {
    Vec<T> x[R];
    for (int r = 0; r < R; ++r) x[r] = load(a + static_cast<int64_t>(r) * depth + k);
    for (int q = 0; q < Q; ++q) {
      const Vec<T> y = load(b + static_cast<int64_t>(q) * depth + k);
      for (int r = 0; r < R; ++r) acc[r][q] += x[r] * y;
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int q = 0; q < Q; ++q) {
      T tail = 0;
      for (int i = k; i < depth; ++i) {
        tail += a[static_cast<int64_t>(r) * depth + i] * b[static_cast<int64_t>(q) * depth + i];
      }
      c[r * ldc + q] = sum<T>(acc[r][q]) + tail;
    }
  }
}

// C[m][n] = Σ_k A[m][k]·B[n][k], both row-major: for a long depth and few columns, which would leave
// gemm's vectors mostly empty.
template <class T>
inline void dot_products(int rows, int cols, int depth, const T* a, const T* b, T* c) {
  for (int m = 0; m < rows; m += 4) {
    for (int n = 0; n < cols; ++n) {
      const T* am = a + static_cast<int64_t>(m) * depth;
      const T* bn = b + static_cast<int64_t>(n) * depth;
      T* to = c + m * cols + n;
      if (m + 4 <= rows && n + 3 <= cols) {
        dot_tile<4, 3>(depth, am, bn, to, cols);
        n += 2;
      } else {
        const int left = rows - m < 4 ? rows - m : 4;
        for (int r = 0; r < left; ++r) {
          dot_tile<1, 1>(depth, am + static_cast<int64_t>(r) * depth, bn, to + r * cols, cols);
        }
      }
    }
  }
}

}  // namespace kgf::KGF_SIMD
