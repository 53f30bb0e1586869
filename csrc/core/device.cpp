#include "core/device.h"

namespace kgf {
namespace {

std::string place(int device) {
  return device == host ? "in host memory" : concat("on CUDA device ", device);
}

}  // namespace

int device_of(std::initializer_list<NamedArray> arrays) {
  if (arrays.size() == 0) return host;
  const NamedArray& first = *arrays.begin();
  for (const NamedArray& other : arrays) {
    KGF_CHECK(other.array.device == first.array.device, other.argument, " must be ",
              place(first.array.device), " like ", first.argument, ", got one ",
              place(other.array.device));
  }
#ifndef KGF_CUDA_BUILT
  if (first.array.device != host) refuse_cuda();
#endif
  return first.array.device;
}

void check_device(const std::vector<Array>& arrays, const char* argument, int device) {
  for (const Array& array : arrays) {
    KGF_CHECK(array.device == device, argument, " must be ", place(device),
              " like the other arrays, got one ", place(array.device));
  }
}

void check_workspace(const Array* workspace, const Array& like,
                     std::initializer_list<int64_t> shape) {
  KGF_CHECK(workspace != nullptr, "workspace must be given for arrays on a CUDA device, got none");
  check(*workspace, "workspace", like.dtype, shape);
  KGF_CHECK(workspace->device == like.device, "workspace must be ", place(like.device),
            " like the other arrays, got one ", place(workspace->device));
}

void refuse_cuda() {
  throw DeviceError(
      "arrays must be in host memory, got CUDA arrays: this build of the extension has no CUDA "
      "kernels; build it with KGF_CUDA=ON, or move the arrays to the CPU");
}

}  // namespace kgf
