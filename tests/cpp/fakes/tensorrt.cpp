// A TensorRT of 10.14.1 for "engines" that are a line of text: fake ELEMENT SCALE LEAST MOST end. An
// engine enlarges an image by repeating pixels, times the middle of a 5 x 5 kernel, plus a number.
#include <cstring>
#include <memory>
#include <sstream>
#include <string>

#include "cudart.h"
#include "engine/half.h"
#include "tensorrt_stubs.h"

#ifndef FAKE_VERSION
#define FAKE_VERSION 101401
#endif

namespace fake {
namespace {

struct Plan {
  DataType type = DataType::kFLOAT;
  int64_t scale = 0, least = 0, most = 0;
};

constexpr const char* names[] = {"image", "kernel", "lift", "result"};

Dims dims(std::initializer_list<int64_t> extents) {
  Dims made{};
  for (int64_t extent : extents) made.d[made.nbDims++] = extent;
  return made;
}

class FakeContext final : public IExecutionContext {
 public:
  FakeContext(const Plan& plan, ILogger* log) : impl_(plan, log) { mImpl = &impl_; }

 private:
  class Impl final : public ContextStubs {
   public:
    Impl(const Plan& plan, ILogger* log) : plan_(plan), log_(log) {}
    ICudaEngine const& getEngine() const noexcept override { std::abort(); }
    bool setInputShape(char const* name, Dims const& shape) noexcept override {
      if (std::strcmp(name, "image") != 0) return true;
      for (int axis : {2, 3}) {
        if (shape.d[axis] >= plan_.least && shape.d[axis] <= plan_.most) continue;
        log_->log(ILogger::Severity::kERROR, "outside the profile");
        return false;
      }
      image_ = shape;
      return true;
    }
    Dims getTensorShape(char const*) const noexcept override {
      return dims({image_.d[0], image_.d[1], image_.d[2] * plan_.scale, image_.d[3] * plan_.scale});
    }
    bool setInputTensorAddress(char const* name, void const* data) noexcept override {
      (!std::strcmp(name, "image") ? in_ : !std::strcmp(name, "kernel") ? kernel_ : lift_) = data;
      return true;
    }
    bool setTensorAddress(char const*, void* data) noexcept override {
      out_ = data;
      return true;
    }
    bool enqueueV3(cudaStream_t stream) noexcept override {
      const size_t sample = plan_.type == DataType::kHALF ? 2 : 4;
      const size_t in_bytes = size_t(image_.d[1] * image_.d[2] * image_.d[3]) * sample;
      if (!fake_is_on_gpu(in_, in_bytes) || !fake_is_on_gpu(kernel_, 100) ||
          !fake_is_on_gpu(lift_, 4) ||
          !fake_is_on_gpu(out_, in_bytes * size_t(plan_.scale * plan_.scale))) {
        log_->log(ILogger::Severity::kERROR, "an address that is not the GPU's");
        return false;
      }
      fake_launch(stream, [call = *this] { call.compute(); });
      return true;
    }

   private:
    void compute() const {
      float kernel[25], lift;
      std::memcpy(kernel, kernel_, sizeof kernel);
      std::memcpy(&lift, lift_, sizeof lift);
      const int64_t height = image_.d[2] * plan_.scale, width = image_.d[3] * plan_.scale;
      for (int64_t i = 0; i < image_.d[1] * height * width; ++i) {
        const int64_t row = i / width / plan_.scale, column = i % width / plan_.scale;
        store(i, load(row * image_.d[3] + column) * kernel[12] + lift);
      }
    }
    float load(int64_t index) const {
      if (plan_.type == DataType::kFLOAT) return static_cast<const float*>(in_)[index];
      return kgf::engine::from_half(static_cast<const uint16_t*>(in_)[index]);
    }
    void store(int64_t index, float value) const {
      if (plan_.type == DataType::kFLOAT) {
        static_cast<float*>(out_)[index] = value;
      } else {
        static_cast<uint16_t*>(out_)[index] = kgf::engine::to_half(value);
      }
    }

    Plan plan_;
    ILogger* log_;
    Dims image_{};
    const void *in_ = nullptr, *kernel_ = nullptr, *lift_ = nullptr;
    void* out_ = nullptr;
  } impl_;
};

class FakeEngine final : public ICudaEngine {
 public:
  FakeEngine(const Plan& plan, ILogger* log) : impl_(plan, log) { mImpl = &impl_; }

 private:
  class Impl final : public EngineStubs {
   public:
    Impl(const Plan& plan, ILogger* log) : plan_(plan), log_(log) {}
    IExecutionContext* createExecutionContext(
        ExecutionContextAllocationStrategy) noexcept override {
      return new FakeContext(plan_, log_);
    }
    int32_t getNbIOTensors() const noexcept override { return 4; }
    char const* getIOTensorName(int32_t index) const noexcept override { return names[index]; }
    TensorIOMode getTensorIOMode(char const* name) const noexcept override {
      return std::strcmp(name, "result") ? TensorIOMode::kINPUT : TensorIOMode::kOUTPUT;
    }
    TensorLocation getTensorLocation(char const*) const noexcept override {
      return TensorLocation::kDEVICE;
    }
    TensorFormat getTensorFormat(char const*) const noexcept override {
      return TensorFormat::kLINEAR;
    }
    DataType getTensorDataType(char const* name) const noexcept override {
      const bool is_image = !std::strcmp(name, "image") || !std::strcmp(name, "result");
      return is_image ? plan_.type : DataType::kFLOAT;
    }
    Dims getTensorShape(char const* name) const noexcept override { return shape(name, -1); }
    Dims getProfileShape(char const* name, int32_t,
                         OptProfileSelector select) const noexcept override {
      return shape(name, select == OptProfileSelector::kMIN ? plan_.least : plan_.most);
    }

   private:
    Dims shape(char const* name, int64_t side) const {
      if (!std::strcmp(name, "kernel")) return dims({5, 5});
      if (!std::strcmp(name, "lift")) return dims({1});
      return dims({1, 3, side, side});
    }
    Plan plan_;
    ILogger* log_;
  } impl_;
};

class FakeRuntime final : public IRuntime {
 public:
  explicit FakeRuntime(ILogger* log) : impl_(log) { mImpl = &impl_; }

 private:
  class Impl final : public RuntimeStubs {
   public:
    explicit Impl(ILogger* log) : log_(log) {}
    ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) noexcept override {
      std::istringstream text(std::string(static_cast<const char*>(blob), size));
      std::string magic, element, end;
      Plan plan;
      text >> magic >> element >> plan.scale >> plan.least >> plan.most >> end;
      if (magic == "fake" && end == "end") {
        if (element == "float16") plan.type = DataType::kHALF;
        if (element == "int8") plan.type = DataType::kINT8;
        return new FakeEngine(plan, log_);
      }
      log_->log(ILogger::Severity::kERROR, "magic tag does not match");
      return nullptr;
    }
    ICudaEngine* deserializeCudaEngine(IStreamReader&) noexcept override { return nullptr; }

   private:
    ILogger* log_;
  } impl_;
};

}  // namespace
}  // namespace fake

extern "C" {

__attribute__((visibility("default"))) int32_t getInferLibVersion() noexcept {
  return FAKE_VERSION;
}
__attribute__((visibility("default"))) void* createInferRuntime_INTERNAL(void* logger,
                                                                         int32_t) noexcept {
  return new fake::FakeRuntime(static_cast<nvinfer1::ILogger*>(logger));
}

}  // extern "C"
