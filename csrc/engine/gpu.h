// A GPU by way of the CUDA runtime, which is opened at run time and never linked.
#pragma once

#include <cstddef>
#include <string>

namespace kgf::engine {

struct CudaFunctions;

// Calls throw Failure: KGF_OUT_OF_MEMORY where memory ran out, else KGF_RUN_ERROR.
class Gpu {
 public:
  // An empty path: the environment variable KERNELGAN_FAST_CUDART, else the usual names. Throws
  // Failure(KGF_BACKEND_ERROR) where there is no such library or GPU.
  Gpu(const std::string& library, int index);

  int index() const { return index_; }
  // Memory of the calling thread's current GPU, see OnGpu.
  void* allocate(size_t bytes) const;
  void release(void* memory) const noexcept;
  void* create_stream() const;
  void destroy_stream(void* stream) const noexcept;

  void copy_to_host(void* to, const void* from, size_t bytes, void* stream) const;
  // Pageable memory may be used again once this returns; pinned memory is read later.
  void copy_from_host(void* to, const void* from, size_t bytes, void* stream) const;
  // Rows of `width` bytes within the GPU's memory; strides are positive.
  void copy_rows(void* to, size_t to_stride, const void* from, size_t from_stride, size_t width,
                 size_t rows, void* stream) const;
  void wait(void* stream) const;
  // For all that was put on any stream.
  void wait_for_all() const;
  // The same for destructors.
  void finish() const noexcept;

 private:
  friend class OnGpu;
  const CudaFunctions& cuda_;
  int index_;
};

// Makes a GPU the calling thread's current one, and that which was before at the end. Null: does nothing.
// Does not throw: what fails here fails again in the next call.
class OnGpu {
 public:
  explicit OnGpu(const Gpu* gpu) noexcept;
  ~OnGpu();
  OnGpu(const OnGpu&) = delete;
  OnGpu& operator=(const OnGpu&) = delete;

 private:
  const Gpu* gpu_;
  int before_ = 0;
};

// Memory of a GPU that is used again and grows.
class GpuMemory {
 public:
  explicit GpuMemory(const Gpu* gpu) : gpu_(gpu) {}
  ~GpuMemory() { release(); }
  GpuMemory(GpuMemory&& other) noexcept
      : gpu_(other.gpu_), memory_(other.memory_), size_(other.size_) {
    other.memory_ = nullptr;
    other.size_ = 0;
  }
  GpuMemory(const GpuMemory&) = delete;
  GpuMemory& operator=(const GpuMemory&) = delete;
  // At least `bytes`; what it held is lost if it must grow.
  void* room(size_t bytes);

 private:
  void release() noexcept;
  const Gpu* gpu_;
  void* memory_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kgf::engine
