// The smallest test harness that can fail: counts what does not hold and says where.
#pragma once

#include <cmath>
#include <cstdio>

namespace kgf::test {

inline int failures = 0;

inline void expect(bool holds, const char* what, const char* file, int line) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
}

inline int finish() {
  std::printf("%s\n", failures ? "failed" : "passed");
  return failures ? 1 : 0;
}

// Whether calling f throws E.
template <class E, class F>
bool throws(F f) {
  try {
    f();
  } catch (const E&) {
    return true;
  }
  return false;
}

}  // namespace kgf::test

#define EXPECT(condition) ::kgf::test::expect((condition), #condition, __FILE__, __LINE__)
#define EXPECT_NEAR(a, b, tolerance) EXPECT(std::abs((a) - (b)) <= (tolerance))
