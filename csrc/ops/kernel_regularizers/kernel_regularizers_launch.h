// How kernel_regularizers is cut into blocks on a GPU; plain C++, tested without one.
#pragma once

#include "core/launch.h"
#include "core/team.h"

namespace kgf {

constexpr int regularizer_threads = 128;
constexpr int regularizer_sums = 5;

inline Launch regularizer_launch(int64_t problems, int64_t element) {
  Launch launch;
  launch.blocks_x = problems;
  launch.threads = regularizer_threads;
  launch.shared_bytes = (split_parts + 1) * regularizer_sums * element;
  return launch;
}

}  // namespace kgf
