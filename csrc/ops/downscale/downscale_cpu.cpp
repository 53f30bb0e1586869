#include "ops/downscale/downscale.h"

#include "core/simd.h"

namespace kgf::KGF_SIMD {
namespace {

// Index of pixel i after mirroring at both ends, however far out it lies.
KGF_INLINE int mirror(int i, int size) {
  const int period = 2 * size;
  i %= period;
  if (i < 0) i += period;
  return i < size ? i : period - 1 - i;
}

// An image row with its margins, split by column phase (see DownscaleShape::row_size).
template <class T>
void split_row(const DownscaleShape& shape, const T* row, T* phases) {
  const int scale = shape.scale, pitch = shape.pitch(), margin = shape.margin();
  const int total = shape.width + 2 * margin;
  for (int phase = 0; phase < scale; ++phase) {
    T* to = phases + phase * pitch;
    int i = 0;
    for (int j = phase; j < total; j += scale, ++i) {
      const int x = j - margin;
      to[i] = row[x >= 0 && x < shape.width ? x : mirror(x, shape.width)];
    }
    // Loads run past the end in whole vectors.
    for (; i < pitch; ++i) to[i] = 0;
  }
}

template <class T>
KGF_INLINE const T* tap_row(const DownscaleShape& shape, const T* phases, int t) {
  return phases + (t % shape.scale) * shape.pitch() + t / shape.scale;
}

constexpr int group = 4;

}  // namespace

template <class T>
void downscale_rows(const DownscaleShape& shape, int from, int to, const T* image, const T* kernel,
                    T* out, T* scratch) {
  const int side = shape.kernel_side, width = shape.out_width();
  // A ring of split rows: the row at offset r from the image's top lives in slot r mod side, so each is
  // split once.
  int ready = from * shape.scale - shape.margin();
  for (int y = from; y < to; ++y) {
    const int top = y * shape.scale - shape.margin();
    if (ready < top) ready = top;
    for (; ready < top + side; ++ready) {
      const int slot = (ready % side + side) % side;
      split_row(shape, image + static_cast<int64_t>(mirror(ready, shape.height)) * shape.width,
                scratch + static_cast<int64_t>(slot) * shape.row_size());
    }
    for (int x = 0; x < width; x += group * lanes<T>) {
      Vec<T> acc[group] = {};
      for (int s = 0; s < side; ++s) {
        const int slot = ((top + s) % side + side) % side;
        const T* phases = scratch + static_cast<int64_t>(slot) * shape.row_size() + x;
        for (int t = 0; t < side; ++t) {
          const T* pixels = tap_row(shape, phases, t);
          const Vec<T> k = broadcast(kernel[s * side + t]);
          for (int v = 0; v < group; ++v) acc[v] += k * load(pixels + v * lanes<T>);
        }
      }
      T* row = out + static_cast<int64_t>(y) * width + x;
      for (int v = 0; v < group; ++v) {
        const int left = width - x - v * lanes<T>;
        if (left >= lanes<T>) {
          store(row + v * lanes<T>, acc[v]);
        } else if (left > 0) {
          store_partial(row + v * lanes<T>, acc[v], left);
        }
      }
    }
  }
}

template <class T>
void downscale_plane_adjoint(const DownscaleShape& shape, const T* grad_out, const T* kernel,
                             T* grad_image, T* scratch) {
  const int side = shape.kernel_side, width = shape.out_width(), margin = shape.margin();
  for (int64_t i = 0; i < static_cast<int64_t>(shape.height) * shape.width; ++i) grad_image[i] = 0;
  for (int y = 0; y < shape.out_height(); ++y) {
    for (int s = 0; s < side; ++s) {
      fill(scratch, T(0), shape.row_size());
      for (int t = 0; t < side; ++t) {
        T* pixels = scratch + (t % shape.scale) * shape.pitch() + t / shape.scale;
        axpy(pixels, kernel[s * side + t], grad_out + static_cast<int64_t>(y) * width, width);
      }
      T* row =
          grad_image +
          static_cast<int64_t>(mirror(y * shape.scale + s - margin, shape.height)) * shape.width;
      for (int j = 0; j < shape.width + 2 * margin; ++j) {
        row[mirror(j - margin, shape.width)] +=
            scratch[(j % shape.scale) * shape.pitch() + j / shape.scale];
      }
    }
  }
}

template <class T>
void downscale_plane_kernel(const DownscaleShape& shape, const T* grad_out, const T* image,
                            T* grad_kernel, T* scratch) {
  const int side = shape.kernel_side, width = shape.out_width();
  for (int y = 0; y < shape.out_height(); ++y) {
    const T* g = grad_out + static_cast<int64_t>(y) * width;
    for (int s = 0; s < side; ++s) {
      const int row = mirror(y * shape.scale + s - shape.margin(), shape.height);
      split_row(shape, image + static_cast<int64_t>(row) * shape.width, scratch);
      for (int t = 0; t < side; ++t) {
        grad_kernel[s * side + t] +=
            dot(g, tap_row(shape, static_cast<const T*>(scratch), t), width);
      }
    }
  }
}

#define KGF_INSTANTIATE(T)                                                                      \
  template void downscale_rows<T>(const DownscaleShape&, int, int, const T*, const T*, T*, T*); \
  template void downscale_plane_adjoint<T>(const DownscaleShape&, const T*, const T*, T*, T*);  \
  template void downscale_plane_kernel<T>(const DownscaleShape&, const T*, const T*, T*, T*);

KGF_INSTANTIATE(float)
#ifdef KGF_FLOAT64
KGF_INSTANTIATE(double)
#endif

}  // namespace kgf::KGF_SIMD
