// The back end ONNX Runtime. It is opened at run time and never linked: its one exported symbol bears
// its version, so that a program linked to one release would not start with another.
#include <onnxruntime_c_api.h>

#include <cstdlib>
#include <mutex>
#include <utility>

#include "engine/failure.h"
#include "engine/half.h"
#include "engine/library.h"
#include "engine/session.h"

namespace kgf::engine {
namespace {

// The functions used below are all older; 1.17 is the first that knows opset 20.
constexpr uint32_t api_version = 17;

#if defined(_WIN32)
constexpr const char* usual_names[] = {"onnxruntime.dll"};
#elif defined(__APPLE__)
constexpr const char* usual_names[] = {"libonnxruntime.1.dylib", "libonnxruntime.dylib"};
#else
constexpr const char* usual_names[] = {"libonnxruntime.so.1", "libonnxruntime.so"};
#endif

struct Runtime {
  const OrtApi* api = nullptr;
  OrtEnv* env = nullptr;
};

void ORT_API_CALL say_nothing(void*, OrtLoggingLevel, const char*, const char*, const char*,
                              const char*) {}

// Throws what a status says, and releases it.
void check(const OrtApi& api, OrtStatus* status, kgf_status code) {
  if (!status) return;
  const std::string text = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  fail(code, "ONNX Runtime: ", text);
}

template <class T>
struct Releaser {
  void(ORT_API_CALL* release)(T*);
  void operator()(T* object) const { release(object); }
};
template <class T>
using Owned = std::unique_ptr<T, Releaser<T>>;

// make(&object) returns a status.
template <class T, class Make>
Owned<T> owned(const OrtApi& api, void(ORT_API_CALL* release)(T*), kgf_status code, Make make) {
  T* object = nullptr;
  check(api, make(&object), code);
  return Owned<T>(object, {release});
}

void* open_by_names(const std::string& named) {
  std::string why;
  if (!named.empty()) {
    if (void* library = open_library(named, &why)) return library;
    fail(KGF_BACKEND_ERROR, "ONNX Runtime was asked for at ", named,
         " and cannot be opened: ", why);
  }
  std::string all;
  for (const char* usual : usual_names) {
    if (void* library = open_library(usual, &why)) return library;
    all += "; " + why;
  }
  fail(KGF_BACKEND_ERROR,
       "ONNX Runtime was not found; name its library in kgf_options or in the environment variable "
       "KERNELGAN_FAST_ONNXRUNTIME",
       all);
}

Runtime open_runtime(const std::string& named) {
  void* library = open_by_names(named);
  using GetApiBase = const OrtApiBase*(ORT_API_CALL*)();
  const auto get_base = reinterpret_cast<GetApiBase>(find_symbol(library, "OrtGetApiBase"));
  if (!get_base) fail(KGF_BACKEND_ERROR, named, " is not ONNX Runtime: it has no OrtGetApiBase");
  const OrtApiBase* base = get_base();
  Runtime runtime;
  runtime.api = base->GetApi(api_version);
  if (!runtime.api) {
    fail(KGF_BACKEND_ERROR, "ONNX Runtime must be 1.", api_version, " or newer, got ",
         base->GetVersionString());
  }
  check(*runtime.api,
        runtime.api->CreateEnvWithCustomLogger(say_nothing, nullptr, ORT_LOGGING_LEVEL_FATAL,
                                               "kernelgan_fast", &runtime.env),
        KGF_BACKEND_ERROR);
  return runtime;
}

// Kept for good, as its threads and the library itself are.
const Runtime& runtime_at(std::string named) {
  if (named.empty()) {
    const char* variable = std::getenv("KERNELGAN_FAST_ONNXRUNTIME");
    if (variable) named = variable;
  }
  static std::mutex mutex;
  static auto* const opened = new std::map<std::string, Runtime>;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = opened->find(named);
  if (found != opened->end()) return found->second;
  return opened->emplace(named, open_runtime(named)).first->second;
}

Element element_of(ONNXTensorElementDataType type) {
  if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) return Element::float32;
  if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16) return Element::float16;
  return Element::other;
}

class OrtModel final : public Session {
 public:
  OrtModel(const Runtime& runtime, const void* bytes, size_t size, int threads)
      : api_(*runtime.api),
        session_(open(runtime, bytes, size, threads)),
        memory_(owned<OrtMemoryInfo>(
            api_, api_.ReleaseMemoryInfo, KGF_INTERNAL_ERROR, [&](OrtMemoryInfo** out) {
              return api_.CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, out);
            })) {
    check(api_, api_.GetAllocatorWithDefaultOptions(&allocator_), KGF_INTERNAL_ERROR);
    read_ports(api_.SessionGetInputCount, api_.SessionGetInputName, api_.SessionGetInputTypeInfo,
               &inputs_);
    read_ports(api_.SessionGetOutputCount, api_.SessionGetOutputName, api_.SessionGetOutputTypeInfo,
               &outputs_);
    read_metadata();
  }

  void run(const std::vector<Feed>& feeds, const Take& take) const override {
    std::vector<Owned<OrtValue>> values;
    std::vector<std::vector<uint16_t>> halves(feeds.size());
    std::vector<const OrtValue*> inputs;
    std::vector<const char*> names;
    for (size_t i = 0; i < feeds.size(); ++i) {
      values.push_back(value_of(feeds[i], &halves[i]));
      inputs.push_back(values.back().get());
      names.push_back(feeds[i].port->name.c_str());
    }
    const char* output_name = outputs_[0].name.c_str();
    const auto output =
        owned<OrtValue>(api_, api_.ReleaseValue, KGF_RUN_ERROR, [&](OrtValue** out) {
          return api_.Run(session_.get(), nullptr, names.data(), inputs.data(), inputs.size(),
                          &output_name, 1, out);
        });
    show(output.get(), take);
  }

 private:
  Owned<OrtSession> open(const Runtime& runtime, const void* bytes, size_t size, int threads) {
    const auto options = owned<OrtSessionOptions>(
        api_, api_.ReleaseSessionOptions, KGF_INTERNAL_ERROR,
        [&](OrtSessionOptions** out) { return api_.CreateSessionOptions(out); });
    check(api_, api_.SetIntraOpNumThreads(options.get(), threads), KGF_INVALID_ARGUMENT);
    return owned<OrtSession>(api_, api_.ReleaseSession, KGF_MODEL_ERROR, [&](OrtSession** out) {
      return api_.CreateSessionFromArray(runtime.env, bytes, size, options.get(), out);
    });
  }

  std::string taken(char* text) const {
    const std::string copy = text;
    check(api_, api_.AllocatorFree(allocator_, text), KGF_INTERNAL_ERROR);
    return copy;
  }

  template <class Count, class Name, class Type>
  void read_ports(Count count, Name name, Type type, std::vector<Port>* ports) {
    size_t many = 0;
    check(api_, count(session_.get(), &many), KGF_MODEL_ERROR);
    for (size_t i = 0; i < many; ++i) {
      Port port;
      char* text = nullptr;
      check(api_, name(session_.get(), i, allocator_, &text), KGF_MODEL_ERROR);
      port.name = taken(text);
      const auto info =
          owned<OrtTypeInfo>(api_, api_.ReleaseTypeInfo, KGF_MODEL_ERROR,
                             [&](OrtTypeInfo** out) { return type(session_.get(), i, out); });
      const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // stays null for a sequence or a map
      check(api_, api_.CastTypeInfoToTensorInfo(info.get(), &tensor), KGF_MODEL_ERROR);
      if (tensor) port.element = read_shape(tensor, &port.shape);
      ports->push_back(std::move(port));
    }
  }

  Element read_shape(const OrtTensorTypeAndShapeInfo* info, std::vector<int64_t>* shape) const {
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t rank = 0;
    check(api_, api_.GetTensorElementType(info, &type), KGF_MODEL_ERROR);
    check(api_, api_.GetDimensionsCount(info, &rank), KGF_MODEL_ERROR);
    shape->resize(rank);
    check(api_, api_.GetDimensions(info, shape->data(), rank), KGF_MODEL_ERROR);
    return element_of(type);
  }

  void read_metadata() {
    const auto data = owned<OrtModelMetadata>(
        api_, api_.ReleaseModelMetadata, KGF_MODEL_ERROR,
        [&](OrtModelMetadata** out) { return api_.SessionGetModelMetadata(session_.get(), out); });
    char** keys = nullptr;
    int64_t count = 0;
    check(api_, api_.ModelMetadataGetCustomMetadataMapKeys(data.get(), allocator_, &keys, &count),
          KGF_MODEL_ERROR);
    for (int64_t i = 0; i < count; ++i) {
      const std::string key = taken(keys[i]);
      char* value = nullptr;
      check(api_,
            api_.ModelMetadataLookupCustomMetadataMap(data.get(), allocator_, key.c_str(), &value),
            KGF_MODEL_ERROR);
      if (value) metadata_[key] = taken(value);
    }
    if (keys) check(api_, api_.AllocatorFree(allocator_, keys), KGF_INTERNAL_ERROR);
  }

  // A borrowed value; a float16 port's is converted into `halves`, which must outlive it.
  Owned<OrtValue> value_of(const Feed& feed, std::vector<uint16_t>* halves) const {
    size_t count = 1;
    for (int64_t extent : feed.shape) count *= static_cast<size_t>(extent);
    // The runtime does not write to its inputs, its prototype only fails to say so.
    void* data = const_cast<float*>(feed.data);
    size_t bytes = count * sizeof(float);
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    if (feed.port->element == Element::float16) {
      halves->resize(count);
      for (size_t i = 0; i < count; ++i) (*halves)[i] = to_half(feed.data[i]);
      data = halves->data();
      bytes = count * sizeof(uint16_t);
      type = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    }
    return owned<OrtValue>(api_, api_.ReleaseValue, KGF_RUN_ERROR, [&](OrtValue** out) {
      return api_.CreateTensorWithDataAsOrtValue(memory_.get(), data, bytes, feed.shape.data(),
                                                 feed.shape.size(), type, out);
    });
  }

  void show(OrtValue* value, const Take& take) const {
    const auto info = owned<OrtTensorTypeAndShapeInfo>(
        api_, api_.ReleaseTensorTypeAndShapeInfo, KGF_RUN_ERROR,
        [&](OrtTensorTypeAndShapeInfo** out) { return api_.GetTensorTypeAndShape(value, out); });
    std::vector<int64_t> shape;
    const Element element = read_shape(info.get(), &shape);
    void* data = nullptr;
    check(api_, api_.GetTensorMutableData(value, &data), KGF_RUN_ERROR);
    if (element != Element::float16) return take(static_cast<const float*>(data), shape);
    size_t count = 1;
    for (int64_t extent : shape) count *= static_cast<size_t>(extent);
    std::vector<float> wide(count);
    for (size_t i = 0; i < count; ++i) wide[i] = from_half(static_cast<const uint16_t*>(data)[i]);
    take(wide.data(), shape);
  }

  const OrtApi& api_;
  const Owned<OrtSession> session_;
  const Owned<OrtMemoryInfo> memory_;
  OrtAllocator* allocator_ = nullptr;
};

}  // namespace

const char* name(Element element) {
  switch (element) {
    case Element::float32: return "float32";
    case Element::float16: return "float16";
    case Element::other: break;
  }
  return "another type";
}

std::unique_ptr<Session> open_onnxruntime(const void* bytes, size_t size,
                                          const std::string& library, int threads) {
  return std::make_unique<OrtModel>(runtime_at(library), bytes, size, threads);
}

}  // namespace kgf::engine
