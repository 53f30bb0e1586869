#include "ops/kernel_regularizers/kernel_regularizers.h"

#include "core/checked.h"
#include "core/thread_pool.h"

namespace kgf {

void kernel_regularizers_forward(const Array& kernel, const Array& mask, const Array& weights,
                                 double sparse_power, const Array& loss, const Array& terms,
                                 const Array& grad, Stream cuda_stream) {
  const bool wide = is_float64(kernel, "kernel");
  KGF_CHECK(kernel.rank == 3 && kernel.shape[1] == kernel.shape[2] && kernel.shape[1] >= 1,
            "kernel must be (N, K, K), got ", describe(kernel));
  KGF_CHECK(product_fits(max_int, {kernel.shape[1], kernel.shape[1]}),
            "kernel must have fewer than 2^31 taps, got ", describe(kernel));
  KGF_CHECK(sparse_power > 0 && sparse_power <= 2, "sparse_power must be in (0, 2], got ",
            sparse_power);
  const int64_t problems = kernel.shape[0], side = kernel.shape[1];
  check(mask, "mask", kernel.dtype, {side, side});
  check(weights, "weights", kernel.dtype, {problems, regularizer_terms});
  check(loss, "loss", kernel.dtype, {problems});
  check(terms, "terms", kernel.dtype, {problems, regularizer_terms});
  check(grad, "grad", kernel.dtype, {problems, side, side});
  if (device_of({{kernel, "kernel"},
                 {mask, "mask"},
                 {weights, "weights"},
                 {loss, "loss"},
                 {terms, "terms"},
                 {grad, "grad"}}) != host) {
    return KGF_CUDA(kernel_regularizers_forward(kernel, mask, weights, sparse_power, loss, terms,
                                                grad, cuda_stream));
  }
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const auto one = KGF_PER_LEVEL(kernel_regularizers_one<T>);
    // A few microseconds a problem: waking threads would cost more.
    for (int64_t n = 0; n < problems; ++n) {
      one(static_cast<int>(side), kernel.as<T>() + n * side * side, mask.as<T>(),
          weights.as<T>() + n * regularizer_terms, static_cast<T>(sparse_power), loss.as<T>() + n,
          terms.as<T>() + n * regularizer_terms, grad.as<T>() + n * side * side);
    }
  };
  KGF_BY_DTYPE(wide, run);
}

}  // namespace kgf
