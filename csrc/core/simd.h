// Vectors of the level that this translation unit is compiled for.
//
// Only <op>_cpu.cpp files include this. The compiler's vector extension gives arithmetic, comparison
// and selection; other compilers get one lane, plain C++. Everything lives in kgf::KGF_SIMD, and
// these files call no inline function from outside it, so that no AVX-512 copy of a shared inline
// function can be linked into baseline code.
#pragma once

#include <cstdint>

#ifndef KGF_SIMD
#error "compile this file through kgf_add_simd_sources, which defines KGF_SIMD"
#endif

#if defined(__GNUC__)
#define KGF_INLINE inline __attribute__((always_inline))
#else
#define KGF_INLINE inline
#endif

namespace kgf::KGF_SIMD {

#if defined(__GNUC__)
#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif
template <class T>
struct VecOf {
  typedef T type __attribute__((vector_size(vector_bytes)));
  // The same for memory of any alignment.
  typedef T memory __attribute__((vector_size(vector_bytes), aligned(alignof(T)), may_alias));
};
template <class T>
using Vec = typename VecOf<T>::type;
template <class T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

template <class T>
KGF_INLINE Vec<T> load(const T* from) {
  return *reinterpret_cast<const typename VecOf<T>::memory*>(from);
}
template <class T>
KGF_INLINE void store(T* to, Vec<T> value) {
  *reinterpret_cast<typename VecOf<T>::memory*>(to) = value;
}
template <class T>
KGF_INLINE Vec<T> broadcast(T value) {
  return Vec<T>{} + value;
}
template <class T>
KGF_INLINE T lane(const Vec<T>& value, int index) {
  return value[index];
}
template <class T>
KGF_INLINE void set_lane(Vec<T>& value, int index, T element) {
  value[index] = element;
}
#else
template <class T>
using Vec = T;
template <class T>
constexpr int lanes = 1;
template <class T>
KGF_INLINE Vec<T> load(const T* from) {
  return *from;
}
template <class T>
KGF_INLINE void store(T* to, Vec<T> value) {
  *to = value;
}
template <class T>
KGF_INLINE Vec<T> broadcast(T value) {
  return value;
}
template <class T>
KGF_INLINE T lane(const Vec<T>& value, int) {
  return value;
}
template <class T>
KGF_INLINE void set_lane(Vec<T>& value, int, T element) {
  value = element;
}
#endif

// The first `count` < lanes elements; the others are 0 on load and untouched on store.
template <class T>
KGF_INLINE Vec<T> load_partial(const T* from, int count) {
  Vec<T> value{};
  for (int i = 0; i < count; ++i) set_lane<T>(value, i, from[i]);
  return value;
}
template <class T>
KGF_INLINE void store_partial(T* to, Vec<T> value, int count) {
  for (int i = 0; i < count; ++i) to[i] = lane<T>(value, i);
}

template <class T>
KGF_INLINE Vec<T> relu(Vec<T> value) {
  const Vec<T> zero{};
  return value > zero ? value : zero;
}

template <class T>
KGF_INLINE T sum(const Vec<T>& value) {
  T half[lanes<T>];
  store(half, value);
  for (int width = lanes<T> / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) half[i] += half[i + width];
  }
  return half[0];
}

// Σ a[i]·b[i]
template <class T>
inline T dot(const T* a, const T* b, int count) {
  Vec<T> even{}, odd{};
  int i = 0;
  for (; i + 2 * lanes<T> <= count; i += 2 * lanes<T>) {
    even += load(a + i) * load(b + i);
    odd += load(a + i + lanes<T>) * load(b + i + lanes<T>);
  }
  T tail = 0;
  for (; i < count; ++i) tail += a[i] * b[i];
  return sum<T>(even + odd) + tail;
}

// y[i] += a·x[i]
template <class T>
inline void axpy(T* y, T a, const T* x, int count) {
  int i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) store(y + i, load(y + i) + a * load(x + i));
  for (; i < count; ++i) y[i] += a * x[i];
}

template <class T>
inline void fill(T* to, T value, int count) {
  for (int i = 0; i < count; ++i) to[i] = value;
}

template <class T>
inline void scale_by(T* values, T factor, int count) {
  for (int i = 0; i < count; ++i) values[i] *= factor;
}

template <class T>
KGF_INLINE void exchange(T& a, T& b) {
  const T kept = a;
  a = b;
  b = kept;
}

// to[j][i] (+)= from[i][j] for from of rows × cols.
template <class T>
KGF_INLINE void transpose(T* to, const T* from, int rows, int cols, bool accumulate = false) {
  constexpr int block = 16;
  for (int i0 = 0; i0 < rows; i0 += block) {
    const int i1 = i0 + block < rows ? i0 + block : rows;
    for (int j = 0; j < cols; ++j) {
      T* row = to + j * rows;
      for (int i = i0; i < i1; ++i) {
        const T value = from[i * cols + j];
        row[i] = accumulate ? row[i] + value : value;
      }
    }
  }
}

}  // namespace kgf::KGF_SIMD
