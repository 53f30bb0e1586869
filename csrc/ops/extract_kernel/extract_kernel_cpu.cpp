#include "ops/extract_kernel/extract_kernel.h"

#include "core/gemm.h"

namespace kgf::KGF_SIMD {

// One layer is a matrix product and a shifted sum: with r the composition above, (outputs, side²),
//   product[u][i, v] = Σ_o r[o][u]·w[o][i, v],   composition[i][u + v] += product[u][i, v].
template <class T>
void extract_kernel_one(const GeneratorLayout& layout, const T* weights, T* kernel, T* saved, T* scratch) {
  const T one = 1;
  const T* above = &one;
  T* product = scratch;
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

template <class T>
void extract_kernel_one_backward(const GeneratorLayout& layout, const T* grad_kernel, const T* weights,
                                 const T* saved, T* grad_weights, T* scratch) {
  const int64_t widest = layout.widest();
  const T one = 1;
  T* grad_product = scratch;
  T* transposed = grad_product + widest;
  T* grads[2] = {transposed + widest, transposed + 2 * widest};
  const T* grad_composed = grad_kernel;
  for (int l = 0; l < layout.layers; ++l) {
    const int outputs = layout.outputs(l), inputs = layout.inputs(l), size = layout.sizes[l];
    const int taps = layout.taps(l), over = layout.side(l + 1), side = layout.side(l);
    const int columns = inputs * taps;
    for (int u = 0; u < over * over; ++u) {
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
    gemm(outputs, columns, over * over, above, Stride{over * over}, Stride{1}, grad_product, columns,
         grad_weights + layout.weight(l), columns);
    if (last) break;
    transpose(transposed, grad_product, over * over, columns);
    T* grad_above = grads[l % 2];
    gemm(outputs, over * over, columns, weights + layout.weight(l), Stride{columns}, Stride{1},
         transposed, over * over, grad_above, over * over);
    grad_composed = grad_above;
  }
}

#define KGF_INSTANTIATE(T)                                                                          \
  template void extract_kernel_one<T>(const GeneratorLayout&, const T*, T*, T*, T*);                \
  template void extract_kernel_one_backward<T>(const GeneratorLayout&, const T*, const T*, const T*, \
                                               T*, T*);

KGF_INSTANTIATE(float)
#ifdef KGF_FLOAT64
KGF_INSTANTIATE(double)
#endif

}  // namespace kgf::KGF_SIMD
