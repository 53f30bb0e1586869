// Images and errors of the engine's tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <kernelgan_fast/engine.hpp>
#include <vector>

namespace kgf::test {

struct Pixels {
  int height, width;
  std::vector<float> data;  // planes

  Pixels(int h, int w) : height(h), width(w), data(size_t{3} * h * w) {
    for (size_t i = 0; i < data.size(); ++i) {
      data[i] = 0.5f + 0.5f * std::sin(static_cast<float>(i * i % 1009));
    }
  }
  kgf_image image() { return kgf_planar(data.data(), KGF_FLOAT32, height, width, 3); }
};

// Whether a call throws an Error of this status with these words.
template <class F>
bool fails(kgf_status status, const char* words, F f) {
  try {
    f();
  } catch (const kernelgan_fast::Error& error) {
    if (error.status() == status && std::strstr(error.what(), words)) return true;
    std::fprintf(stderr, "status %d: %s\n", error.status(), error.what());
  }
  return false;
}

inline float distance(const Pixels& a, const Pixels& b) {
  float most = 0;
  for (size_t i = 0; i < a.data.size(); ++i) most = std::max(most, std::abs(a.data[i] - b.data[i]));
  return most;
}

}  // namespace kgf::test
