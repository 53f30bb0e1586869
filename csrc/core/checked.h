// Sizes that must fit: products without overflow, and the steps that random streams have.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "core/error.h"

namespace kgf {

constexpr int64_t max_int = INT32_MAX;

// Whether a product of counts is at most `most`; no factor is negative.
inline bool product_fits(int64_t most, std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  for (int64_t factor : factors) {
    if (factor == 0) return true;
  }
  for (int64_t factor : factors) {
    if (factor > most / product) return false;
    product *= factor;
  }
  return true;
}

// Refuses steps first .. first + count - 1 that are not all in 0 .. 2^32 - 1: a step is one word of the
// counter, and a larger one would repeat the numbers of another.
inline void check_steps(int64_t first, int64_t count) {
  constexpr int64_t most = int64_t{1} << 32;
  KGF_CHECK(first >= 0 && count >= 0 && count <= most && first <= most - count,
            "steps must lie in 0..2^32, got ", count, " from ", first, " on");
}

}  // namespace kgf
