// Tensors that own their elements, for tests.
#pragma once

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "core/array.h"
#include "expect.h"

namespace kgf::test {

// Exactly as long as its elements, so that the sanitizer sees the first byte past them.
template <class T>
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<T> data;

  explicit Tensor(std::vector<int64_t> s) : shape(std::move(s)) {
    data.resize(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
  }
  T* at() { return data.data(); }
  Array array() {
    constexpr DType dtype = sizeof(T) == 8 ? DType::float64 : DType::float32;
    Array a{data.data(), dtype, static_cast<int>(shape.size()), {}};
    std::copy(shape.begin(), shape.end(), a.shape.begin());
    return a;
  }
};

template <class T>
Tensor<T> random_tensor(std::vector<int64_t> shape, unsigned seed, double size = 1) {
  Tensor<T> tensor(std::move(shape));
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, size);
  for (T& value : tensor.data) value = static_cast<T>(normal(random));
  return tensor;
}

template <class T>
double dot(const Tensor<T>& a, const Tensor<T>& b) {
  return std::inner_product(a.data.begin(), a.data.end(), b.data.begin(), 0.0);
}

// The largest difference, as a share of the largest value; infinite where one is not finite.
template <class T>
double distance(const Tensor<T>& a, const Tensor<T>& b) {
  double most = 0, largest = 1e-30;
  for (size_t i = 0; i < a.data.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a.data[i]) - b.data[i]);
    if (!std::isfinite(difference)) return INFINITY;
    most = std::max(most, difference);
    largest = std::max(largest, std::abs(static_cast<double>(b.data[i])));
  }
  return most / largest;
}

// How far two orders of the same sums may be apart.
template <class T>
constexpr double rounding = sizeof(T) == 8 ? 1e-13 : 2e-5;

}  // namespace kgf::test
