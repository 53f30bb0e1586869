// Python tensors as kgf::Array, without torch: whatever has DLPack's exchange table, or data_ptr(), shape,
// dtype, device and is_contiguous().
#pragma once

#include <pybind11/pybind11.h>

#include "core/array.h"

namespace kgf::bindings {

// Borrows the tensor's memory; the caller keeps the tensor alive. `argument` names it in errors. Throws
// Error for a tensor without memory (meta, fake), not dense, not contiguous, or on another device.
Array array_of(pybind11::handle tensor, const char* argument);

}  // namespace kgf::bindings
