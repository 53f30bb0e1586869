#include "core/gemm.h"
#include "ops/discriminate/discriminate.h"
#include "ops/discriminate/discriminate_parts.h"

namespace kgf::KGF_SIMD {
namespace {

// One block's ReLU and batch norm, backwards, on a chunk of rows at a time.
template <class T>
struct BlockBackward {
  int features;
  const T* y;              // pre-activations
  const T *scale, *shift;  // the ReLU is open where scale·y + shift > 0
  const T* mean;

  // Adds Σ g·[open] and Σ g·[open]·(y - mean) over rows first .. first + count - 1; g holds just these.
  KGF_INLINE void add_sums(const T* g, int first, int count, T* total, T* moment) const {
    const T* rows = y + first * features;
    int c = 0;
    for (; c + lanes<T> <= features; c += lanes<T>) {
      const Vec<T> s = load(scale + c), t = load(shift + c), m = load(mean + c), zero{};
      Vec<T> a = load(total + c), b = load(moment + c);
      for (int p = 0; p < count; ++p) {
        const Vec<T> value = load(rows + p * features + c);
        const Vec<T> open = s * value + t > zero ? load(g + p * features + c) : zero;
        a += open;
        b += open * (value - m);
      }
      store(total + c, a);
      store(moment + c, b);
    }
    for (; c < features; ++c) {
      for (int p = 0; p < count; ++p) {
        const T value = rows[p * features + c];
        const T open = scale[c] * value + shift[c] > 0 ? g[p * features + c] : T(0);
        total[c] += open;
        moment[c] += open * (value - mean[c]);
      }
    }
  }

  // g = a·g·[open] - b - d·(y - mean), coefficients per feature; g holds `count` rows from `first`.
  KGF_INLINE void apply(T* g, int first, int count, const T* a, const T* b, const T* d) const {
    const T* rows = y + first * features;
    int c = 0;
    for (; c + lanes<T> <= features; c += lanes<T>) {
      const Vec<T> s = load(scale + c), t = load(shift + c), slope = load(a + c), zero{};
      const Vec<T> along = load(d + c), constant = along * load(mean + c) - load(b + c);
      for (int i = c; i < count * features; i += features) {
        const Vec<T> value = load(rows + i);
        const Vec<T> open = s * value + t > zero ? load(g + i) : zero;
        store(g + i, slope * open + (constant - along * value));
      }
    }
    for (; c < features; ++c) {
      for (int i = c; i < count * features; i += features) {
        const T open = scale[c] * rows[i] + shift[c] > 0 ? g[i] : T(0);
        g[i] = a[c] * open - b[c] - d[c] * (rows[i] - mean[c]);
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

// What discriminate_pass_backward works in, one after another in its scratch.
template <class T>
struct BackwardScratch {
  T *scale, *shift, *below_scale, *below_shift;  // affine of this block and of the one below
  T *total, *moment;                             // sums of this block, then of the one below
  T *a, *b, *d;                                  // coefficients of BlockBackward::apply
  T* input;                                      // a chunk of the convolution's input
  T *g, *below;                                  // (P, F) gradients of this block and below
  T* products;
  int* table;

  BackwardScratch(const DiscriminatorLayout& layout, T* memory) {
    const int F = layout.features, P = layout.positions();
    T** const small[] = {&scale, &shift, &below_scale, &below_shift, &total, &moment, &a, &b, &d};
    for (T** part : small) {
      *part = memory;
      memory += F;
    }
    input = memory;
    g = input + chunk * F;
    below = g + P * F;
    products = below + P * F;
    table = reinterpret_cast<int*>(products + P * (layout.taps() > F ? layout.taps() : F));
  }
};

// Sigmoid, last convolution, and the sums of the top block. Fills g with W·dz, without 1/σ.
template <class T>
void top_backward(const DiscriminatorLayout& layout, const T* grad_map, const T* weights,
                  const T* map, const T* pass, const BlockBackward<T>& top, T* partial,
                  const BackwardScratch<T>& s) {
  const int F = layout.features, last = layout.blocks + 1;
  const T* weight = weights + layout.weight(last);
  const T inverse_sigma = 1 / pass[layout.sigma() + last];
  T* grad = partial ? partial + layout.weight(last) : nullptr;
  if (partial) fill(grad, T(0), F + 1);
  for (int p = 0; p < layout.positions(); p += chunk) {
    const int rows = smaller(chunk, layout.positions() - p);
    if (partial) activate(s.input, top.y + p * F, s.scale, s.shift, rows, F);
    for (int r = 0; r < rows; ++r) {
      const T dz = grad_map[p + r] * map[p + r] * (1 - map[p + r]);
      for (int c = 0; c < F; ++c) s.g[(p + r) * F + c] = dz * weight[c];
      if (partial) {
        axpy(grad, dz * inverse_sigma, s.input + r * F, F);
        grad[F] += dz;
      }
    }
    top.add_sums(s.g + p * F, p, rows, s.total, s.moment);
  }
}

}  // namespace

template <class T>
void discriminate_pass_backward(const DiscriminatorLayout& layout, const T* grad_map, const T* crop,
                                const T* weights, const T* map, const T* problem, const T* pass,
                                T* grad_crop, T* partial, T* scratch) {
  const int F = layout.features, P = layout.positions(), taps = layout.taps();
  const T* sigma = pass + layout.sigma();
  BackwardScratch<T> s(layout, scratch);
  const Windows window = windows(layout, s.table);
  const auto block_backward = [&](int block, T* scale, T* shift) {
    affine(layout, weights, pass, block, T(1), scale, shift);
    return BlockBackward<T>{F, pass + layout.activation(block), scale, shift,
                            pass + layout.mean(block)};
  };

  fill(s.total, T(0), 2 * F);
  BlockBackward<T> current = block_backward(layout.blocks, s.scale, s.shift);
  top_backward(layout, grad_map, weights, map, pass, current, partial, s);

  for (int block = layout.blocks; block >= 1; --block) {
    // g and its sums lack the 1/σ of the convolution above. With x̂ = (y - mean)/std,
    //   grad_beta = Σ g·[open]/σ, grad_gamma = Σ g·[open]·x̂/σ,
    //   dy = γ/std·(g·[open]/σ - grad_beta/P - x̂·grad_gamma/P).
    const T* inverse_std = pass + layout.inverse_std(block);
    for (int c = 0; c < F; ++c) {
      const T grad_beta = s.total[c] / sigma[block + 1];
      const T grad_gamma = s.moment[c] * inverse_std[c] / sigma[block + 1];
      const T slope = weights[layout.gamma(block) + c] * inverse_std[c];
      s.a[c] = slope / sigma[block + 1];
      s.b[c] = slope * grad_beta / P;
      s.d[c] = slope * inverse_std[c] * grad_gamma / P;
      if (partial) {
        partial[layout.beta(block) + c] = grad_beta;
        partial[layout.gamma(block) + c] = grad_gamma;
      }
    }
    if (block == 1) {
      for (int p = 0; p < P; p += chunk) {
        const int rows = smaller(chunk, P - p);
        current.apply(s.g + p * F, p, rows, s.a, s.b, s.d);
        if (partial) {
          gemm(taps, F, rows, crop, Table{window.tap}, Table{window.position + p}, s.g + p * F, F,
               partial, F, p > 0);
        }
      }
      break;
    }
    // Chunk by chunk: through the norm, towards the weights, towards the block below and its sums.
    fill(s.total, T(0), 2 * F);
    const BlockBackward<T> next = block_backward(block - 1, s.below_scale, s.below_shift);
    for (int p = 0; p < P; p += chunk) {
      const int rows = smaller(chunk, P - p);
      T* g = s.g + p * F;
      current.apply(g, p, rows, s.a, s.b, s.d);
      if (partial) {
        activate(s.input, next.y + p * F, s.below_scale, s.below_shift, rows, F);
        gemm(F, F, rows, g, Stride{1}, Stride{F}, s.input, F, partial + layout.weight(block), F,
             p > 0);
      }
      gemm(rows, F, F, g, Stride{F}, Stride{1}, weights + layout.weight(block), F, s.below + p * F,
           F);
      next.add_sums(s.below + p * F, p, rows, s.total, s.moment);
    }
    // partial lacks the 1/σ of its own convolution: its input was not divided by it.
    if (partial) scale_by(partial + layout.weight(block), 1 / sigma[block], F * F);
    exchange(s.g, s.below);
    exchange(s.scale, s.below_scale);
    exchange(s.shift, s.below_shift);
    current = next;
  }
  if (grad_crop) {
    scatter_windows(layout, problem, 1 / (sigma[0] * sigma[1]), s.g, grad_crop, s.below,
                    s.products);
  }
}

template <class T>
void discriminate_combine(const DiscriminatorLayout& layout, int passes, const T* weights,
                          const T* saved, const T* partials, T* grad_weights, T* scratch) {
  const int F = layout.features, taps = layout.taps();
  const int64_t stride = DiscriminatorLayout::padded(layout.weights());
  // Σ over passes of the composed convolution's gradient / (σ0 σ1): (taps, F)
  T* composed = scratch;
  T* product = composed + taps * F;
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

  // composed = W0ᵀW1ᵀ, so dW1ᵀ = W0·d and dW0ᵀ = d·W1 with d its gradient.
  gemm(F, F, taps, weights, Stride{taps}, Stride{1}, composed, F, product, F);
  transpose(grad_weights + layout.weight(1), product, F, F, true);
  gemm(taps, F, F, composed, Stride{F}, Stride{1}, weights + layout.weight(1), F, product, F);
  transpose(grad_weights, product, taps, F, true);
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
