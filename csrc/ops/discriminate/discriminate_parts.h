// What the forward and the backward pass of discriminate share, at the level they are compiled for.
#pragma once

#include "core/gemm.h"
#include "ops/discriminate/discriminate.h"

namespace kgf::KGF_SIMD {

constexpr int chunk = discriminator_chunk;

KGF_INLINE int smaller(int a, int b) { return a < b ? a : b; }

// Offsets that make a crop look like the matrix (positions, taps) of its windows.
struct Windows {
  const int* position;  // of a window's first pixel
  const int* tap;       // of a tap from there
};

inline Windows windows(const DiscriminatorLayout& layout, int* table) {
  int* position = table;
  int* tap = table + layout.positions();
  for (int y = 0; y < layout.out_side(); ++y) {
    for (int x = 0; x < layout.out_side(); ++x) *position++ = y * layout.side + x;
  }
  for (int c = 0; c < layout.channels; ++c) {
    for (int dy = 0; dy < layout.size; ++dy) {
      for (int dx = 0; dx < layout.size; ++dx) *tap++ = (c * layout.side + dy) * layout.side + dx;
    }
  }
  return {table, table + layout.positions()};
}

// Batch norm of one block as scale·y + shift, with a factor folded in.
template <class T>
inline void affine(const DiscriminatorLayout& layout, const T* weights, const T* pass, int block,
                   T factor, T* scale, T* shift) {
  const T* gamma = weights + layout.gamma(block);
  const T* beta = weights + layout.beta(block);
  const T* mean = pass + layout.mean(block);
  const T* inverse_std = pass + layout.inverse_std(block);
  for (int c = 0; c < layout.features; ++c) {
    scale[c] = gamma[c] * inverse_std[c] * factor;
    shift[c] = beta[c] * factor - mean[c] * scale[c];
  }
}

// to = relu(scale·from + shift) for `rows` positions, feature by feature: coefficients stay in registers.
template <class T>
KGF_INLINE void activate(T* to, const T* from, const T* scale, const T* shift, int rows,
                         int features) {
  int c = 0;
  for (; c + lanes<T> <= features; c += lanes<T>) {
    const Vec<T> s = load(scale + c), t = load(shift + c);
    for (int i = c; i < rows * features; i += features)
      store(to + i, relu<T>(s * load(from + i) + t));
  }
  for (; c < features; ++c) {
    for (int i = c; i < rows * features; i += features) {
      const T value = scale[c] * from[i] + shift[c];
      to[i] = value > 0 ? value : 0;
    }
  }
}

}  // namespace kgf::KGF_SIMD
