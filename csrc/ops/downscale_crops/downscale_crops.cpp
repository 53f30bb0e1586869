#include "ops/downscale_crops/downscale_crops.h"

#include "core/checked.h"
#include "core/scratch.h"
#include "core/thread_pool.h"

namespace kgf {
namespace {

struct Sizes {
  int64_t problems, channels, side, kernel_side, out_side;
};

Sizes check_sizes(const Array& crops, const Array& kernel, const char* kernel_name,
                  const Array& out, const char* out_name) {
  KGF_CHECK(crops.rank == 4 && crops.shape[2] == crops.shape[3], "crops must be (N, C, S, S), got ",
            describe(crops));
  KGF_CHECK(kernel.rank == 3, kernel_name, " must be (N, K, K), got ", describe(kernel));
  const int64_t problems = crops.shape[0], channels = crops.shape[1], side = crops.shape[2];
  const int64_t kernel_side = kernel.shape[1];
  KGF_CHECK(kernel_side >= 1 && kernel_side <= side, kernel_name,
            " must not be larger than the crops, got K = ", kernel_side, " for S = ", side);
  // With the padding that scratch_size adds to a row.
  KGF_CHECK(side < max_int && product_fits(max_int, {channels, side, side + 64}),
            "a crop must have fewer than 2^31 values, got ", describe(crops));
  const int64_t out_side = (side - kernel_side) / 2 + 1;
  check(kernel, kernel_name, crops.dtype, {problems, kernel_side, kernel_side});
  check(out, out_name, crops.dtype, {problems, channels, out_side, out_side});
  return {problems, channels, side, kernel_side, out_side};
}

// A crop with its rows split by parity, room to load past its end, and padded gradient rows.
int64_t scratch_size(const Sizes& s) {
  constexpr int64_t widest_vector = 16;
  return s.channels * (s.side * (s.side + 1) + s.out_side * (s.out_side + widest_vector)) +
         4 * widest_vector;
}

}  // namespace

void downscale_crops_forward(const Array& crops, const Array& kernel, const Array& out,
                             Stream cuda_stream) {
  const bool wide = is_float64(crops, "crops");
  const Sizes s = check_sizes(crops, kernel, "kernel", out, "out");
  if (device_of({{crops, "crops"}, {kernel, "kernel"}, {out, "out"}}) != host) {
    return KGF_CUDA(downscale_crops_forward(crops, kernel, out, cuda_stream));
  }
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const auto one = KGF_PER_LEVEL(downscale_crops_one<T>);
    parallel_for(s.problems, [&](int64_t n) {
      one(s.channels, s.side, s.kernel_side, crops.as<T>() + n * s.channels * s.side * s.side,
          kernel.as<T>() + n * s.kernel_side * s.kernel_side,
          out.as<T>() + n * s.channels * s.out_side * s.out_side, scratch<T>(scratch_size(s)));
    });
  };
  KGF_BY_DTYPE(wide, run);
}

void downscale_crops_backward(const Array& grad_out, const Array& crops, const Array& grad_kernel,
                              Stream cuda_stream) {
  const bool wide = is_float64(crops, "crops");
  const Sizes s = check_sizes(crops, grad_kernel, "grad_kernel", grad_out, "grad_out");
  if (device_of({{grad_out, "grad_out"}, {crops, "crops"}, {grad_kernel, "grad_kernel"}}) != host) {
    return KGF_CUDA(downscale_crops_backward(grad_out, crops, grad_kernel, cuda_stream));
  }
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const auto one = KGF_PER_LEVEL(downscale_crops_one_backward<T>);
    parallel_for(s.problems, [&](int64_t n) {
      one(s.channels, s.side, s.kernel_side,
          grad_out.as<T>() + n * s.channels * s.out_side * s.out_side,
          crops.as<T>() + n * s.channels * s.side * s.side,
          grad_kernel.as<T>() + n * s.kernel_side * s.kernel_side, scratch<T>(scratch_size(s)));
    });
  };
  KGF_BY_DTYPE(wide, run);
}

}  // namespace kgf
