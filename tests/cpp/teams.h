// Runs the blocks of a launch on the host, by one thread in a shuffled order and by several at once.
#pragma once

#include <thread>
#include <vector>

#include "barrier.h"
#include "core/launch.h"
#include "core/team.h"

namespace kgf::test {

// One thread of a team of real ones: a sync that is missing shows under the thread sanitizer.
class ThreadTeam {
 public:
  ThreadTeam(Barrier* barrier, int rank, int size) : barrier_(barrier), rank_(rank), size_(size) {}

  template <class F>
  void each(int count, F f) {
    for (int i = rank_; i < count; i += size_) f(i);
  }
  void sync() { barrier_->wait(); }

 private:
  Barrier* barrier_;
  int rank_, size_;
};

// Calls block(team, x, y, shared) for every block of the launch. Shared memory is exactly as long as the
// launch says, and holds NaN at first.
template <class Block>
void run_by_one(const Launch& launch, Block block) {
  const int64_t count = launch.blocks_x * launch.blocks_y;
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), int64_t{0});
  std::mt19937 random(7);
  std::shuffle(order.begin(), order.end(), random);
  for (int64_t i : order) {
    std::vector<unsigned char> shared(launch.shared_bytes, 0xff);
    HostTeam team(static_cast<unsigned>(i));
    block(team, i / launch.blocks_y, static_cast<int>(i % launch.blocks_y), shared.data());
  }
}

template <class Block>
void run_by_threads(const Launch& launch, Block block) {
  constexpr int size = 3;
  Barrier barrier(size);
  std::vector<unsigned char> shared(launch.shared_bytes, 0xff);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadTeam team(&barrier, rank, size);
      for (int64_t i = 0; i < launch.blocks_x * launch.blocks_y; ++i) {
        block(team, i / launch.blocks_y, static_cast<int>(i % launch.blocks_y), shared.data());
        team.sync();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

template <class Block>
void run_blocks(bool by_threads, const Launch& launch, Block block) {
  by_threads ? run_by_threads(launch, block) : run_by_one(launch, block);
}

// Whether every architecture that kernels are built for can run the launch.
inline bool fits_all(const Launch& launch) {
  for (const DeviceLimits& limits : known_devices) {
    try {
      check_launch(launch, limits, "launch");
    } catch (const Error&) {
      return false;
    }
  }
  return true;
}

}  // namespace kgf::test
