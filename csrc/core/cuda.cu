#include <map>
#include <mutex>
#include <utility>

#include "core/cuda.h"

namespace kgf::cuda {
namespace {

int attribute(cudaDeviceAttr name, int device) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, name, device), "reading what the GPU offers");
  return value;
}

DeviceLimits read_limits(int device) {
  DeviceLimits limits{};
  limits.capability = 10 * attribute(cudaDevAttrComputeCapabilityMajor, device) +
                      attribute(cudaDevAttrComputeCapabilityMinor, device);
  limits.multiprocessors = attribute(cudaDevAttrMultiProcessorCount, device);
  limits.shared_a_block = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  limits.shared_a_multiprocessor = attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor, device);
  limits.threads_a_multiprocessor = attribute(cudaDevAttrMaxThreadsPerMultiProcessor, device);
  // The driver names the largest cluster of a kernel only; chips of data centres have 16.
  const bool clusters = attribute(cudaDevAttrClusterLaunch, device) != 0;
  const bool large = limits.capability == 90 || limits.capability / 10 == 10;
  limits.blocks_a_cluster = !clusters ? 1 : large ? 16 : portable_cluster;
  return limits;
}

}  // namespace

void check(cudaError_t result, const char* what) {
  if (result == cudaSuccess) return;
  cudaGetLastError();  // else the next call that asks would be blamed
  throw DeviceError(concat(what, " failed on the GPU: ", cudaGetErrorName(result), ", ",
                           cudaGetErrorString(result)));
}

const DeviceLimits& limits_of(int device) {
  static std::mutex mutex;
  static std::map<int, DeviceLimits> known;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = known.find(device);
  if (found != known.end()) return found->second;
  return known.emplace(device, read_limits(device)).first->second;
}

void allow(const void* kernel, int device, const Launch& plan) {
  static std::mutex mutex;
  static std::map<std::pair<const void*, int>, int64_t> allowed;
  const std::lock_guard<std::mutex> lock(mutex);
  int64_t& bytes = allowed[{kernel, device}];
  if (plan.shared_bytes > bytes) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(plan.shared_bytes)),
          "asking for shared memory");
    bytes = plan.shared_bytes;
  }
  if (plan.cluster > portable_cluster) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1),
          "asking for a large cluster");
  }
}

Current::Current(int device) {
  check(cudaGetDevice(&before_), "asking for the current device");
  changed_ = before_ != device;
  if (changed_) check(cudaSetDevice(device), "choosing the device");
}

Current::~Current() {
  if (changed_) cudaSetDevice(before_);
}

}  // namespace kgf::cuda
