// Which instruction set the hot code runs with, decided once at run time.
//
// Every <op>_cpu.cpp is compiled once per level into a namespace of that level's name (KGF_SIMD),
// so a wheel built anywhere runs on an older CPU and still uses a newer one in full. The choice is
// the compiler's own run-time query (__builtin_cpu_supports); nothing is taken from the machine
// that built the wheel.
#pragma once

#include <string>
#include <vector>

namespace kgf {

enum class SimdLevel { baseline = 0, avx2 = 1, avx512 = 2 };

// The level in use. At first it is the one that the environment variable KERNELGAN_FAST_SIMD names
// or, if that is unset or empty, the best one that this build and this CPU have. Throws Error if
// the variable names a level that cannot run here.
SimdLevel simd_level();
// Throws Error where the build or the CPU lacks the level. For tests and comparisons.
void set_simd_level(const std::string& level);
// Levels that can run here, worst first.
std::vector<std::string> simd_levels();
const char* name(SimdLevel level);

}  // namespace kgf

// Declares a function once for every level: KGF_DECLARE_PER_LEVEL(void f(int);)
#ifdef KGF_SIMD_X86
#define KGF_DECLARE_PER_LEVEL(...) \
  namespace baseline {             \
  __VA_ARGS__                      \
  }                                \
  namespace avx2 {                 \
  __VA_ARGS__                      \
  }                                \
  namespace avx512 {               \
  __VA_ARGS__                      \
  }
// A pointer to the current level's copy of a function declared by KGF_DECLARE_PER_LEVEL.
#define KGF_PER_LEVEL(...)                                                \
  (::kgf::simd_level() == ::kgf::SimdLevel::avx512 ? &avx512::__VA_ARGS__ \
   : ::kgf::simd_level() == ::kgf::SimdLevel::avx2 ? &avx2::__VA_ARGS__   \
                                                   : &baseline::__VA_ARGS__)
#else
#define KGF_DECLARE_PER_LEVEL(...) \
  namespace baseline {             \
  __VA_ARGS__                      \
  }
#define KGF_PER_LEVEL(...) (&baseline::__VA_ARGS__)
#endif
