// As much of the CUDA runtime as our .cu files use, on the host: a launch runs its blocks one after
// another, each by a single thread, before it returns. So the host side of the kernels (choice of
// device, checks, geometry, order of launches, arguments) is tested where there is no GPU.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <utility>

#include "core/device_limits.h"

#define __host__
#define __device__
#define __global__
#define __shared__
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

struct dim3 {
  unsigned x = 1, y = 1, z = 1;

  dim3() = default;
  explicit dim3(unsigned x_, unsigned y_ = 1) : x(x_), y(y_) {}
};

using cudaError_t = int;
using cudaStream_t = void*;
enum : int { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorInvalidDevice = 101 };
enum cudaDeviceAttr {
  cudaDevAttrComputeCapabilityMajor,
  cudaDevAttrComputeCapabilityMinor,
  cudaDevAttrMultiProcessorCount,
  cudaDevAttrMaxSharedMemoryPerBlockOptin,
  cudaDevAttrMaxSharedMemoryPerMultiprocessor,
  cudaDevAttrMaxThreadsPerMultiProcessor,
  cudaDevAttrClusterLaunch,
};
enum cudaFuncAttribute {
  cudaFuncAttributeMaxDynamicSharedMemorySize,
  cudaFuncAttributeNonPortableClusterSizeAllowed,
};
enum cudaLaunchAttributeID { cudaLaunchAttributeClusterDimension };
struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    struct {
      unsigned x, y, z;
    } clusterDim;
  } val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};

namespace emulated {

// The machine: a GPU of each architecture that kernels are built for, in the order of known_devices.
struct Machine {
  int current = 0;
  int launches = 0;
  std::set<cudaStream_t> streams;
  std::map<std::pair<const void*, int>, size_t> allowed;  // shared memory asked for, by kernel
};

inline Machine machine;
constexpr size_t parameter_limit = 4096;

}  // namespace emulated

// What a kernel knows of its place.
inline dim3 blockIdx, gridDim, blockDim;
inline const dim3 threadIdx(0);

inline void __syncthreads() {}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorName(cudaError_t) { return "cudaErrorEmulated"; }
inline const char* cudaGetErrorString(cudaError_t) { return "refused by the emulation"; }

inline cudaError_t cudaGetDevice(int* device) {
  *device = emulated::machine.current;
  return cudaSuccess;
}

inline cudaError_t cudaSetDevice(int device) {
  emulated::machine.current = device;
  return cudaSuccess;
}

inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr name, int device) {
  constexpr int count = sizeof(kgf::known_devices) / sizeof(kgf::known_devices[0]);
  if (device < 0 || device >= count) return cudaErrorInvalidDevice;
  const kgf::DeviceLimits& limits = kgf::known_devices[device];
  switch (name) {
    case cudaDevAttrComputeCapabilityMajor: *value = limits.capability / 10; break;
    case cudaDevAttrComputeCapabilityMinor: *value = limits.capability % 10; break;
    case cudaDevAttrMultiProcessorCount: *value = limits.multiprocessors; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(limits.shared_a_block);
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = static_cast<int>(limits.shared_a_multiprocessor);
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = limits.threads_a_multiprocessor; break;
    case cudaDevAttrClusterLaunch: *value = limits.has_clusters(); break;
  }
  return cudaSuccess;
}

inline cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute name, int value) {
  using emulated::machine;
  if (name == cudaFuncAttributeMaxDynamicSharedMemorySize) {
    machine.allowed[{kernel, machine.current}] = static_cast<size_t>(value);
  }
  return cudaSuccess;
}

// The memory behind kgf::cuda::shared_memory; the tests of the teams watch over its end.
namespace kgf::cuda {
alignas(16) inline unsigned char kgf_shared[256 << 10];
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  using emulated::machine;
  static_assert((sizeof(Parameters) + ... + 0) <= emulated::parameter_limit, "too many parameters");
  const auto key = std::make_pair(reinterpret_cast<const void*>(kernel), machine.current);
  const auto found = machine.allowed.find(key);
  const size_t allowed = found == machine.allowed.end() ? 48 << 10 : found->second;
  if (config->dynamicSmemBytes > allowed || config->blockDim.x > 1024) return cudaErrorInvalidValue;
  ++machine.launches;
  machine.streams.insert(config->stream);
  gridDim = config->gridDim;
  for (unsigned y = 0; y < config->gridDim.y; ++y) {
    for (unsigned x = 0; x < config->gridDim.x; ++x) {
      std::fill_n(kgf::cuda::kgf_shared, config->dynamicSmemBytes,
                  static_cast<unsigned char>(0xff));
      blockIdx = dim3(x, y);
      kernel(static_cast<Parameters>(arguments)...);
    }
  }
  return cudaSuccess;
}
