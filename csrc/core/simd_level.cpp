#include "core/simd_level.h"

#include <atomic>

#include "core/error.h"

namespace kgf {

static SimdLevel best_level() {
#ifdef KGF_SIMD_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    return SimdLevel::avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return SimdLevel::avx2;
#endif
  return SimdLevel::baseline;
}

static std::atomic<SimdLevel>& current() {
  static std::atomic<SimdLevel> level{best_level()};
  return level;
}

SimdLevel simd_level() { return current().load(std::memory_order_relaxed); }

const char* name(SimdLevel level) {
  switch (level) {
    case SimdLevel::baseline: return "baseline";
    case SimdLevel::avx2: return "avx2";
    case SimdLevel::avx512: return "avx512";
  }
  return "unknown";
}

std::vector<std::string> simd_levels() {
  std::vector<std::string> levels;
  for (int level = 0; level <= static_cast<int>(best_level()); ++level) {
    levels.emplace_back(name(static_cast<SimdLevel>(level)));
  }
  return levels;
}

void set_simd_level(const std::string& level) {
  for (int rank = 0; rank <= static_cast<int>(best_level()); ++rank) {
    if (level == name(static_cast<SimdLevel>(rank))) {
      current() = static_cast<SimdLevel>(rank);
      return;
    }
  }
  throw Error(concat("SIMD level must be one that this CPU runs (up to ", name(best_level()),
                     "), got ", level));
}

}  // namespace kgf
