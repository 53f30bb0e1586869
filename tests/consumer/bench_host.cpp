// CPU time of runs in the engine, for bench_host.py: bench_host MODEL HEIGHT WIDTH RUNS [SIZE]
// prints: milliseconds to open, of the best run on float planes, of the best run on 8 bits. SIZE is the
// kernel's of a model that takes one.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <kernelgan_fast/engine.hpp>
#include <vector>

namespace {

// Of the calling thread, which does all the work of a model with one thread.
double cpu_milliseconds() {
  return 1e3 * static_cast<double>(std::clock()) / static_cast<double>(CLOCKS_PER_SEC);
}

template <class F>
double best(int runs, F f) {
  double least = 1e30;
  for (int i = 0; i < runs; ++i) {
    const double start = cpu_milliseconds();
    f();
    least = std::min(least, cpu_milliseconds() - start);
  }
  return least;
}

void run(const char* path, int height, int width, int runs, int size) {
  const double start = cpu_milliseconds();
  const kernelgan_fast::Model model(path, {}, 1);
  kernelgan_fast::Context context(model);
  const double opening = cpu_milliseconds() - start;
  if (size > 0) {
    const std::vector<float> kernel(size * size, 1.0f / static_cast<float>(size * size));
    context.set_kernel(kernel.data(), size);
  }
  const auto [high, wide] = model.output_size(height, width);
  const size_t in = size_t{3} * height * width, out = size_t{3} * high * wide;
  std::vector<float> low(in, 0.5f), large(out);
  std::vector<uint8_t> low_bytes(in, 128), large_bytes(out);
  kgf_run_options whole = KGF_RUN_OPTIONS_INIT;
  whole.tile = 0;
  const double planes = best(runs, [&, h = high, w = wide] {
    context.run(kgf_planar(low.data(), KGF_FLOAT32, height, width, 3),
                kgf_planar(large.data(), KGF_FLOAT32, h, w, 3), whole);
  });
  const double bytes = best(runs, [&, h = high, w = wide] {
    context.run(kgf_interleaved(low_bytes.data(), KGF_UINT8, height, width, 3),
                kgf_interleaved(large_bytes.data(), KGF_UINT8, h, w, 3), whole);
  });
  std::printf("%.3f %.3f %.3f\n", opening, planes, bytes);
}

}  // namespace

int main(int count, char** words) {
  if (count < 5) return 2;
  try {
    run(words[1], std::atoi(words[2]), std::atoi(words[3]), std::atoi(words[4]),
        count > 5 ? std::atoi(words[5]) : 0);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
