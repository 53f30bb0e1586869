// A model in a back end: names, shapes, metadata, and a run on float32 tensors.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kgf::engine {

enum class Element { float32, float16, other };

const char* name(Element element);

// An input or output of the model; an extent of -1 is free.
struct Port {
  std::string name;
  Element element = Element::other;
  std::vector<int64_t> shape;
};

struct Feed {
  const Port* port;
  const float* data;
  std::vector<int64_t> shape;
};

using Take = std::function<void(const float* data, const std::vector<int64_t>& shape)>;

// Thread-safe once made. float16 ports are fed and read as float32.
class Session {
 public:
  virtual ~Session() = default;
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // Runs the model and shows its first output to `take`.
  virtual void run(const std::vector<Feed>& feeds, const Take& take) const = 0;

 protected:
  std::vector<Port> inputs_, outputs_;
  std::map<std::string, std::string> metadata_;
};

// Opens ONNX Runtime, once a process and path, and a model in it. An empty path: the environment
// variable KERNELGAN_FAST_ONNXRUNTIME, else the usual names. threads 0: one a core.
std::unique_ptr<Session> open_onnxruntime(const void* bytes, size_t size,
                                          const std::string& library, int threads);

}  // namespace kgf::engine
