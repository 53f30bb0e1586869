// The back end TensorRT, opened at run time and never linked. Only what TensorRT 10.12 and 11 share is
// called; its classes have tables of functions, so the library must be of the headers' release.
#include <NvInferRuntime.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "engine/failure.h"
#include "engine/half.h"
#include "engine/library.h"
#include "engine/session.h"

namespace kgf::engine {
namespace {

namespace trt = nvinfer1;

// The headers of TensorRT for RTX name their version so.
#if defined(TRT_MAJOR_RTX) && !defined(TRT_MAJOR_ENTERPRISE)
constexpr const char *flavour = "tensorrt-rtx", *stem = "tensorrt_rtx";
#else
constexpr const char *flavour = "tensorrt", *stem = "nvinfer";
#endif

struct Library {
  void* (*create_runtime)(void* logger, int32_t version);
  int32_t version;  // 10.14.1 is 101401
};

std::string words_of(int32_t version) {
  return concat(version / 10000, ".", version / 100 % 100, ".", version % 100);
}

std::vector<std::string> usual_names() {
  const std::string major = std::to_string(NV_TENSORRT_MAJOR);
#if defined(_WIN32)
  return {concat(stem, "_", major, ".dll")};
#else
  return {concat("lib", stem, ".so.", major)};
#endif
}

Library open_library_of(const std::string& named) {
  void* handle = open_named(
      {"TensorRT", named, usual_names(), "tensorrt in kgf_options", "KERNELGAN_FAST_TENSORRT"});
  Library library{};
  library.create_runtime = reinterpret_cast<decltype(library.create_runtime)>(
      find_symbol(handle, "createInferRuntime_INTERNAL"));
  const auto get_version =
      reinterpret_cast<int32_t (*)()>(find_symbol(handle, "getInferLibVersion"));
  if (!library.create_runtime || !get_version) {
    fail(KGF_BACKEND_ERROR, named, " is not TensorRT: it has no createInferRuntime_INTERNAL");
  }
  library.version = get_version();
  if (library.version / 10000 != NV_TENSORRT_MAJOR) {
    fail(KGF_BACKEND_ERROR, "TensorRT must be ", NV_TENSORRT_MAJOR,
         ".x, for which this library was compiled, got ", words_of(library.version));
  }
  return library;
}

// Kept for good, as the library itself is.
const Library& library_at(const std::string& given) {
  const std::string named = given_or_environment(given, "KERNELGAN_FAST_TENSORRT");
  static std::mutex mutex;
  static auto* const opened = new std::map<std::string, Library>;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = opened->find(named);
  if (found != opened->end()) return found->second;
  return opened->emplace(named, open_library_of(named)).first->second;
}

// What TensorRT says of errors, kept for ours and not printed.
class Log final : public trt::ILogger {
 public:
  void log(Severity severity, const char* text) noexcept override {
    if (severity > Severity::kERROR) return;
    try {
      const std::lock_guard<std::mutex> lock(mutex_);
      told_ += concat(told_.empty() ? "" : "; ", text);
    } catch (...) {
    }
  }
  std::string take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(told_, {});
  }

 private:
  std::mutex mutex_;
  std::string told_;
};

Element element_of(trt::DataType type) {
  if (type == trt::DataType::kFLOAT) return Element::float32;
  return type == trt::DataType::kHALF ? Element::float16 : Element::other;
}

size_t bytes_of(Element element) { return element == Element::float16 ? 2 : 4; }

std::vector<int64_t> shape_of(const trt::Dims& dims) {
  return {dims.d, dims.d + std::max(dims.nbDims, 0)};
}

trt::Dims dims_of(const std::vector<int64_t>& shape) {
  trt::Dims dims{};
  dims.nbDims = static_cast<int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), dims.d);
  return dims;
}

class Engine final : public Session {
 public:
  Engine(const Library& library, const std::vector<char>& bytes, const Sidecar& sidecar,
         const Settings& settings) {
    metadata_ = sidecar.metadata;
    gpu_ = std::make_unique<Gpu>(settings.cudart, settings.gpu);
    const OnGpu here(gpu_.get());
    runtime_.reset(static_cast<trt::IRuntime*>(library.create_runtime(&log_, NV_TENSORRT_VERSION)));
    if (!runtime_) {
      fail(KGF_BACKEND_ERROR, "TensorRT ", words_of(library.version), " does not start: ", told());
    }
    engine_.reset(runtime_->deserializeCudaEngine(bytes.data(), bytes.size()));
    if (!engine_) {
      fail(KGF_MODEL_ERROR, "TensorRT ", words_of(library.version),
           " cannot use the engine, which TensorRT ", sidecar.version,
           " built, on this GPU; build it again: ", told());
    }
    read_ports();
  }
  ~Engine() override {
    const OnGpu here(gpu_.get());
    engine_.reset();
    runtime_.reset();
  }

  std::unique_ptr<Runner> runner() const override;

  std::string told() const {
    const std::string text = log_.take();
    return text.empty() ? "it does not say why" : text;
  }

  trt::IExecutionContext* start() const { return engine_->createExecutionContext(); }

 private:
  void read_ports() {
    for (int32_t i = 0; i < engine_->getNbIOTensors(); ++i) {
      Port port;
      port.name = engine_->getIOTensorName(i);
      const char* name = port.name.c_str();
      port.shape = shape_of(engine_->getTensorShape(name));
      if (engine_->getTensorLocation(name) == trt::TensorLocation::kDEVICE &&
          engine_->getTensorFormat(name) == trt::TensorFormat::kLINEAR) {
        port.element = element_of(engine_->getTensorDataType(name));
      }
      const bool is_input = engine_->getTensorIOMode(name) == trt::TensorIOMode::kINPUT;
      if (is_input) {
        using Select = trt::OptProfileSelector;
        port.least = shape_of(engine_->getProfileShape(name, 0, Select::kMIN));
        port.most = shape_of(engine_->getProfileShape(name, 0, Select::kMAX));
        if (port.least.size() != port.shape.size() || port.most.size() != port.shape.size()) {
          fail(KGF_MODEL_ERROR, "the engine has no profile for its input ", port.name);
        }
      }
      (is_input ? inputs_ : outputs_).push_back(std::move(port));
    }
    if (outputs_.size() != 1) {
      fail(KGF_MODEL_ERROR, "the engine must have one output, got ", outputs_.size());
    }
  }

  mutable Log log_;
  std::unique_ptr<trt::IRuntime> runtime_;
  std::unique_ptr<trt::ICudaEngine> engine_;
};

class EngineRunner final : public Runner {
 public:
  explicit EngineRunner(const Engine& engine)
      : engine_(engine), gpu_(*engine.gpu()), own_stream_(gpu_), out_(&gpu_) {
    context_.reset(engine.start());
    if (!context_) fail(KGF_OUT_OF_MEMORY, "TensorRT makes no context: ", engine.told());
  }

  void run(const std::vector<Feed>& feeds, const Place& place, void* stream,
           const Take& take) override {
    // TensorRT waits for the whole GPU on the default stream.
    if (!stream) stream = own_stream_.get();
    const Port& output = engine_.outputs()[0];
    const std::vector<int64_t> shape = bind(feeds, nullptr, stream);
    const size_t count = count_of(shape);
    void* result = out_.room(count * bytes_of(output.element));
    enqueue(result, stream);
    if (output.element == Element::float16) {
      halves_.resize(count);
      gpu_.copy_to_host(halves_.data(), result, count * sizeof(uint16_t), stream);
      gpu_.wait(stream);
      wide_.resize(count);
      for (size_t i = 0; i < count; ++i) wide_[i] = from_half(halves_[i]);
      return take(wide_.data(), shape);
    }
    const bool direct = place.data && shape == place.shape;
    if (!direct) wide_.resize(count);
    gpu_.copy_to_host(direct ? place.data : wide_.data(), result, count * sizeof(float), stream);
    gpu_.wait(stream);
    if (!direct) take(wide_.data(), shape);
  }

  void run_on_gpu(const std::vector<Feed>& feeds, float* out, const std::vector<int64_t>& shape,
                  void* stream) override {
    if (bind(feeds, feeds.back().data, stream) != shape) {
      fail(KGF_MODEL_ERROR, "the engine does not make what its scale says");
    }
    enqueue(out, stream);
  }

 private:
  class Stream {
   public:
    explicit Stream(const Gpu& gpu) : gpu_(gpu), stream_(gpu.create_stream()) {}
    ~Stream() { gpu_.destroy_stream(stream_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    void* get() const { return stream_; }

   private:
    const Gpu& gpu_;
    void* stream_;
  };

  // Sets shapes and addresses of the inputs; the last feed is at `image` if that is not null, the others
  // are copied to the GPU. Returns the output's shape.
  std::vector<int64_t> bind(const std::vector<Feed>& feeds, const void* image, void* stream) {
    while (in_.size() < feeds.size()) in_.emplace_back(&gpu_);
    for (size_t i = 0; i < feeds.size(); ++i) {
      const char* name = feeds[i].port->name.c_str();
      const bool is_there = image && i + 1 == feeds.size();
      const void* data = is_there ? image : uploaded(feeds[i], &in_[i], stream);
      if (!context_->setInputShape(name, dims_of(feeds[i].shape)) ||
          !context_->setInputTensorAddress(name, data)) {
        fail(KGF_RUN_ERROR, "TensorRT does not take this ", name, ": ", engine_.told());
      }
    }
    const char* output = engine_.outputs()[0].name.c_str();
    std::vector<int64_t> shape = shape_of(context_->getTensorShape(output));
    for (int64_t extent : shape) {
      if (extent < 0) fail(KGF_RUN_ERROR, "TensorRT cannot tell the output's shape");
    }
    return shape;
  }

  const void* uploaded(const Feed& feed, GpuMemory* memory, void* stream) {
    const size_t count = count_of(feed.shape), bytes = count * bytes_of(feed.port->element);
    void* room = memory->room(bytes);
    const void* from = feed.data;
    if (feed.port->element == Element::float16) {
      halves_.resize(count);
      for (size_t i = 0; i < count; ++i) halves_[i] = to_half(feed.data[i]);
      from = halves_.data();
    }
    gpu_.copy_from_host(room, from, bytes, stream);
    return room;
  }

  void enqueue(void* result, void* stream) {
    const char* output = engine_.outputs()[0].name.c_str();
    if (!context_->setTensorAddress(output, result) ||
        !context_->enqueueV3(static_cast<cudaStream_t>(stream))) {
      fail(KGF_RUN_ERROR, "TensorRT: ", engine_.told());
    }
  }

  const Engine& engine_;
  const Gpu& gpu_;
  Stream own_stream_;
  std::unique_ptr<trt::IExecutionContext> context_;
  std::vector<GpuMemory> in_;
  GpuMemory out_;
  std::vector<uint16_t> halves_;
  std::vector<float> wide_;
};

std::unique_ptr<Runner> Engine::runner() const { return std::make_unique<EngineRunner>(*this); }

// Engines run in the very release that built them.
void check_version(const Sidecar& sidecar, const Library& library) {
  const std::string wanted = words_of(library.version);
  if (sidecar.version != wanted && sidecar.version.rfind(wanted + ".", 0) != 0) {
    fail(KGF_MODEL_ERROR, "the engine was built by TensorRT ", sidecar.version,
         " and cannot run in ", wanted, "; build it again with that, or name the other library");
  }
}

}  // namespace

std::unique_ptr<Session> open_tensorrt(const std::vector<char>& engine, const Sidecar& sidecar,
                                       const Settings& settings) {
  if (sidecar.flavour != flavour) {
    fail(KGF_BACKEND_ERROR, "the engine is of ", sidecar.flavour,
         ", and this library was compiled for ", flavour);
  }
  const Library& library = library_at(settings.tensorrt);
  check_version(sidecar, library);
  return std::make_unique<Engine>(library, engine, sidecar, settings);
}

}  // namespace kgf::engine
