// Counters, threads, arrays, instruction set levels.
#include <atomic>
#include <stdexcept>
#include <vector>

#include "core/array.h"
#include "core/normal.h"
#include "core/philox.h"
#include "core/simd_level.h"
#include "core/thread_pool.h"
#include "expect.h"

using namespace kgf;

// The known answers that Random123 publishes for philox4x32-10.
void philox_gives_published_numbers() {
  const Philox zero = philox(0, 0, 0, 0, 0);
  EXPECT(zero.w[0] == 0x6627e8d5 && zero.w[1] == 0xe169c58d);
  EXPECT(zero.w[2] == 0xbc57ac4c && zero.w[3] == 0x9b00dbd8);
  const Philox ones = philox(~uint64_t{0}, ~0u, ~0u, ~0u, ~0u);
  EXPECT(ones.w[0] == 0x408f276d && ones.w[1] == 0x41c83b0e);
  EXPECT(ones.w[2] == 0xa20bc7c6 && ones.w[3] == 0x6d5451fd);
  const Philox pi = philox(0x299f31d0a4093822, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344);
  EXPECT(pi.w[0] == 0xd16cfe09 && pi.w[1] == 0x94fdcceb);
  EXPECT(pi.w[2] == 0x5001e420 && pi.w[3] == 0x24126ea1);
}

void normal_pairs_follow_the_formula() {
  const uint32_t words[] = {0,          1,          12345,      0x1fffffff, 0x20000000, 0x5fffffff,
                            0x7fffffff, 0x80000000, 0xbfffffff, 0xc0000000, 0xe0000001, 0xffffffff};
  for (uint32_t w0 : words) {
    for (uint32_t w1 : words) {
      float a, b;
      normal_pair(w0, w1, &a, &b);
      const double r = std::sqrt(-2 * std::log((w0 + 0.5) / 4294967296.0));
      const double angle = 2 * 3.14159265358979323846 * (w1 + 0.5) / 4294967296.0;
      EXPECT_NEAR(a, r * std::cos(angle), 3e-6);
      EXPECT_NEAR(b, r * std::sin(angle), 3e-6);
    }
  }
}

void every_task_runs_once() {
  for (int threads : {1, 2, 5}) {
    set_num_threads(threads);
    for (int64_t count : {0, 1, 7, 1000}) {
      std::vector<std::atomic<int>> hits(count);
      parallel_for(count, [&](int64_t i) { ++hits[i]; });
      parallel_for(count, [&](int64_t i) { ++hits[i]; }, Order::last_to_first);
      for (const auto& hit : hits) EXPECT(hit == 2);
    }
  }
}

void nested_work_runs_serially() {
  set_num_threads(3);
  std::atomic<int> total{0};
  parallel_for(4, [&](int64_t) { parallel_for(5, [&](int64_t) { ++total; }); });
  EXPECT(total == 20);
}

void a_task_that_throws_reaches_the_caller() {
  for (int threads : {1, 3}) {
    set_num_threads(threads);
    const auto bad = [] {
      parallel_for(8, [](int64_t i) {
        if (i == 5) throw std::runtime_error("five");
      });
    };
    EXPECT(test::throws<std::runtime_error>(bad));
    std::atomic<int> total{0};
    parallel_for(8, [&](int64_t) { ++total; });
    EXPECT(total == 8);
  }
}

void wrong_settings_are_refused() {
  EXPECT(test::throws<Error>([] { set_num_threads(0); }));
  EXPECT(test::throws<Error>([] { set_num_threads(1025); }));
  EXPECT(test::throws<Error>([] { set_simd_level("mmx"); }));
  const std::string best = simd_levels().back();
  set_simd_level("baseline");
  EXPECT(simd_level() == SimdLevel::baseline);
  set_simd_level(best);
}

void wrong_arrays_are_refused_by_name() {
  float memory[6] = {};
  const Array array{memory, DType::float32, 2, {2, 3}};
  check(array, "thing", DType::float32, {2, -1});
  try {
    check(array, "thing", DType::float32, {3, -1});
    EXPECT(false);
  } catch (const Error& error) {
    EXPECT(std::string(error.what()) == "thing must be float32 (3, any), got float32 (2, 3)");
  }
  EXPECT(test::throws<Error>([&] { check(array, "thing", DType::float64, {2, 3}); }));
  EXPECT(test::throws<Error>([&] { check(array, "thing", DType::float32, {6}); }));
}

int main() {
  philox_gives_published_numbers();
  normal_pairs_follow_the_formula();
  every_task_runs_once();
  nested_work_runs_serially();
  a_task_that_throws_reaches_the_caller();
  wrong_settings_are_refused();
  wrong_arrays_are_refused_by_name();
  return test::finish();
}
