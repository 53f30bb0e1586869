// Memory for one task, reused by the thread that asked for it: no allocation in the training loop.
#pragma once

#include <cstddef>

namespace kgf {

// At least `bytes` bytes, 64-byte aligned, valid until this thread's next call. Contents arbitrary.
void* scratch_bytes(size_t bytes);

template <class T>
T* scratch(size_t count) {
  return static_cast<T*>(scratch_bytes(count * sizeof(T)));
}

}  // namespace kgf
