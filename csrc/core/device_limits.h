// What a GPU offers to a kernel, in plain C++: launch geometry is computed and tested without one.
#pragma once

#include <cstdint>

namespace kgf {

struct DeviceLimits {
  int capability;          // 10·major + minor
  int multiprocessors;     // of the largest chip where it stands for a family
  int64_t shared_a_block;  // bytes of shared memory, with the opt-in
  int64_t shared_a_multiprocessor;
  int threads_a_multiprocessor;
  int blocks_a_cluster;  // 1: no clusters; 8 is portable, more asks for an attribute

  bool has_clusters() const { return blocks_a_cluster > 1; }
};

constexpr int max_threads_a_block = 1024;
constexpr int64_t shared_without_opt_in = 48 << 10;
constexpr int portable_cluster = 8;

// One chip of every architecture that kernels are built for; for tests and for reckoning.
// Source: CUDA C++ programming guide, "compute capabilities"; multiprocessors from the white papers.
constexpr DeviceLimits known_devices[] = {
    {70, 80, 96 << 10, 96 << 10, 2048, 1},       // V100
    {75, 40, 64 << 10, 64 << 10, 1024, 1},       // T4
    {80, 108, 163 << 10, 164 << 10, 2048, 1},    // A100
    {86, 82, 99 << 10, 100 << 10, 1536, 1},      // RTX 3090
    {89, 128, 99 << 10, 100 << 10, 1536, 1},     // RTX 4090
    {90, 132, 227 << 10, 228 << 10, 2048, 16},   // H100
    {100, 148, 227 << 10, 228 << 10, 2048, 16},  // B200
    {120, 170, 99 << 10, 100 << 10, 1536, 8},    // RTX 5090
};

}  // namespace kgf
