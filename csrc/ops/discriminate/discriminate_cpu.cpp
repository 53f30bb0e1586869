#include "ops/discriminate/discriminate.h"

#include "core/gemm.h"
#include "ops/discriminate/discriminate_parts.h"

namespace kgf::KGF_SIMD {
namespace {

// value / max(|value|, 1e-12)
template <class T>
void normalize(T* value, int count) {
  const T norm = __builtin_sqrt(dot(value, value, count));
  const T scale = 1 / (norm > T(1e-12) ? norm : T(1e-12));
  for (int i = 0; i < count; ++i) value[i] *= scale;
}

// One power iteration on W (rows, cols): v = normalize(Wᵀu), u = normalize(Wv); returns uᵀWv.
template <class T>
T power_iteration(const T* weight, int rows, int cols, T* u, T* v) {
  gemm(1, cols, rows, u, Stride{0}, Stride{1}, weight, cols, v, cols);
  normalize(v, cols);
  for (int o = 0; o < rows; ++o) u[o] = dot(weight + o * cols, v, cols);
  T norm_squared = dot(u, u, rows);
  normalize(u, rows);
  // u was Wv before it was normalised, so uᵀWv = |Wv|²/max(|Wv|, ε).
  const T norm = __builtin_sqrt(norm_squared);
  return norm_squared / (norm > T(1e-12) ? norm : T(1e-12));
}

// Adds Σ (y - origin) and Σ (y - origin)² over rows. Measured from a sample, the variance of an
// almost constant channel does not drown in its mean.
template <class T>
KGF_INLINE void accumulate_moments(const T* y, const T* origin, int rows, int features, T* first,
                                   T* second) {
  int c = 0;
  for (; c + lanes<T> <= features; c += lanes<T>) {
    const Vec<T> start = load(origin + c);
    Vec<T> a = load(first + c), b = load(second + c);
    for (int p = 0; p < rows; ++p) {
      const Vec<T> d = load(y + p * features + c) - start;
      a += d;
      b += d * d;
    }
    store(first + c, a);
    store(second + c, b);
  }
  for (; c < features; ++c) {
    for (int p = 0; p < rows; ++p) {
      const T d = y[p * features + c] - origin[c];
      first[c] += d;
      second[c] += d * d;
    }
  }
}

template <class T>
void finish_moments(const DiscriminatorLayout& layout, const T* origin, const T* first,
                    const T* second, T* mean, T* inverse_std) {
  constexpr T epsilon = T(1e-5);
  const T count = static_cast<T>(layout.positions());
  for (int c = 0; c < layout.features; ++c) {
    const T offset = first[c] / count;
    const T variance = second[c] / count - offset * offset;
    mean[c] = origin[c] + offset;
    inverse_std[c] = 1 / __builtin_sqrt((variance > 0 ? variance : T(0)) + epsilon);
  }
}

}  // namespace

template <class T>
void discriminate_prepare(const DiscriminatorLayout& layout, int passes, const T* weights,
                          const T* u, T* u_next, T* saved, T* scratch) {
  const int F = layout.features, taps = layout.taps();
  for (int i = 0; i < layout.us(); ++i) u_next[i] = u[i];
  for (int b = 0; b < passes; ++b) {
    T* pass = saved + layout.problem_part() + b * layout.pass_part();
    T* v = pass + layout.saved_v();
    for (int l = 0; l < layout.convolutions(); ++l) {
      pass[layout.sigma() + l] =
          power_iteration(weights + layout.weight(l), layout.fan_out(l), layout.fan_in(l),
                          u_next + layout.u(l), v + layout.v(l));
    }
    for (int i = 0; i < layout.us(); ++i) pass[layout.saved_u() + i] = u_next[i];
    // The padding is output like the rest, and equal calls give equal outputs.
    const int end = layout.saved_v() + layout.vs();
    fill(pass + end, T(0), layout.pass_part() - end);
  }
  // Composed first convolution, transposed: (taps, F) = W0ᵀ W1ᵀ.
  T* transposed = scratch;
  transpose(transposed, weights + layout.weight(1), F, F);
  gemm(taps, F, F, weights, Stride{1}, Stride{taps}, transposed, F, saved, F);
  for (int l = 2; l <= layout.blocks; ++l) {
    transpose(saved + layout.transposed(l), weights + layout.weight(l), F, F);
  }
  const int end = layout.transposed(layout.blocks + 1);
  fill(saved + end, T(0), layout.problem_part() - end);
}

template <class T>
void discriminate_pass(const DiscriminatorLayout& layout, const T* crop, const T* weights,
                       const T* problem, T* pass, T* map, T* scratch) {
  const int F = layout.features, P = layout.positions(), taps = layout.taps();
  const T* sigma = pass + layout.sigma();
  T* scale = scratch;
  T* shift = scale + F;
  T* first = shift + F;
  T* second = first + F;
  T* input = second + F;
  T* composed = input + chunk * F;
  const Windows window = windows(layout, reinterpret_cast<int*>(composed + taps * F));

  const T composed_scale = 1 / (sigma[0] * sigma[1]);
  for (int i = 0; i < taps * F; ++i) composed[i] = problem[i] * composed_scale;

  for (int block = 1; block <= layout.blocks; ++block) {
    T* y = pass + layout.activation(block);
    if (block > 1) affine(layout, weights, pass, block - 1, 1 / sigma[block], scale, shift);
    fill(first, T(0), F);
    fill(second, T(0), F);
    for (int p = 0; p < P; p += chunk) {
      const int rows = smaller(chunk, P - p);
      if (block == 1) {
        gemm(rows, F, taps, crop, Table{window.position + p}, Table{window.tap}, composed, F,
             y + p * F, F);
      } else {
        activate(input, pass + layout.activation(block - 1) + p * F, scale, shift, rows, F);
        gemm(rows, F, F, input, Stride{F}, Stride{1}, problem + layout.transposed(block), F,
             y + p * F, F);
      }
      accumulate_moments(y + p * F, y, rows, F, first, second);
    }
    finish_moments(layout, y, first, second, pass + layout.mean(block),
                   pass + layout.inverse_std(block));
  }

  const int last = layout.blocks + 1;
  affine(layout, weights, pass, layout.blocks, 1 / sigma[last], scale, shift);
  const T bias = weights[layout.bias(last)];
  for (int p = 0; p < P; p += chunk) {
    const int rows = smaller(chunk, P - p);
    activate(input, pass + layout.activation(layout.blocks) + p * F, scale, shift, rows, F);
    for (int r = 0; r < rows; ++r) {
      const T z = dot(input + r * F, weights + layout.weight(last), F) + bias;
      map[p + r] = 1 / (1 + __builtin_exp(-z));
    }
  }
}

#define KGF_INSTANTIATE(T)                                                                         \
  template void discriminate_prepare<T>(const DiscriminatorLayout&, int, const T*, const T*, T*,   \
                                        T*, T*);                                                   \
  template void discriminate_pass<T>(const DiscriminatorLayout&, const T*, const T*, const T*, T*, \
                                     T*, T*);

KGF_INSTANTIATE(float)
#ifdef KGF_FLOAT64
KGF_INSTANTIATE(double)
#endif

}  // namespace kgf::KGF_SIMD
