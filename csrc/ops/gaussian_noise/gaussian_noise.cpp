#include "ops/gaussian_noise/gaussian_noise.h"

#include "core/thread_pool.h"

namespace kgf {

void gaussian_noise(const Array& seeds, int stream, int64_t first, const Array& out,
                    Stream cuda_stream) {
  KGF_CHECK(out.rank >= 2, "out must be (steps, N, …), got ", describe(out));
  KGF_CHECK(out.dtype == DType::float32, "out must be float32, got ", describe(out));
  KGF_CHECK(stream >= 0, "stream must be >= 0, got ", stream);
  const int64_t steps = out.shape[0], problems = out.shape[1];
  KGF_CHECK(first >= 0 && first + steps <= int64_t{1} << 32, "steps must lie in 0..2^32, got ",
            first, "..", first + steps);
  check(seeds, "seeds", DType::int64, {problems});
  const int device = device_of({{seeds, "seeds"}, {out, "out"}});
  if (out.size() == 0) return;
  if (device != host) return KGF_CUDA(gaussian_noise(seeds, stream, first, out, cuda_stream));
  const int64_t each = out.size() / (steps * problems);
  const auto noise = KGF_PER_LEVEL(gaussian_noise_one);
  parallel_for(steps * problems, [&](int64_t task) {
    noise(static_cast<uint64_t>(seeds.as<int64_t>()[task % problems]),
          static_cast<uint32_t>(stream), static_cast<uint32_t>(first + task / problems), each,
          out.as<float>() + task * each);
  });
}

}  // namespace kgf
