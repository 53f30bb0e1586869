#include "ops/extract_kernel/extract_kernel.h"

#include "core/gemm.h"

namespace kgf::KGF_SIMD {

// One layer is a matrix product and a shifted sum: with r the composition above, (outputs, side²),
//   product[u][i, v] = Σ_o r[o][u]·w[o][i, v],   composition[i][u + v] += product[u][i, v].
template <class T>
void extract_kernel_one(const GeneratorLayout& layout, const T* weights, T* kernel, T* saved,
                        T* scratch) {
  const T one = 1;
  const T* above = &one;
  T* product = scratch;
  saved[0] = 0;  // one layer keeps nothing, but a row of `saved` is never empty
  for (int l = layout.layers - 1; l >= 0; --l) {
    const int outputs = layout.outputs(l), inputs = layout.inputs(l), size = layout.sizes[l];
    const int taps = layout.taps(l), over = layout.side(l + 1), side = layout.side(l);
    gemm(over * over, inputs * taps, outputs, above, Stride{1}, Stride{over * over},
         weights + layout.weight(l), inputs * taps, product, inputs * taps);
    T* composed = l == 0 ? kernel : saved + layout.partial(l);
    fill(composed, T(0), inputs * side * side);
    for (int u = 0; u < over * over; ++u) {
      const int uy = u / over, ux = u % over;
      for (int i = 0; i < inputs; ++i) {
        const T* from = product + (u * inputs + i) * taps;
        T* to = composed + (i * side + uy) * side + ux;
        for (int vy = 0; vy < size; ++vy) {
          for (int vx = 0; vx < size; ++vx) to[vy * side + vx] += from[vy * size + vx];
        }
      }
    }
    above = composed;
  }
}

namespace {

// grad_above[o][u] = Σ_{i,v} w[o][i, v]·grad_product[u][i, v]
template <class T>
void composition_gradient(int outputs, int positions, int columns, const T* weight,
                          const T* grad_product, T* grad_above, T* transposed, T* padded) {
  if (positions < lanes<T>) {
    dot_products(outputs, positions, columns, weight, grad_product, grad_above);
    return;
  }
  // Positions padded to whole vectors.
  const int pitch = (positions + lanes<T> - 1) / lanes<T> * lanes<T>;
  fill(transposed, T(0), columns * pitch);
  for (int u = 0; u < positions; ++u) {
    for (int i = 0; i < columns; ++i) transposed[i * pitch + u] = grad_product[u * columns + i];
  }
  gemm(outputs, pitch, columns, weight, Stride{columns}, Stride{1}, transposed, pitch, padded,
       pitch);
  for (int o = 0; o < outputs; ++o) {
    for (int u = 0; u < positions; ++u) grad_above[o * positions + u] = padded[o * pitch + u];
  }
}

}  // namespace

template <class T>
void extract_kernel_one_backward(const GeneratorLayout& layout, const T* grad_kernel,
                                 const T* weights, const T* saved, T* grad_weights, T* scratch) {
  const int64_t widest = layout.widest();
  const T one = 1;
  T* grad_product = scratch;
  T* grads[2] = {grad_product + widest, grad_product + 2 * widest};
  T* padded = grad_product + 3 * widest;
  T* transposed = padded + layout.padded_composition();
  const T* grad_composed = grad_kernel;
  for (int l = 0; l < layout.layers; ++l) {
    const int outputs = layout.outputs(l), inputs = layout.inputs(l), size = layout.sizes[l];
    const int taps = layout.taps(l), over = layout.side(l + 1), side = layout.side(l);
    const int positions = over * over, columns = inputs * taps;
    for (int u = 0; u < positions; ++u) {
      for (int i = 0; i < inputs; ++i) {
        T* to = grad_product + (u * inputs + i) * taps;
        const T* from = grad_composed + (i * side + u / over) * side + u % over;
        for (int vy = 0; vy < size; ++vy) {
          for (int vx = 0; vx < size; ++vx) to[vy * size + vx] = from[vy * side + vx];
        }
      }
    }
    const bool last = l == layout.layers - 1;
    const T* above = last ? &one : saved + layout.partial(l + 1);
    gemm(outputs, columns, positions, above, Stride{positions}, Stride{1}, grad_product, columns,
         grad_weights + layout.weight(l), columns);
    if (last) break;
    T* grad_above = grads[l % 2];
    composition_gradient(outputs, positions, columns, weights + layout.weight(l), grad_product,
                         grad_above, transposed, padded);
    grad_composed = grad_above;
  }
}

#define KGF_INSTANTIATE(T)                                                                 \
  template void extract_kernel_one<T>(const GeneratorLayout&, const T*, T*, T*, T*);       \
  template void extract_kernel_one_backward<T>(const GeneratorLayout&, const T*, const T*, \
                                               const T*, T*, T*);

KGF_INSTANTIATE(float)
#ifdef KGF_FLOAT64
KGF_INSTANTIATE(double)
#endif

}  // namespace kgf::KGF_SIMD
