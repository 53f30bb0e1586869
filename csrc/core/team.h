// Device code without a device: an op's arithmetic is written once, for a team.
//
// A team visits the items of a phase, team.each(count, f), in any order and at the same time, and
// waits for all of them and their writes at team.sync(). On a GPU it is the threads of a block; on the
// host it is one thread that goes through the items in a shuffled order, so that items which depend on
// each other fail a test. Nothing is kept in registers across a sync: what a later phase needs lies in
// memory. Every item's sum runs in a fixed order, so results are the same to the last bit however many
// threads there are.
#pragma once

#include <cstdint>

#include "core/host_device.h"

#ifndef __CUDACC__
#include <algorithm>
#include <numeric>
#include <random>
#include <vector>
#endif

namespace kgf {

#ifdef __CUDACC__

struct BlockTeam {
  template <class F>
  __device__ void each(int count, F f) const {
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) f(i);
  }
  __device__ void sync() const { __syncthreads(); }
};

#else

class HostTeam {
 public:
  explicit HostTeam(unsigned seed = 0) : random_(seed) {}

  template <class F>
  void each(int count, F f) {
    std::vector<int> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random_);
    for (int i : order) f(i);
  }
  void sync() {}

 private:
  std::mt19937 random_;
};

#endif

// A few sums that one item makes together, because they share what they read.
template <class T, int Count>
struct Values {
  T v[Count];

  KGF_DEVICE Values& operator+=(const Values& other) {
    for (int r = 0; r < Count; ++r) v[r] += other.v[r];
    return *this;
  }
};

// A tile's share of `all` items.
struct Tile {
  int from, count;

  KGF_DEVICE Tile(int all, int tile, int tiles)
      : from(static_cast<int>(int64_t{all} * tile / tiles)),
        count(static_cast<int>(int64_t{all} * (tile + 1) / tiles) - from) {}
};

// A sum is cut into at most split_parts, so count·split_parts elements of scratch are always enough.
constexpr int split_parts = 128, split_scratch = 1024;

// store(j, Σ over terms of result j) for j = 0 .. count - 1. sum(j, from, to) adds terms from .. to - 1.
// Few long sums are cut into parts so that all threads take a share; the cuts depend on the numbers
// alone. Room is the number of elements of scratch. A sync must come before their next use.
template <int Room = split_scratch, class Value, class Team, class Sum, class Store>
KGF_DEVICE void split_sums(Team& team, int count, int terms, Value* scratch, Sum sum, Store store) {
  constexpr int few = 8;
  int parts = count > 0 ? Room / count : 1;
  if (parts > split_parts) parts = split_parts;
  if (parts > terms) parts = terms;
  if (parts <= 1) {
    team.each(count, [&](int j) { store(j, sum(j, 0, terms)); });
    return;
  }
  team.each(count * parts, [&](int item) {
    const int j = item % count, part = item / count;
    const int from = static_cast<int>(int64_t{terms} * part / parts);
    const int to = static_cast<int>(int64_t{terms} * (part + 1) / parts);
    scratch[item] = sum(j, from, to);
  });
  team.sync();
  // Parts first..first + step - 1 are summed in the place of the first.
  const int step = parts <= 2 * few ? 1 : (parts + few - 1) / few;
  if (step > 1) {
    team.each(count * few, [&](int item) {
      const int j = item % count, first = item / count * step;
      for (int part = first + 1; part < first + step && part < parts; ++part) {
        scratch[first * count + j] += scratch[part * count + j];
      }
    });
    team.sync();
  }
  team.each(count, [&](int j) {
    Value total = scratch[j];
    for (int part = step; part < parts; part += step) total += scratch[part * count + j];
    store(j, total);
  });
}

}  // namespace kgf
