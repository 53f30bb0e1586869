#include "core/scratch.h"

#include <memory>
#include <new>

namespace kgf {
namespace {

constexpr std::align_val_t alignment{64};

struct Release {
  void operator()(void* memory) const { ::operator delete(memory, alignment); }
};

}  // namespace

void* scratch_bytes(size_t bytes) {
  thread_local std::unique_ptr<void, Release> memory;
  thread_local size_t capacity = 0;
  if (bytes > capacity) {
    memory.reset();
    capacity = 0;
    memory.reset(::operator new(bytes, alignment));
    capacity = bytes;
  }
  return memory.get();
}

}  // namespace kgf
