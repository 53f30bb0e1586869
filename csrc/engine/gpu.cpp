#include "engine/gpu.h"

#include <map>
#include <mutex>
#include <type_traits>
#include <vector>

#include "engine/failure.h"
#include "engine/library.h"

namespace kgf::engine {

// As cuda_runtime_api.h declares them: an enumeration is an int, a stream a pointer.
struct CudaFunctions {
  int (*get_device_count)(int*);
  int (*get_device)(int*);
  int (*set_device)(int);
  int (*malloc)(void**, size_t);
  int (*free)(void*);
  int (*memcpy_async)(void*, const void*, size_t, int, void*);
  int (*memcpy_2d_async)(void*, size_t, const void*, size_t, size_t, size_t, int, void*);
  int (*stream_create)(void**, unsigned);
  int (*stream_destroy)(void*);
  int (*stream_synchronize)(void*);
  int (*device_synchronize)();
  int (*get_last_error)();
  const char* (*get_error_string)(int);
};

namespace {

constexpr int out_of_memory = 2, to_gpu = 1, to_host = 2, within_gpu = 3;
constexpr unsigned non_blocking = 1;  // a stream that does not wait for the default one

#if defined(_WIN32)
const std::vector<std::string> usual_names{"cudart64_13.dll", "cudart64_12.dll"};
#else
const std::vector<std::string> usual_names{"libcudart.so.13", "libcudart.so.12"};
#endif

CudaFunctions open_cuda(const std::string& named) {
  void* library = open_named(
      {"the CUDA runtime", named, usual_names, "cudart in kgf_options", "KERNELGAN_FAST_CUDART"});
  CudaFunctions cuda{};
  const auto find = [&](auto* function, const char* name) {
    *function = reinterpret_cast<std::decay_t<decltype(*function)>>(find_symbol(library, name));
    if (!*function) {
      fail(KGF_BACKEND_ERROR, named.empty() ? "the library" : named,
           " is not the CUDA runtime: it has no ", name);
    }
  };
  find(&cuda.get_device_count, "cudaGetDeviceCount");
  find(&cuda.get_device, "cudaGetDevice");
  find(&cuda.set_device, "cudaSetDevice");
  find(&cuda.malloc, "cudaMalloc");
  find(&cuda.free, "cudaFree");
  find(&cuda.memcpy_async, "cudaMemcpyAsync");
  find(&cuda.memcpy_2d_async, "cudaMemcpy2DAsync");
  find(&cuda.stream_create, "cudaStreamCreateWithFlags");
  find(&cuda.stream_destroy, "cudaStreamDestroy");
  find(&cuda.stream_synchronize, "cudaStreamSynchronize");
  find(&cuda.device_synchronize, "cudaDeviceSynchronize");
  find(&cuda.get_last_error, "cudaGetLastError");
  find(&cuda.get_error_string, "cudaGetErrorString");
  return cuda;
}

// Kept for good, as the library itself is.
const CudaFunctions& cuda_at(const std::string& given) {
  const std::string named = given_or_environment(given, "KERNELGAN_FAST_CUDART");
  static std::mutex mutex;
  static auto* const opened = new std::map<std::string, CudaFunctions>;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = opened->find(named);
  if (found != opened->end()) return found->second;
  return opened->emplace(named, open_cuda(named)).first->second;
}

void check(const CudaFunctions& cuda, int error) {
  if (error == 0) return;
  cuda.get_last_error();  // else the next call of anyone would be told of it
  fail(error == out_of_memory ? KGF_OUT_OF_MEMORY : KGF_RUN_ERROR,
       "CUDA: ", cuda.get_error_string(error));
}

}  // namespace

Gpu::Gpu(const std::string& library, int index) : cuda_(cuda_at(library)), index_(index) {
  int count = 0;
  const int error = cuda_.get_device_count(&count);
  if (error != 0) {
    cuda_.get_last_error();
    fail(KGF_BACKEND_ERROR, "there is no GPU for CUDA: ", cuda_.get_error_string(error));
  }
  if (index < 0 || index >= count) {
    fail(KGF_BACKEND_ERROR, "there is no GPU cuda:", index, "; CUDA shows ", count);
  }
}

void* Gpu::allocate(size_t bytes) const {
  void* memory = nullptr;
  check(cuda_, cuda_.malloc(&memory, bytes));
  return memory;
}

void Gpu::release(void* memory) const noexcept { cuda_.free(memory); }

void* Gpu::create_stream() const {
  void* stream = nullptr;
  check(cuda_, cuda_.stream_create(&stream, non_blocking));
  return stream;
}

void Gpu::destroy_stream(void* stream) const noexcept { cuda_.stream_destroy(stream); }

void Gpu::copy_to_host(void* to, const void* from, size_t bytes, void* stream) const {
  check(cuda_, cuda_.memcpy_async(to, from, bytes, to_host, stream));
}

void Gpu::copy_from_host(void* to, const void* from, size_t bytes, void* stream) const {
  check(cuda_, cuda_.memcpy_async(to, from, bytes, to_gpu, stream));
}

void Gpu::copy_rows(void* to, size_t to_stride, const void* from, size_t from_stride, size_t width,
                    size_t rows, void* stream) const {
  check(cuda_,
        cuda_.memcpy_2d_async(to, to_stride, from, from_stride, width, rows, within_gpu, stream));
}

void Gpu::wait(void* stream) const { check(cuda_, cuda_.stream_synchronize(stream)); }

void Gpu::wait_for_all() const { check(cuda_, cuda_.device_synchronize()); }

void Gpu::finish() const noexcept {
  if (cuda_.device_synchronize() != 0) cuda_.get_last_error();
}

OnGpu::OnGpu(const Gpu* gpu) noexcept : gpu_(gpu) {
  if (!gpu_) return;
  gpu_->cuda_.get_device(&before_);
  if (before_ != gpu_->index_) gpu_->cuda_.set_device(gpu_->index_);
}

OnGpu::~OnGpu() {
  if (gpu_ && before_ != gpu_->index_) gpu_->cuda_.set_device(before_);
}

void* GpuMemory::room(size_t bytes) {
  if (bytes > size_) {
    release();
    memory_ = gpu_->allocate(bytes);
    size_ = bytes;
  }
  return memory_;
}

void GpuMemory::release() noexcept {
  if (memory_) gpu_->release(memory_);
  memory_ = nullptr;
  size_ = 0;
}

}  // namespace kgf::engine
