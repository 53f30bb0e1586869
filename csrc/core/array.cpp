#include "core/array.h"

#include <algorithm>

#include "core/checked.h"

namespace kgf {

int64_t Array::size() const {
  const auto end = shape.begin() + rank;
  if (std::find(shape.begin(), end, 0) != end) return 0;
  int64_t count = 1;
  for (int axis = 0; axis < rank; ++axis) {
    KGF_CHECK(shape[axis] > 0 && product_fits(INT64_MAX, {count, shape[axis]}),
              "an array must have at most 2^63 elements, got ", describe(*this));
    count *= shape[axis];
  }
  return count;
}

const char* name(DType dtype) {
  switch (dtype) {
    case DType::uint8: return "uint8";
    case DType::int64: return "int64";
    case DType::float32: return "float32";
    case DType::float64: return "float64";
  }
  return "unknown";
}

static std::string shape_text(const int64_t* shape, int rank) {
  std::string text = "(";
  for (int axis = 0; axis < rank; ++axis) {
    if (axis) text += ", ";
    text += shape[axis] < 0 ? std::string("any") : std::to_string(shape[axis]);
  }
  return text + ")";
}

std::string describe(const Array& array) {
  return std::string(name(array.dtype)) + " " + shape_text(array.shape.data(), array.rank);
}

void check(const Array& array, const char* argument, DType dtype,
           std::initializer_list<int64_t> shape) {
  bool fits = array.dtype == dtype && array.rank == static_cast<int>(shape.size());
  int axis = 0;
  for (int64_t extent : shape) {
    if (!fits) break;
    fits = extent < 0 || array.shape[axis] == extent;
    ++axis;
  }
  KGF_CHECK(fits, argument, " must be ", name(dtype), " ",
            shape_text(shape.begin(), static_cast<int>(shape.size())), ", got ", describe(array));
}

bool is_float64(const Array& array, const char* argument) {
#ifdef KGF_FLOAT64
  KGF_CHECK(array.dtype == DType::float32 || array.dtype == DType::float64, argument,
            " must be float32 or float64, got ", name(array.dtype));
#else
  KGF_CHECK(array.dtype == DType::float32, argument, " must be float32 in this build, got ",
            name(array.dtype), "; build with KGF_FLOAT64=ON for float64");
#endif
  return array.dtype == DType::float64;
}

}  // namespace kgf
