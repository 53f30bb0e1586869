// How gaussian_noise is cut into blocks on a GPU; plain C++, tested without one.
#pragma once

#include "core/launch.h"

namespace kgf {

constexpr int noise_threads = 256;

struct NoisePlan {
  Launch launch;
  int64_t each;    // numbers of a problem's step
  int64_t blocks;  // Philox blocks of four that make them
  int64_t share;   // of these, what one thread block makes
};

inline NoisePlan noise_plan(int64_t tasks, int64_t each) {
  NoisePlan plan{};
  plan.each = each;
  plan.blocks = (each + 3) / 4;
  // Two Philox blocks a thread, more where the grid would become too long.
  plan.share = 2 * noise_threads;
  while ((plan.blocks + plan.share - 1) / plan.share > 65535) plan.share *= 2;
  plan.launch.blocks_x = tasks;
  plan.launch.blocks_y = (plan.blocks + plan.share - 1) / plan.share;
  plan.launch.threads = noise_threads;
  return plan;
}

}  // namespace kgf
