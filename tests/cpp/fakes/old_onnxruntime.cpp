// A library that says it is an ONNX Runtime of long ago, or with KGF_NAMELESS is none at all.
#include <onnxruntime_c_api.h>

#ifdef KGF_NAMELESS
extern "C" __attribute__((visibility("default"))) int something_else() { return 0; }
#else
static const OrtApi* no_api(uint32_t) noexcept { return nullptr; }
static const char* version() noexcept { return "1.2.3"; }

ORT_EXPORT const OrtApiBase* OrtGetApiBase() noexcept {
  static const OrtApiBase base{no_api, version};
  return &base;
}
#endif
