// The back end ONNX Runtime. It is opened at run time and never linked: its one exported symbol bears
// its version, so that a program linked to one release would not start with another.
#include <onnxruntime_c_api.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>

#include "core/thread_pool.h"
#include "engine/failure.h"
#include "engine/half.h"
#include "engine/library.h"
#include "engine/session.h"

namespace kgf::engine {
namespace {

// The functions used below are all older; 1.17 is the first that knows opset 20.
constexpr uint32_t api_version = 17;

#if defined(_WIN32)
const std::vector<std::string> usual_names{"onnxruntime.dll"};
#elif defined(__APPLE__)
const std::vector<std::string> usual_names{"libonnxruntime.1.dylib", "libonnxruntime.dylib"};
#else
const std::vector<std::string> usual_names{"libonnxruntime.so.1", "libonnxruntime.so"};
#endif

struct Runtime {
  const OrtApi* api = nullptr;
  OrtEnv* env = nullptr;
};

void ORT_API_CALL say_nothing(void*, OrtLoggingLevel, const char*, const char*, const char*,
                              const char*) {}

// Throws what a status says, and releases it.
void check(const OrtApi& api, OrtStatus* status, kgf_status code, const char* advice = "") {
  if (!status) return;
  const std::string text = api.GetErrorMessage(status);
  api.ReleaseStatus(status);
  fail(code, "ONNX Runtime: ", text, advice);
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

Runtime open_runtime(const std::string& named) {
  void* library = open_named({"ONNX Runtime", named, usual_names, "onnxruntime in kgf_options",
                              "KERNELGAN_FAST_ONNXRUNTIME"});
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
const Runtime& runtime_at(const std::string& given) {
  const std::string named = given_or_environment(given, "KERNELGAN_FAST_ONNXRUNTIME");
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
  OrtModel(const Runtime& runtime, const void* bytes, size_t size, const Settings& settings)
      : api_(*runtime.api),
        stream_(settings.stream),
        session_(open(runtime, bytes, size, settings)),
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

  std::unique_ptr<Runner> runner() const override;

  void run(const std::vector<Feed>& feeds, const Place& place, const Take& take) const {
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
    // Without a copy where that can be; a wrong shape is an error of the runtime's.
    const bool direct = place.data && outputs_[0].element == Element::float32;
    if (direct) values.push_back(wrapped(*memory_, place.data, place.shape));
    const auto alone = turn();
    OrtValue* output = direct ? values.back().get() : nullptr;
    check(api_,
          api_.Run(session_.get(), nullptr, names.data(), inputs.data(), inputs.size(),
                   &output_name, 1, &output),
          KGF_RUN_ERROR);
    if (direct) return;
    const Owned<OrtValue> made(output, {api_.ReleaseValue});
    show(output, take);
  }

  void run_on_gpu(const std::vector<Feed>& feeds, float* out, const std::vector<int64_t>& shape,
                  void* stream) const {
    require(!stream_ || stream == stream_,
            "the run's stream must be that of kgf_options, on which this model runs");
    std::vector<Owned<OrtValue>> values;
    std::vector<std::vector<uint16_t>> halves(feeds.size());
    const auto alone = turn();
    const auto binding = owned<OrtIoBinding>(
        api_, api_.ReleaseIoBinding, KGF_RUN_ERROR,
        [&](OrtIoBinding** made) { return api_.CreateIoBinding(session_.get(), made); });
    const auto bind = [&](auto bind_one, const Port& port, const OrtValue* value) {
      check(api_, bind_one(binding.get(), port.name.c_str(), value), KGF_RUN_ERROR);
    };
    for (size_t i = 0; i + 1 < feeds.size(); ++i) {
      values.push_back(value_of(feeds[i], &halves[i]));
      bind(api_.BindInput, *feeds[i].port, values.back().get());
    }
    const Feed& image = feeds.back();
    const auto in = wrapped(*gpu_memory_, image.data, image.shape),
               result = wrapped(*gpu_memory_, out, shape);
    bind(api_.BindInput, *image.port, in.get());
    bind(api_.BindOutput, outputs_[0], result.get());
    // On a stream of its own the session would not wait for what makes the image.
    if (!stream_) gpu_->wait(stream);
    check(api_, api_.RunWithBinding(session_.get(), nullptr, binding.get()), KGF_RUN_ERROR);
    check(api_, api_.SynchronizeBoundOutputs(binding.get()), KGF_RUN_ERROR);
  }

 private:
  Owned<OrtSession> open(const Runtime& runtime, const void* bytes, size_t size,
                         const Settings& settings) {
    const auto options = owned<OrtSessionOptions>(
        api_, api_.ReleaseSessionOptions, KGF_INTERNAL_ERROR,
        [&](OrtSessionOptions** out) { return api_.CreateSessionOptions(out); });
    check(api_, api_.SetIntraOpNumThreads(options.get(), threads_of(settings)),
          KGF_INVALID_ARGUMENT);
    if (settings.gpu >= 0) use_gpu(options.get(), settings);
    return owned<OrtSession>(api_, api_.ReleaseSession, KGF_MODEL_ERROR, [&](OrtSession** out) {
      return api_.CreateSessionFromArray(runtime.env, bytes, size, options.get(), out);
    });
  }

  // ONNX Runtime waits for ever where one of its threads cannot be started, so it gets fewer there.
  static int threads_of(const Settings& settings) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    const int wished = settings.threads > 0 ? settings.threads : std::max(cores, 1);
    const int given = 1 + startable_threads(wished - 1);
    return given < wished ? given : settings.threads;
  }

  // Here, other than in Python, a provider that cannot start is an error.
  void use_gpu(OrtSessionOptions* options, const Settings& settings) {
    const auto need = [&](OrtStatus* status) {
      check(api_, status, KGF_BACKEND_ERROR,
            "; a GPU needs the library of onnxruntime-gpu, and what that asks for");
    };
    OrtCUDAProviderOptionsV2* made = nullptr;
    need(api_.CreateCUDAProviderOptions(&made));
    const Owned<OrtCUDAProviderOptionsV2> cuda(made, {api_.ReleaseCUDAProviderOptions});
    const std::string index = std::to_string(settings.gpu);
    const char *key = "device_id", *value = index.c_str();
    need(api_.UpdateCUDAProviderOptions(made, &key, &value, 1));
    if (settings.stream) {
      need(api_.UpdateCUDAProviderOptionsWithValue(made, "user_compute_stream", settings.stream));
    }
    need(api_.SessionOptionsAppendExecutionProvider_CUDA_V2(options, made));
    // After the provider, which brings the CUDA runtime that it was built for.
    gpu_ = std::make_unique<Gpu>(settings.cudart, settings.gpu);
    gpu_memory_ = owned<OrtMemoryInfo>(
        api_, api_.ReleaseMemoryInfo, KGF_BACKEND_ERROR, [&](OrtMemoryInfo** out) {
          return api_.CreateMemoryInfo("Cuda", OrtDeviceAllocator, settings.gpu, OrtMemTypeDefault,
                                       out);
        });
  }

  // Runs on one stream must not overlap.
  std::unique_lock<std::mutex> turn() const {
    return stream_ ? std::unique_lock<std::mutex>(turn_) : std::unique_lock<std::mutex>();
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
    if (feed.port->element != Element::float16) return wrapped(*memory_, feed.data, feed.shape);
    halves->resize(count_of(feed.shape));
    for (size_t i = 0; i < halves->size(); ++i) (*halves)[i] = to_half(feed.data[i]);
    return wrapped(*memory_, halves->data(), feed.shape);
  }

  template <class T>
  Owned<OrtValue> wrapped(const OrtMemoryInfo& memory, const T* data,
                          const std::vector<int64_t>& shape) const {
    constexpr bool half = std::is_same_v<T, uint16_t>;
    return owned<OrtValue>(api_, api_.ReleaseValue, KGF_RUN_ERROR, [&](OrtValue** out) {
      // The runtime does not write to its inputs, its prototype only fails to say so.
      return api_.CreateTensorWithDataAsOrtValue(
          &memory, const_cast<T*>(data), count_of(shape) * sizeof(T), shape.data(), shape.size(),
          half ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, out);
    });
  }

  void show(OrtValue* value, const Take& take) const {
    const auto info = owned<OrtTensorTypeAndShapeInfo>(
        api_, api_.ReleaseTensorTypeAndShapeInfo, KGF_RUN_ERROR,
        [&](OrtTensorTypeAndShapeInfo** out) { return api_.GetTensorTypeAndShape(value, out); });
    std::vector<int64_t> shape;
    const Element element = read_shape(info.get(), &shape);
    if (element == Element::other) {
      fail(KGF_MODEL_ERROR, "the model must make float32 or float16, and made another type");
    }
    void* data = nullptr;
    check(api_, api_.GetTensorMutableData(value, &data), KGF_RUN_ERROR);
    if (element != Element::float16) return take(static_cast<const float*>(data), shape);
    std::vector<float> wide(count_of(shape));
    for (size_t i = 0; i < wide.size(); ++i)
      wide[i] = from_half(static_cast<const uint16_t*>(data)[i]);
    take(wide.data(), shape);
  }

  const OrtApi& api_;
  void* const stream_;
  mutable std::mutex turn_;
  Owned<OrtMemoryInfo> gpu_memory_{nullptr, {nullptr}};
  const Owned<OrtSession> session_;
  const Owned<OrtMemoryInfo> memory_;
  OrtAllocator* allocator_ = nullptr;
};

// Sessions of ONNX Runtime are thread-safe, so there is nothing of its own to a thread.
class OrtRunner final : public Runner {
 public:
  explicit OrtRunner(const OrtModel& model) : model_(model) {}
  void run(const std::vector<Feed>& feeds, const Place& place, void*, const Take& take) override {
    model_.run(feeds, place, take);
  }
  void run_on_gpu(const std::vector<Feed>& feeds, float* out, const std::vector<int64_t>& shape,
                  void* stream) override {
    model_.run_on_gpu(feeds, out, shape, stream);
  }

 private:
  const OrtModel& model_;
};

std::unique_ptr<Runner> OrtModel::runner() const { return std::make_unique<OrtRunner>(*this); }

}  // namespace

std::unique_ptr<Session> open_onnxruntime(const void* bytes, size_t size,
                                          const Settings& settings) {
  return std::make_unique<OrtModel>(runtime_at(settings.onnxruntime), bytes, size, settings);
}

}  // namespace kgf::engine
