#include "core/gemm.h"
#include "ops/discriminate/discriminate.h"
#include "ops/discriminate/discriminate_parts.h"

namespace kgf::KGF_SIMD {
namespace {

// The gradient at a block's input, from the gradient g at its output (in place), in two sweeps.
template <class T>
struct BatchNormBackward {
  const DiscriminatorLayout& layout;
  const T* y;              // pre-activations of the block
  const T *scale, *shift;  // relu is open where scale·y + shift > 0
  const T *mean, *inverse_std;

  // First sweep: grad_beta = Σ g·[open], grad_gamma = Σ g·[open]·x̂.
  KGF_INLINE void sums(const T* g, T* grad_gamma, T* grad_beta, T factor) const {
    const int F = layout.features;
    int c = 0;
    for (; c + lanes<T> <= F; c += lanes<T>) {
      const Vec<T> s = load(scale + c), t = load(shift + c), m = load(mean + c);
      Vec<T> total{}, moment{};
      for (int p = 0; p < layout.positions(); ++p) {
        const Vec<T> value = load(y + p * F + c), zero{};
        const Vec<T> open = s * value + t > zero ? load(g + p * F + c) : zero;
        total += open;
        moment += open * (value - m);
      }
      store(grad_beta + c, factor * total);
      store(grad_gamma + c, factor * moment * load(inverse_std + c));
    }
    for (; c < F; ++c) {
      T total = 0, moment = 0;
      for (int p = 0; p < layout.positions(); ++p) {
        const T value = y[p * F + c];
        if (scale[c] * value + shift[c] > 0) {
          total += g[p * F + c];
          moment += g[p * F + c] * (value - mean[c]);
        }
      }
      grad_beta[c] = factor * total;
      grad_gamma[c] = factor * moment * inverse_std[c];
    }
  }

  // Second sweep over some rows: dy = a·g·[open] - b - d·(y - mean), coefficients per feature.
  KGF_INLINE void rows(T* g, int from, int count, const T* a, const T* b, const T* d) const {
    const int F = layout.features;
    for (int p = from; p < from + count; ++p) {
      int c = 0;
      for (; c + lanes<T> <= F; c += lanes<T>) {
        const Vec<T> value = load(y + p * F + c), zero{};
        const Vec<T> open =
            load(scale + c) * value + load(shift + c) > zero ? load(g + p * F + c) : zero;
        store(g + p * F + c,
              load(a + c) * open - load(b + c) - load(d + c) * (value - load(mean + c)));
      }
      for (; c < F; ++c) {
        const T value = y[p * F + c];
        const T open = scale[c] * value + shift[c] > 0 ? g[p * F + c] : T(0);
        g[p * F + c] = a[c] * open - b[c] - d[c] * (value - mean[c]);
      }
    }
  }
};

// grad_crop += windows of (positions, taps) products dY·composedᵀ, the adjoint of the convolution.
template <class T>
void scatter_windows(const DiscriminatorLayout& layout, const T* composed, T factor,
                     const T* grad_y, T* grad_crop, T* transposed, T* products) {
  const int F = layout.features, P = layout.positions(), side = layout.side,
            out = layout.out_side();
  transpose(transposed, grad_y, P, F);
  gemm(layout.taps(), P, F, composed, Stride{F}, Stride{1}, transposed, P, products, P);
  fill(grad_crop, T(0), layout.channels * side * side);
  for (int c = 0; c < layout.channels; ++c) {
    for (int dy = 0; dy < layout.size; ++dy) {
      for (int dx = 0; dx < layout.size; ++dx) {
        const T* product = products + ((c * layout.size + dy) * layout.size + dx) * P;
        for (int y = 0; y < out; ++y) {
          axpy(grad_crop + (c * side + y + dy) * side + dx, factor, product + y * out, out);
        }
      }
    }
  }
}

}  // namespace

template <class T>
void discriminate_pass_backward(const DiscriminatorLayout& layout, const T* grad_map, const T* crop,
                                const T* weights, const T* map, const T* problem, const T* pass,
                                T* grad_crop, T* partial, T* scratch) {
  const int F = layout.features, P = layout.positions(), taps = layout.taps(),
            last = layout.blocks + 1;
  const T* sigma = pass + layout.sigma();
  T* scale = scratch;
  T* shift = scale + F;
  T* input_scale = shift + F;
  T* input_shift = input_scale + F;
  T* sums = input_shift + F;  // grad_gamma, grad_beta
  T* input = sums + 4 * F;
  T* g = input + chunk * F;  // (P, F) gradient at the current block's output, then at its input
  T* below = g + P * F;      // the same one block below
  T* products = below + P * F;
  const Windows window =
      windows(layout, reinterpret_cast<int*>(products + P * (taps > F ? taps : F)));

  // Last convolution and sigmoid. Gradients towards weights keep the 1/σ of their activation side;
  // `factor` carries the 1/σ of the convolution above into the block below.
  affine(layout, weights, pass, layout.blocks, T(1), scale, shift);
  const T* last_weight = weights + layout.weight(last);
  T* grad_last = partial ? partial + layout.weight(last) : nullptr;
  if (partial) fill(grad_last, T(0), F + 1);
  const T* top = pass + layout.activation(layout.blocks);
  for (int p = 0; p < P; ++p) {
    const T dz = grad_map[p] * map[p] * (1 - map[p]);
    for (int c = 0; c < F; ++c) g[p * F + c] = dz * last_weight[c];
    if (partial) {
      activate(input, top + p * F, scale, shift, 1, F);
      axpy(grad_last, dz / sigma[last], input, F);
      grad_last[F] += dz;
    }
  }

  for (int block = layout.blocks; block >= 1; --block) {
    const T factor = 1 / sigma[block + 1];
    affine(layout, weights, pass, block, T(1), scale, shift);
    const T* mean = pass + layout.mean(block);
    const T* inverse_std = pass + layout.inverse_std(block);
    const BatchNormBackward<T> norm{layout,     pass + layout.activation(block), scale, shift, mean,
                                    inverse_std};
    T* grad_gamma = partial ? partial + layout.gamma(block) : sums;
    T* grad_beta = partial ? partial + layout.beta(block) : sums + F;
    norm.sums(g, grad_gamma, grad_beta, factor);
    // dy = γ/std·(factor·g·[open] - grad_beta/P - x̂·grad_gamma/P)
    T* a = input_scale;
    T* b = sums + 2 * F;
    T* d = sums + 3 * F;
    for (int c = 0; c < F; ++c) {
      const T slope = weights[layout.gamma(block) + c] * inverse_std[c];
      a[c] = slope * factor;
      b[c] = slope * grad_beta[c] / P;
      d[c] = slope * inverse_std[c] * grad_gamma[c] / P;
    }
    if (block == 1) {
      for (int p = 0; p < P; p += chunk) {
        const int rows = smaller(chunk, P - p);
        norm.rows(g, p, rows, a, b, d);
        if (partial) {
          gemm(taps, F, rows, crop, Table{window.tap}, Table{window.position + p}, g + p * F, F,
               partial, F, p > 0);
        }
      }
      break;
    }
    T* below_scale = products;
    T* below_shift = products + F;
    affine(layout, weights, pass, block - 1, 1 / sigma[block], below_scale, below_shift);
    const T* weight = weights + layout.weight(block);
    for (int p = 0; p < P; p += chunk) {
      const int rows = smaller(chunk, P - p);
      norm.rows(g, p, rows, a, b, d);
      if (partial) {
        activate(input, pass + layout.activation(block - 1) + p * F, below_scale, below_shift, rows,
                 F);
        gemm(F, F, rows, g + p * F, Stride{1}, Stride{F}, input, F, partial + layout.weight(block),
             F, p > 0);
      }
      gemm(rows, F, F, g + p * F, Stride{F}, Stride{1}, weight, F, below + p * F, F);
    }
    T* swap = g;
    g = below;
    below = swap;
  }
  if (grad_crop) {
    scatter_windows(layout, problem, 1 / (sigma[0] * sigma[1]), g, grad_crop, below, products);
  }
}

template <class T>
void discriminate_combine(const DiscriminatorLayout& layout, int passes, const T* weights,
                          const T* saved, const T* partials, T* grad_weights, T* scratch) {
  const int F = layout.features, taps = layout.taps();
  const int64_t stride = DiscriminatorLayout::padded(layout.weights());
  T* composed =
      scratch;  // Σ over passes of the composed convolution's gradient / (σ0 σ1): (taps, F)
  T* transposed = composed + taps * F;
  T* product = transposed + taps * F;
  fill(grad_weights, T(0), layout.weights());
  fill(composed, T(0), taps * F);

  for (int b = 0; b < passes; ++b) {
    const T* partial = partials + b * stride;
    const T* pass = saved + layout.problem_part() + b * layout.pass_part();
    const T* sigma = pass + layout.sigma();
    axpy(composed, 1 / (sigma[0] * sigma[1]), partial, taps * F);
    axpy(grad_weights + layout.gamma(1), T(1), partial + layout.gamma(1), layout.blocks * 2 * F);
    grad_weights[layout.bias(layout.blocks + 1)] += partial[layout.bias(layout.blocks + 1)];
    // dσ = uvᵀ: with Ŵ = W/σ, dW = dŴ/σ - <dŴ, Ŵ>/σ · uvᵀ. <dŴ, Ŵ> is the same for the two halves of
    // the composed convolution, and partial already holds dŴ/σ for the others.
    const T both = dot(partial, saved, taps * F) / (sigma[0] * sigma[1]);
    for (int l = 0; l < layout.convolutions(); ++l) {
      const int rows = layout.fan_out(l), cols = layout.fan_in(l);
      T* grad = grad_weights + layout.weight(l);
      T inner = both;
      if (l >= 2) {
        inner = dot(partial + layout.weight(l), weights + layout.weight(l), rows * cols);
        axpy(grad, T(1), partial + layout.weight(l), rows * cols);
      }
      const T* u = pass + layout.saved_u() + layout.u(l);
      const T* v = pass + layout.saved_v() + layout.v(l);
      for (int o = 0; o < rows; ++o) axpy(grad + o * cols, -inner / sigma[l] * u[o], v, cols);
    }
  }

  // composed = W0ᵀW1ᵀ, so dW1 = composedᵀ W0ᵀ and dW0 = W1ᵀ composedᵀ.
  transpose(transposed, weights + layout.weight(0), F, taps);
  gemm(F, F, taps, composed, Stride{1}, Stride{F}, transposed, F, grad_weights + layout.weight(1),
       F, true);
  transpose(product, composed, taps, F);
  gemm(F, taps, F, weights + layout.weight(1), Stride{1}, Stride{F}, product, taps, grad_weights,
       taps, true);
}

#define KGF_INSTANTIATE(T)                                                                         \
  template void discriminate_pass_backward<T>(const DiscriminatorLayout&, const T*, const T*,      \
                                              const T*, const T*, const T*, const T*, T*, T*, T*); \
  template void discriminate_combine<T>(const DiscriminatorLayout&, int, const T*, const T*,       \
                                        const T*, T*, T*);

KGF_INSTANTIATE(float)
#ifdef KGF_FLOAT64
KGF_INSTANTIATE(double)
#endif

}  // namespace kgf::KGF_SIMD
