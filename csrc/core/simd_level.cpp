#include "core/simd_level.h"

#include <atomic>
#include <cstdlib>

#include "core/error.h"

namespace kgf {

static constexpr const char* kVariable = "KERNELGAN_FAST_SIMD";

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

// The level of this name. Throws Error, which names what was set, if it cannot run here.
static SimdLevel level_of(const std::string& wanted, const char* what) {
  for (int rank = 0; rank <= static_cast<int>(best_level()); ++rank) {
    const SimdLevel level = static_cast<SimdLevel>(rank);
    if (wanted == name(level)) return level;
  }
  std::string levels;
  for (const std::string& level : simd_levels()) levels += (levels.empty() ? "" : ", ") + level;
  throw Error(concat(what, " must be a level that this build and this CPU have (", levels,
                     "), got '", wanted, "'"));
}

static SimdLevel first_level() {
  const char* wanted = std::getenv(kVariable);
  return wanted && *wanted ? level_of(wanted, kVariable) : best_level();
}

static std::atomic<SimdLevel>& current() {
  static std::atomic<SimdLevel> level{first_level()};
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

void set_simd_level(const std::string& level) { current() = level_of(level, "SIMD level"); }

}  // namespace kgf
