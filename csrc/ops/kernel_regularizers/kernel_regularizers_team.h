// The arithmetic of kernel_regularizers for a team of GPU threads: one block a problem.
#pragma once

#include <cmath>

#include "core/team.h"
#include "ops/kernel_regularizers/kernel_regularizers.h"
#include "ops/kernel_regularizers/kernel_regularizers_launch.h"

namespace kgf {

// Σk, Σk·y, Σk·x, Σ|k·mask|, Σ|k|^p
template <class T>
using RegularizerSums = Values<T, regularizer_sums>;

KGF_DEVICE inline float power(float base, float exponent) { return powf(base, exponent); }
KGF_DEVICE inline double power(double base, double exponent) { return pow(base, exponent); }

template <class T>
KGF_DEVICE T magnitude(T value) {
  return value < 0 ? -value : value;
}

template <class T>
KGF_DEVICE T sign(T value) {
  return static_cast<T>((value > 0) - (value < 0));
}

// Problem n; scratch holds split_parts sums and one more.
template <class Team, class T>
KGF_DEVICE void regularize(Team& team, int side, int64_t n, const T* kernel, const T* mask,
                           const T* weights, T sparse_power, T* loss, T* terms, T* grad,
                           RegularizerSums<T>* scratch) {
  const int count = side * side;
  kernel += n * count;
  weights += n * regularizer_terms;
  terms += n * regularizer_terms;
  grad += n * count;
  RegularizerSums<T>* sums = scratch + split_parts;
  const auto sum = [&](int, int from, int to) {
    RegularizerSums<T> total = {};
    for (int i = from; i < to; ++i) {
      const T k = kernel[i], size = magnitude(k);
      const T powered = size > 0 ? power(size, sparse_power) : T(0);
      total += {k, k * (i / side), k * (i % side), size * magnitude(mask[i]), powered};
      grad[i] = weights[3] * sparse_power / count * (size > 0 ? powered / size : T(0)) * sign(k) +
                weights[1] / count * magnitude(mask[i]) * sign(k);
    }
    return total;
  };
  split_sums(team, 1, count, scratch, sum,
             [&](int, const RegularizerSums<T>& total) { *sums = total; });
  team.sync();
  // What follows from the sums is little, so every item reckons it anew.
  const T total = sums->v[0];
  const T target = side / 2 + T(0.5) * (2 - side % 2);
  const T off_y = sums->v[1] / total - target, off_x = sums->v[2] / total - target;
  team.each(1, [&](int) {
    terms[0] = magnitude(1 - total);
    terms[1] = sums->v[3] / count;
    terms[2] = (off_y * off_y + off_x * off_x) / 2;
    terms[3] = sums->v[4] / count;
    T value = 0;
    for (int t = 0; t < regularizer_terms; ++t) {
      value += weights[t] != 0 ? weights[t] * terms[t] : T(0);
    }
    loss[n] = value;
  });
  const T flat = -weights[0] * sign(1 - total);
  const T centre = weights[2] != 0 ? weights[2] / total : T(0);
  team.each(count, [&](int i) {
    T slope = flat;
    // d(centre of mass)/dk = (position - centre of mass)/Σk
    if (centre != 0) {
      slope += centre * (off_y * (i / side - off_y - target) + off_x * (i % side - off_x - target));
    }
    grad[i] += slope;
  });
}

}  // namespace kgf
