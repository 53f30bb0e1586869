// A borrowed, contiguous, C-ordered array: pointer, element type, shape. It owns nothing.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/error.h"

namespace kgf {

enum class DType { uint8, int64, float32, float64 };

constexpr int max_rank = 6;
constexpr int host = -1;

struct Array {
  void* data = nullptr;
  DType dtype = DType::float32;
  int rank = 0;
  std::array<int64_t, max_rank> shape{};
  int device = host;  // or the ordinal of the CUDA device whose memory `data` is

  // Elements; throws Error where they are more than an int64 counts.
  int64_t size() const;
  // Data as T; the caller has checked the dtype.
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

const char* name(DType dtype);
std::string describe(const Array& array);

// Refuses an array whose rank, shape or dtype is not the stated one; -1 accepts any extent.
void check(const Array& array, const char* argument, DType dtype,
           std::initializer_list<int64_t> shape);

// Refuses a dtype that this build has no arithmetic for, else returns whether it is float64.
bool is_float64(const Array& array, const char* argument);

}  // namespace kgf

// Calls run(T{}) with T = double where `wide`, else float. The build decides whether double exists.
#ifdef KGF_FLOAT64
#define KGF_BY_DTYPE(wide, run) ((wide) ? (run)(double{}) : (run)(float{}))
#else
#define KGF_BY_DTYPE(wide, run) (static_cast<void>(wide), (run)(float{}))
#endif
