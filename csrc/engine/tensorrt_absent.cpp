// In place of tensorrt.cpp where KGF_TENSORRT_INCLUDE_DIR was not given.
#include "engine/failure.h"
#include "engine/session.h"

namespace kgf::engine {

std::unique_ptr<Session> open_tensorrt(const std::vector<char>&, const Sidecar&, const Settings&) {
  fail(KGF_BACKEND_ERROR,
       "this build of libkernelgan_fast has no TensorRT: it was made without TensorRT's headers "
       "(the CMake option KGF_TENSORRT_INCLUDE_DIR); run the ONNX model instead");
}

}  // namespace kgf::engine
