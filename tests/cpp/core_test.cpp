// Counters, threads, arrays, instruction set levels.
#include <atomic>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/array.h"
#include "core/checked.h"
#include "core/device.h"
#include "core/launch.h"
#include "core/normal.h"
#include "core/philox.h"
#include "core/simd_level.h"
#include "core/team.h"
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

void sizes_that_overflow_are_refused() {
  constexpr int64_t most = INT64_MAX;
  EXPECT(product_fits(most, {most, 1, 1}) && product_fits(most, {0, most, most}));
  EXPECT(product_fits(most, {most, most, 0}) && product_fits(6, {2, 3}) && product_fits(0, {0, 5}));
  EXPECT(!product_fits(most, {most, 2}) && !product_fits(5, {2, 3}) && !product_fits(0, {1}));
  EXPECT(!product_fits(most, {int64_t{1} << 32, int64_t{1} << 31}));
  float memory[1] = {};
  const auto size = [&](int64_t a, int64_t b, int64_t c) {
    return Array{memory, DType::float32, 3, {a, b, c}}.size();
  };
  EXPECT(size(2, 3, 4) == 24 && size(most, 1, 1) == most && size(0, most, most) == 0);
  EXPECT(size(most, most, 0) == 0);
  EXPECT(test::throws<Error>([&] { size(most, most, 1); }));
  EXPECT(test::throws<Error>([&] { size(1, -1, 1); }));
  constexpr int64_t words = int64_t{1} << 32;
  check_steps(0, words);
  check_steps(words, 0);
  for (auto [first, count] :
       {std::pair(most, int64_t{1}), std::pair(most - 3, int64_t{4}), std::pair(int64_t{1}, words),
        std::pair(int64_t{-1}, int64_t{1}), std::pair(int64_t{0}, most), std::pair(most, most)}) {
    EXPECT(test::throws<Error>([first = first, count = count] { check_steps(first, count); }));
  }
}

void arrays_of_different_devices_are_refused_by_name() {
  float memory[2] = {};
  const Array here{memory, DType::float32, 1, {2}};
  Array there = here;
  there.device = 1;
  EXPECT(device_of({{here, "a"}, {here, "b"}}) == host);
  try {
    device_of({{here, "a"}, {there, "b"}});
    EXPECT(false);
  } catch (const Error& error) {
    EXPECT(std::string(error.what()) ==
           "b must be in host memory like a, got one on CUDA device 1");
  }
  EXPECT(test::throws<Error>([&] { check_device({here, there}, "c", 1); }));
  EXPECT(test::throws<Error>([&] { check_workspace(nullptr, there, {2}); }));
  EXPECT(test::throws<Error>([&] { check_workspace(&here, there, {2}); }));
  EXPECT(test::throws<Error>([&] { check_workspace(&there, there, {3}); }));
  check_workspace(&there, there, {2});
#ifdef KGF_CUDA_BUILT
  EXPECT(device_of({{there, "a"}, {there, "b"}}) == 1);
#else
  EXPECT(test::throws<DeviceError>([&] { device_of({{there, "a"}, {there, "b"}}); }));
#endif
}

void launches_that_no_gpu_takes_are_refused() {
  const DeviceLimits& turing = known_devices[1];
  const DeviceLimits& hopper = known_devices[5];
  EXPECT(turing.capability == 75 && hopper.capability == 90);
  check_launch({5, 3, 1024, 1, 64 << 10}, turing, "op");
  check_launch({32, 3, 128, 16, 227 << 10}, hopper, "op");
  for (const Launch& launch :
       {Launch{int64_t{1} << 31, 1, 32, 1, 0}, Launch{1, 65536, 32, 1, 0}, Launch{1, 1, 1025, 1, 0},
        Launch{1, 1, 32, 1, (64 << 10) + 1}, Launch{8, 1, 32, 8, 0}}) {
    EXPECT(test::throws<Error>([&] { check_launch(launch, turing, "op"); }));
  }
  EXPECT(test::throws<Error>([&] { check_launch({9, 1, 32, 8, 0}, hopper, "op"); }));
}

void split_sums_add_every_term_once() {
  HostTeam team;
  std::vector<double> scratch(split_scratch);
  for (int count : {0, 1, 3, 169, 1024, 3000}) {
    for (int terms : {0, 1, 2, 16, 17, 127, 2028}) {
      std::vector<double> found(count, -1);
      split_sums(
          team, count, terms, scratch.data(),
          [&](int j, int from, int to) {
            double total = 0;
            for (int i = from; i < to; ++i) total += j + i;
            return total;
          },
          [&](int j, double total) { found[j] = total; });
      for (int j = 0; j < count; ++j) EXPECT(found[j] == terms * j + terms * (terms - 1) / 2.0);
    }
  }
}

void tiles_cover_everything_once() {
  for (int all : {0, 1, 7, 1000}) {
    for (int tiles : {1, 3, 64}) {
      int next = 0;
      for (int t = 0; t < tiles; ++t) {
        const Tile tile(all, t, tiles);
        EXPECT(tile.from == next && tile.count >= 0);
        next += tile.count;
      }
      EXPECT(next == all);
    }
  }
}

int main() {
  philox_gives_published_numbers();
  normal_pairs_follow_the_formula();
  every_task_runs_once();
  nested_work_runs_serially();
  a_task_that_throws_reaches_the_caller();
  wrong_settings_are_refused();
  wrong_arrays_are_refused_by_name();
  sizes_that_overflow_are_refused();
  arrays_of_different_devices_are_refused_by_name();
  launches_that_no_gpu_takes_are_refused();
  split_sums_add_every_term_once();
  tiles_cover_everything_once();
  return test::finish();
}
