#include "ops/downscale_crops/downscale_crops.h"

#include "core/simd.h"

namespace kgf::KGF_SIMD {
namespace {

// Output columns are handled in groups of this many vectors: their sums stay in registers.
constexpr int group = 2;
// Vectors past the last row that may be loaded (their results are dropped); split_columns sets them 0.
constexpr int slack = group + 1;

// Columns of one parity, adjacent: half[c][y][parity][x] = crop[c][y][2x + parity], so that stride 2
// becomes a plain load. An odd side leaves the last odd column 0.
template <class T>
void split_columns(int channels, int side, const T* crop, T* halves) {
  const int half = (side + 1) / 2;
  for (int row = 0; row < channels * side; ++row) {
    T* even = halves + row * 2 * half;
    T* odd = even + half;
    for (int x = 0; x < side / 2; ++x) {
      even[x] = crop[row * side + 2 * x];
      odd[x] = crop[row * side + 2 * x + 1];
    }
    if (side % 2) {
      even[half - 1] = crop[row * side + side - 1];
      odd[half - 1] = 0;
    }
  }
  fill(halves + channels * side * 2 * half, T(0), slack * lanes<T>);
}

// Row y of Planes channels: independent sums, so that no addition waits for the one before.
template <int Planes, class T>
KGF_INLINE void output_rows(int kernel_side, int half, int64_t plane, const T* halves,
                            const T* kernel, T* out, int64_t out_plane, int width) {
  Vec<T> acc[Planes][group] = {};
  for (int s = 0; s < kernel_side; ++s) {
    for (int t = 0; t < kernel_side; ++t) {
      const T* from = halves + (s * 2 + t % 2) * half + t / 2;
      const Vec<T> k = broadcast(kernel[s * kernel_side + t]);
      for (int c = 0; c < Planes; ++c) {
        for (int v = 0; v < group; ++v) acc[c][v] += k * load(from + c * plane + v * lanes<T>);
      }
    }
  }
  // Loads may have run past the row; only `width` results are kept.
  for (int c = 0; c < Planes; ++c) {
    for (int v = 0; v < group; ++v) {
      T* to = out + c * out_plane + v * lanes<T>;
      const int left = width - v * lanes<T>;
      if (left >= lanes<T>) {
        store(to, acc[c][v]);
      } else if (left > 0) {
        store_partial(to, acc[c][v], left);
      }
    }
  }
}

}  // namespace

template <class T>
void downscale_crops_one(int channels, int side, int kernel_side, const T* crop, const T* kernel,
                         T* out, T* scratch) {
  const int half = (side + 1) / 2, out_side = (side - kernel_side) / 2 + 1;
  split_columns(channels, side, crop, scratch);
  const int64_t plane = int64_t{side} * 2 * half, out_plane = int64_t{out_side} * out_side;
  for (int y = 0; y < out_side; ++y) {
    for (int x = 0; x < out_side; x += group * lanes<T>) {
      const T* from = scratch + 4 * y * half + x;
      T* to = out + y * out_side + x;
      int c = 0;
      for (; c + 3 <= channels; c += 3) {
        output_rows<3>(kernel_side, half, plane, from + c * plane, kernel, to + c * out_plane,
                       out_plane, out_side - x);
      }
      for (; c < channels; ++c) {
        output_rows<1>(kernel_side, half, plane, from + c * plane, kernel, to + c * out_plane,
                       out_plane, out_side - x);
      }
    }
  }
}

namespace {

// Taps t .. t + Taps - 1 of kernel row s: Σ over channels and output pixels of grad_out·crop.
template <int Taps, class T>
KGF_INLINE void tap_gradients(int channels, int side, int half, int out_side, int padded, int s,
                              int t, const T* grad_out, const T* halves, T* grad_taps) {
  Vec<T> acc[Taps] = {};
  for (int c = 0; c < channels; ++c) {
    for (int y = 0; y < out_side; ++y) {
      const T* g = grad_out + (c * out_side + y) * padded;
      const T* row = halves + (c * side + 2 * y + s) * 2 * half;
      for (int x = 0; x < padded; x += lanes<T>) {
        const Vec<T> gx = load(g + x);
        for (int i = 0; i < Taps; ++i)
          acc[i] += gx * load(row + ((t + i) % 2) * half + (t + i) / 2 + x);
      }
    }
  }
  for (int i = 0; i < Taps; ++i) grad_taps[i] = sum<T>(acc[i]);
}

}  // namespace

template <class T>
void downscale_crops_one_backward(int channels, int side, int kernel_side, const T* grad_out,
                                  const T* crop, T* grad_kernel, T* scratch) {
  const int half = (side + 1) / 2, out_side = (side - kernel_side) / 2 + 1;
  T* halves = scratch;
  T* padded_grad = halves + channels * side * 2 * half + slack * lanes<T>;
  split_columns(channels, side, crop, halves);
  // Rows of grad_out padded with zeros to whole vectors, so that what is loaded past a row counts 0.
  const int padded = (out_side + lanes<T> - 1) / lanes<T> * lanes<T>;
  for (int row = 0; row < channels * out_side; ++row) {
    for (int x = 0; x < padded; ++x) {
      padded_grad[row * padded + x] = x < out_side ? grad_out[row * out_side + x] : T(0);
    }
  }
  for (int s = 0; s < kernel_side; ++s) {
    T* grad_row = grad_kernel + s * kernel_side;
    int t = 0;
    for (; t + 4 <= kernel_side; t += 4) {
      tap_gradients<4>(channels, side, half, out_side, padded, s, t, padded_grad, halves,
                       grad_row + t);
    }
    for (; t < kernel_side; ++t) {
      tap_gradients<1>(channels, side, half, out_side, padded, s, t, padded_grad, halves,
                       grad_row + t);
    }
  }
}

#define KGF_INSTANTIATE(T)                                                         \
  template void downscale_crops_one<T>(int, int, int, const T*, const T*, T*, T*); \
  template void downscale_crops_one_backward<T>(int, int, int, const T*, const T*, T*, T*);

KGF_INSTANTIATE(float)
#ifdef KGF_FLOAT64
KGF_INSTANTIATE(double)
#endif

}  // namespace kgf::KGF_SIMD
