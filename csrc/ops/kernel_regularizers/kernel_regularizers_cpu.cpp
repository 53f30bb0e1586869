#include "ops/kernel_regularizers/kernel_regularizers.h"

#include "core/simd.h"

namespace kgf::KGF_SIMD {
namespace {

KGF_INLINE float power(float base, float exponent) { return __builtin_powf(base, exponent); }
KGF_INLINE double power(double base, double exponent) { return __builtin_pow(base, exponent); }

template <class T>
KGF_INLINE T magnitude(T value) {
  return value < 0 ? -value : value;
}

template <class T>
KGF_INLINE T sign(T value) {
  return static_cast<T>((value > 0) - (value < 0));
}

}  // namespace

template <class T>
void kernel_regularizers_one(int side, const T* kernel, const T* mask, const T* weights,
                             T sparse_power, T* loss, T* terms, T* grad) {
  const int count = side * side;
  T total = 0, moment_y = 0, moment_x = 0, bounds = 0, sparse = 0;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const int i = y * side + x;
      const T k = kernel[i], size = magnitude(k);
      total += k;
      moment_y += k * y;
      moment_x += k * x;
      bounds += size * magnitude(mask[i]);
      const T powered = size > 0 ? power(size, sparse_power) : T(0);
      sparse += powered;
      grad[i] = weights[3] * sparse_power / count * (size > 0 ? powered / size : T(0)) * sign(k) +
                weights[1] / count * magnitude(mask[i]) * sign(k);
    }
  }
  const T target = side / 2 + T(0.5) * (2 - side % 2);
  const T off_y = moment_y / total - target, off_x = moment_x / total - target;
  terms[0] = magnitude(1 - total);
  terms[1] = bounds / count;
  terms[2] = (off_y * off_y + off_x * off_x) / 2;
  terms[3] = sparse / count;
  T sum = 0;
  for (int t = 0; t < regularizer_terms; ++t) sum += weights[t] != 0 ? weights[t] * terms[t] : T(0);
  *loss = sum;

  const T flat = -weights[0] * sign(1 - total);
  const T centre = weights[2] != 0 ? weights[2] / total : T(0);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      T slope = flat;
      // d(centre of mass)/dk = (position - centre of mass)/Σk
      if (centre != 0)
        slope += centre * (off_y * (y - off_y - target) + off_x * (x - off_x - target));
      grad[y * side + x] += slope;
    }
  }
}

template void kernel_regularizers_one<float>(int, const float*, const float*, const float*, float,
                                             float*, float*, float*);
#ifdef KGF_FLOAT64
template void kernel_regularizers_one<double>(int, const double*, const double*, const double*,
                                              double, double*, double*, double*);
#endif

}  // namespace kgf::KGF_SIMD
