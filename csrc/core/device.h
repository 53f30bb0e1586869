// Which device a call runs on, and the step from an op's checks to its CUDA implementation.
#pragma once

#include <initializer_list>
#include <vector>

#include "core/array.h"

namespace kgf {

// The CUDA stream that a call's work is queued on (a cudaStream_t); means nothing on the host.
struct Stream {
  void* cuda = nullptr;
};

struct NamedArray {
  const Array& array;
  const char* argument;
};

// The device that holds all of a call's arrays, `host` for none or for ordinary memory. Refuses
// arrays of different devices, naming the first that lies elsewhere, and CUDA's in a build without.
int device_of(std::initializer_list<NamedArray> arrays);
// The same for a list under one name, given the device of the arrays before it.
void check_device(const std::vector<Array>& arrays, const char* argument, int device);

// Refuses a workspace that is missing, or lacks the shape, or the dtype or device of `like`.
void check_workspace(const Array* workspace, const Array& like,
                     std::initializer_list<int64_t> shape);

[[noreturn]] void refuse_cuda();

// Stands for the call of a function that this build lacks.
template <class Result>
[[noreturn]] Result lacking() {
  refuse_cuda();
}

}  // namespace kgf

// Ends an op's function with that of kgf::cuda, which <op>_cuda.cu defines:
//   if (device_of({…}) != host) return KGF_CUDA(downscale_forward(…));
// A build without CUDA has no such functions; device_of has refused before.
#ifdef KGF_CUDA_BUILT
#define KGF_CUDA(...) ::kgf::cuda::__VA_ARGS__
#else
#define KGF_CUDA(...) ::kgf::lacking<decltype(::kgf::cuda::__VA_ARGS__)>()
#endif
