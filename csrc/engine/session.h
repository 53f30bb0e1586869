// A model in a back end: names, shapes, metadata, and runs on float32 tensors.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/gpu.h"
#include "engine/sidecar.h"

namespace kgf::engine {

enum class Element { float32, float16, other };

inline const char* name(Element element) {
  if (element == Element::other) return "another type";
  return element == Element::float32 ? "float32" : "float16";
}

// An input or output of the model; an extent of -1 is free, within `least` and `most` if these are there.
struct Port {
  std::string name;
  Element element = Element::other;
  std::vector<int64_t> shape, least, most;
};

struct Feed {
  const Port* port;
  const float* data;
  std::vector<int64_t> shape;
};

inline size_t count_of(const std::vector<int64_t>& shape) {
  size_t count = 1;
  for (int64_t extent : shape) count *= static_cast<size_t>(extent);
  return count;
}

// Float32 of `shape` in host memory, where an output of just this form may go; null: nowhere.
struct Place {
  float* data = nullptr;
  std::vector<int64_t> shape;
};

using Take = std::function<void(const float* data, const std::vector<int64_t>& shape)>;

// The runs of one thread at a time. float16 ports are fed and read as float32, except in the GPU's memory.
class Runner {
 public:
  virtual ~Runner() = default;
  // Runs the model from host to host memory; its first output is put at `place` or shown to `take`.
  virtual void run(const std::vector<Feed>& feeds, const Place& place, void* stream,
                   const Take& take) = 0;
  // The same where the last feed's data and `out`, which is of `shape`, are in the GPU's memory. What
  // is put on `stream` before comes before it, what is put there afterwards after it.
  virtual void run_on_gpu(const std::vector<Feed>& feeds, float* out,
                          const std::vector<int64_t>& shape, void* stream) = 0;
};

// A model in a back end. Thread-safe once made; runners must not outlive it.
class Session {
 public:
  virtual ~Session() = default;
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // Where it runs; null: on the CPU.
  const Gpu* gpu() const { return gpu_.get(); }
  virtual std::unique_ptr<Runner> runner() const = 0;

 protected:
  std::vector<Port> inputs_, outputs_;
  std::map<std::string, std::string> metadata_;
  std::unique_ptr<const Gpu> gpu_;
};

struct Settings {
  std::string onnxruntime, tensorrt, cudart;  // libraries; see kgf_options
  int threads = 0;                            // 0: one a core
  int gpu = -1;                               // -1: the CPU
  void* stream = nullptr;                     // of ONNX Runtime's session
};

// Opens ONNX Runtime, once a process and path, and a model in it.
std::unique_ptr<Session> open_onnxruntime(const void* bytes, size_t size, const Settings& settings);

// Opens TensorRT and an engine in it; in builds without TensorRT's headers throws
// Failure(KGF_BACKEND_ERROR).
std::unique_ptr<Session> open_tensorrt(const std::vector<char>& engine, const Sidecar& sidecar,
                                       const Settings& settings);

}  // namespace kgf::engine
