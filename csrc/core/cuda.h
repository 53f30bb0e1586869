// For .cu files: launching a kernel where its arrays are, with every error worded.
#pragma once

#include <cuda_runtime.h>

#include "core/device.h"
#include "core/launch.h"

namespace kgf::cuda {

// Throws DeviceError unless result is cudaSuccess; `what` was being done.
void check(cudaError_t result, const char* what);

// Asked of the driver once a device.
const DeviceLimits& limits_of(int device);

// Lets a kernel use more than 48 KiB of shared memory or more than 8 blocks a cluster; once a device.
void allow(const void* kernel, int device, const Launch& plan);

// Makes a device current for as long as it lives.
class Current {
 public:
  explicit Current(int device);
  ~Current();
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

// Queues kernel(arguments...) on the stream and returns at once; an empty grid is nothing to do.
template <class... Parameters, class... Arguments>
void launch(const char* op, void (*kernel)(Parameters...), const Launch& plan, int device,
            Stream stream, const Arguments&... arguments) {
  if (plan.empty()) return;
  check_launch(plan, limits_of(device), op);
  const Current current(device);
  if (plan.shared_bytes > shared_without_opt_in || plan.cluster > portable_cluster) {
    allow(reinterpret_cast<const void*>(kernel), device, plan);
  }
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = static_cast<unsigned>(plan.cluster);
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(plan.blocks_x), static_cast<unsigned>(plan.blocks_y));
  config.blockDim = dim3(static_cast<unsigned>(plan.threads));
  config.dynamicSmemBytes = static_cast<size_t>(plan.shared_bytes);
  config.stream = static_cast<cudaStream_t>(stream.cuda);
  config.attrs = &attribute;
  config.numAttrs = plan.cluster > 1 ? 1 : 0;
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), op);
}

// The dynamic shared memory of a block, as T. One declaration for all types: nvcc refuses two.
template <class T>
__device__ T* shared_memory() {
  extern __shared__ __align__(16) unsigned char kgf_shared[];
  return reinterpret_cast<T*>(kgf_shared);
}

}  // namespace kgf::cuda
