#include "ops/gaussian_noise/gaussian_noise.h"

#include "core/checked.h"
#include "core/thread_pool.h"

namespace kgf {

void gaussian_noise(const Array& seeds, int stream, int64_t first, const Array& out,
                    Stream cuda_stream) {
  KGF_CHECK(out.rank >= 2, "out must be (steps, N, …), got ", describe(out));
  KGF_CHECK(out.dtype == DType::float32, "out must be float32, got ", describe(out));
  KGF_CHECK(stream >= 0, "stream must be >= 0, got ", stream);
  const int64_t steps = out.shape[0], problems = out.shape[1];
  check_steps(first, steps);
  check(seeds, "seeds", DType::int64, {problems});
  const int device = device_of({{seeds, "seeds"}, {out, "out"}});
  if (out.size() == 0) return;
  // A counter's first word numbers blocks of four values.
  const int64_t each = out.size() / (steps * problems), most = int64_t{1} << 34;
  KGF_CHECK(each <= most, "out must have at most 2^34 values a step and problem, got ", each);
  if (device != host) return KGF_CUDA(gaussian_noise(seeds, stream, first, out, cuda_stream));
  const auto noise = KGF_PER_LEVEL(gaussian_noise_one);
  parallel_for(steps * problems, [&](int64_t task) {
    noise(static_cast<uint64_t>(seeds.as<int64_t>()[task % problems]),
          static_cast<uint32_t>(stream), static_cast<uint32_t>(first + task / problems), each,
          out.as<float>() + task * each);
  });
}

}  // namespace kgf
