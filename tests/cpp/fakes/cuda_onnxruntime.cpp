// The ONNX Runtime of KERNELGAN_FAST_ONNXRUNTIME with a CUDA provider that is the CPU: the GPU's memory
// of the fake CUDA runtime is host memory, so models run in it as they are.
#include <dlfcn.h>
#include <onnxruntime_c_api.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

const OrtApi* real = nullptr;
OrtApi ours;
std::string asked;

OrtStatus* ORT_API_CALL create(OrtCUDAProviderOptionsV2** out) noexcept {
  static char options;
  asked.clear();
  *out = reinterpret_cast<OrtCUDAProviderOptionsV2*>(&options);
  return nullptr;
}
void ORT_API_CALL release(OrtCUDAProviderOptionsV2*) noexcept {}
OrtStatus* ORT_API_CALL update(OrtCUDAProviderOptionsV2*, const char* const* keys,
                               const char* const* values, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) asked += std::string(keys[i]) + "=" + values[i] + " ";
  return nullptr;
}
OrtStatus* ORT_API_CALL update_value(OrtCUDAProviderOptionsV2*, const char* key, void*) noexcept {
  asked += std::string(key) + " ";
  return nullptr;
}
OrtStatus* ORT_API_CALL append(OrtSessionOptions*, const OrtCUDAProviderOptionsV2*) noexcept {
  if (!std::getenv("FAKE_NO_GPU")) return nullptr;
  return real->CreateStatus(ORT_FAIL, "no CUDA provider");
}
OrtStatus* ORT_API_CALL memory_info(const char* name, OrtAllocatorType type, int index,
                                    OrtMemType kind, OrtMemoryInfo** out) noexcept {
  if (std::strcmp(name, "Cuda") == 0) {
    asked += "memory=" + std::to_string(index) + " ";
    name = "Cpu";
    index = 0;
  }
  return real->CreateMemoryInfo(name, type, index, kind, out);
}

const OrtApiBase* base() {
  void* library = dlopen(std::getenv("KERNELGAN_FAST_ONNXRUNTIME"), RTLD_NOW | RTLD_LOCAL);
  if (!library) return nullptr;
  return reinterpret_cast<const OrtApiBase* (*)()>(dlsym(library, "OrtGetApiBase"))();
}

const OrtApi* api(uint32_t version) noexcept {
  real = base()->GetApi(version);
  // Of an older version only the first functions are there; those changed below are of 1.16.
  std::memcpy(&ours, real, offsetof(OrtApi, UpdateCUDAProviderOptionsWithValue) + sizeof(void*));
  ours.CreateCUDAProviderOptions = create;
  ours.ReleaseCUDAProviderOptions = release;
  ours.UpdateCUDAProviderOptions = update;
  ours.UpdateCUDAProviderOptionsWithValue = update_value;
  ours.SessionOptionsAppendExecutionProvider_CUDA_V2 = append;
  ours.CreateMemoryInfo = memory_info;
  return &ours;
}

const char* version() noexcept { return "fake"; }

}  // namespace

extern "C" __attribute__((visibility("default"))) const char* fake_asked() { return asked.c_str(); }

ORT_EXPORT const OrtApiBase* OrtGetApiBase() noexcept {
  static const OrtApiBase one{api, version};
  return &one;
}
