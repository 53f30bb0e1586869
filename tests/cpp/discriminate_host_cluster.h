// A cluster of thread blocks on the host: every rank has a room of its own and some real threads, which
// meet at real barriers. Under the thread sanitizer a barrier too few is a report; items come in a
// shuffled order, rooms start as NaN, and fetched data arrives as late as it may.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "barrier.h"

namespace kgf::test {

template <class T>
struct HostRank {
  Barrier barrier;
  std::vector<T> room;

  HostRank(int threads, int64_t elements)
      : barrier(threads), room(elements, std::numeric_limits<T>::quiet_NaN()) {}
};

// One thread of one rank.
template <class T, bool Keeps, bool Tensor>
class HostMember {
 public:
  static constexpr bool keeps = Keeps, tensor_cores = Tensor;

  HostMember(std::vector<HostRank<T>*> all, Barrier* cluster, int rank, int thread, int threads)
      : all_(std::move(all)),
        cluster_(cluster),
        rank_(rank),
        thread_(thread),
        threads_(threads),
        random_(static_cast<unsigned>(rank * threads + thread)) {}

  int rank() const { return rank_; }
  int ranks() const { return static_cast<int>(all_.size()); }
  T* room() const { return all_[rank_]->room.data(); }

  template <class F>
  void each(int count, F f) {
    std::vector<int> mine;
    for (int i = thread_; i < count; i += threads_) mine.push_back(i);
    std::shuffle(mine.begin(), mine.end(), random_);
    for (int i : mine) f(i);
  }

  // Each thread is a warp.
  template <class F>
  void each_warp(int count, F f) {
    each(count, f);
  }

  void sync() { all_[rank_]->barrier.wait(); }
  void wait() { cluster_->wait(); }

  template <class P>
  P* peer(P* place, int rank) const {
    return all_[rank]->room.data() + (place - room());
  }

  void fetch(T* to, const T* from, int count) { pending_.push_back({to, from, count}); }
  void fetched() {
    for (const Copy& copy : pending_) std::copy_n(copy.from, copy.count, copy.to);
    pending_.clear();
  }

 private:
  struct Copy {
    T* to;
    const T* from;
    int count;
  };

  std::vector<HostRank<T>*> all_;
  Barrier* cluster_;
  int rank_, thread_, threads_;
  std::mt19937 random_;
  std::vector<Copy> pending_;
};

// Runs body(member) on all threads of a cluster whose ranks have rooms of `elements`.
template <class T, bool Keeps, bool Tensor = false, class Body>
void on_cluster(int ranks, int threads, int64_t elements, Body body) {
  std::vector<HostRank<T>*> all;
  std::vector<std::unique_ptr<HostRank<T>>> memory;
  for (int rank = 0; rank < ranks; ++rank) {
    memory.push_back(std::make_unique<HostRank<T>>(threads, elements));
    all.push_back(memory.back().get());
  }
  Barrier cluster(ranks * threads);
  std::vector<std::thread> running;
  for (int rank = 0; rank < ranks; ++rank) {
    for (int thread = 0; thread < threads; ++thread) {
      running.emplace_back([&, rank, thread] {
        HostMember<T, Keeps, Tensor> member(all, &cluster, rank, thread, threads);
        body(member);
      });
    }
  }
  for (std::thread& thread : running) thread.join();
}

}  // namespace kgf::test
