// A CUDA runtime of two GPUs in host memory. What is put on a stream is done when somebody waits for
// it, so that a forgotten wait shows. With FAKE_NO_GPU in the environment there is no driver.
#include "cudart.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <vector>

#define EXPORTED __attribute__((visibility("default")))

namespace {

constexpr int invalid = 1, out_of_memory = 2, no_driver = 35;

struct Stream {
  std::list<std::function<void()>> work;
};

struct Machine {
  std::recursive_mutex mutex;
  std::map<const char*, size_t> blocks;
  Stream usual;
  std::list<Stream> others;
};
Machine& machine() {
  static auto* const one = new Machine;
  return *one;
}
thread_local int current = 0;

void finish(Stream* stream) {
  while (!stream->work.empty()) {
    const std::function<void()> next = stream->work.front();
    stream->work.pop_front();
    next();
  }
}

void finish_all() {
  finish(&machine().usual);
  for (Stream& stream : machine().others) finish(&stream);
}

Stream* stream_of(void* stream) { return stream ? static_cast<Stream*>(stream) : &machine().usual; }

using Lock = std::lock_guard<std::recursive_mutex>;

}  // namespace

EXPORTED void fake_launch(void* stream, std::function<void()> work) {
  const Lock lock(machine().mutex);
  stream_of(stream)->work.push_back(std::move(work));
}

EXPORTED bool fake_is_on_gpu(const void* memory, size_t bytes) {
  const Lock lock(machine().mutex);
  const char* at = static_cast<const char*>(memory);
  auto block = machine().blocks.upper_bound(at);
  if (block == machine().blocks.begin()) return false;
  --block;
  return at + bytes <= block->first + block->second;
}

extern "C" {

EXPORTED int cudaGetDeviceCount(int* count) {
  *count = 2;
  return std::getenv("FAKE_NO_GPU") ? no_driver : 0;
}
EXPORTED int cudaGetDevice(int* device) {
  *device = current;
  return 0;
}
EXPORTED int cudaSetDevice(int device) {
  current = device;
  return 0;
}
EXPORTED int cudaGetLastError() { return 0; }
EXPORTED const char* cudaGetErrorString(int error) {
  return error == out_of_memory ? "out of memory"
         : error == no_driver   ? "no driver"
                                : "invalid argument";
}

EXPORTED int cudaMalloc(void** memory, size_t bytes) {
  if (bytes > size_t{1} << 32) return out_of_memory;
  *memory = std::malloc(bytes);
  const Lock lock(machine().mutex);
  machine().blocks[static_cast<char*>(*memory)] = bytes;
  return 0;
}
EXPORTED int cudaFree(void* memory) {
  const Lock lock(machine().mutex);
  finish_all();
  machine().blocks.erase(static_cast<char*>(memory));
  std::free(memory);
  return 0;
}

EXPORTED int cudaStreamCreateWithFlags(void** stream, unsigned) {
  const Lock lock(machine().mutex);
  machine().others.emplace_back();
  *stream = &machine().others.back();
  return 0;
}
EXPORTED int cudaStreamDestroy(void* stream) {
  const Lock lock(machine().mutex);
  finish(stream_of(stream));
  machine().others.remove_if([&](const Stream& one) { return &one == stream; });
  return 0;
}
EXPORTED int cudaStreamSynchronize(void* stream) {
  const Lock lock(machine().mutex);
  finish(stream_of(stream));
  return 0;
}
EXPORTED int cudaDeviceSynchronize() {
  const Lock lock(machine().mutex);
  finish_all();
  return 0;
}

EXPORTED int cudaMemcpy2DAsync(void* to, size_t to_stride, const void* from, size_t from_stride,
                               size_t width, size_t rows, int kind, void* stream) {
  if (to_stride < width || from_stride < width) return invalid;
  const size_t to_bytes = (rows - 1) * to_stride + width;
  const size_t from_bytes = (rows - 1) * from_stride + width;
  if ((kind != 2) != fake_is_on_gpu(to, to_bytes)) return invalid;
  if ((kind != 1) != fake_is_on_gpu(from, from_bytes)) return invalid;
  // Pageable memory is copied aside at once, and so may be changed or freed.
  std::vector<char> aside;
  if (kind == 1) {
    aside.assign(static_cast<const char*>(from), static_cast<const char*>(from) + from_bytes);
  }
  fake_launch(stream, [=, aside = std::move(aside)] {
    const char* source = aside.empty() ? static_cast<const char*>(from) : aside.data();
    for (size_t row = 0; row < rows; ++row) {
      std::memcpy(static_cast<char*>(to) + row * to_stride, source + row * from_stride, width);
    }
  });
  return 0;
}
EXPORTED int cudaMemcpyAsync(void* to, const void* from, size_t bytes, int kind, void* stream) {
  return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, stream);
}

}  // extern "C"
