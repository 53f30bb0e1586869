// The engine of kernelgan-fast for C++17: engine.h with handles that close themselves and errors that
// are thrown. It is compiled into your program; only the C functions cross the library's boundary.
//
//   kernelgan_fast::Model model("sr_x2.onnx");
//   kernelgan_fast::Context context(model);
//   context.run(kgf_interleaved(low, KGF_UINT8, h, w, 3), kgf_interleaved(high, KGF_UINT8, 2*h, 2*w, 3));
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernelgan_fast/engine.h"

namespace kernelgan_fast {

class Error : public std::runtime_error {
 public:
  Error(kgf_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  kgf_status status() const noexcept { return status_; }

 private:
  kgf_status status_;
};

inline void check(kgf_status status) {
  if (status != KGF_OK) throw Error(status, kgf_last_error());
}

// A model; may be shared by threads. See kgf_options for `onnxruntime`, `threads` and all else.
class Model {
 public:
  explicit Model(const std::string& path, const std::string& onnxruntime = {}, int threads = 0)
      : Model(path, made(onnxruntime, threads)) {}
  Model(const std::string& path, const kgf_options& options) {
    kgf_model* opened = nullptr;
    check(kgf_open(path.c_str(), &options, &opened));
    handle_.reset(opened);
  }
  Model(const void* bytes, size_t size, const std::string& onnxruntime = {}, int threads = 0) {
    const kgf_options options = made(onnxruntime, threads);
    kgf_model* opened = nullptr;
    check(kgf_open_memory(bytes, size, &options, &opened));
    handle_.reset(opened);
  }

  kgf_info info() const {
    kgf_info info{};
    info.struct_size = sizeof(info);
    check(kgf_get_info(get(), &info));
    return info;
  }
  // Height and width of the output.
  std::pair<int32_t, int32_t> output_size(int32_t height, int32_t width) const {
    std::pair<int32_t, int32_t> out;
    check(kgf_output_size(get(), height, width, &out.first, &out.second));
    return out;
  }
  const kgf_model* get() const noexcept { return handle_.get(); }

 private:
  static kgf_options made(const std::string& onnxruntime, int threads) {
    kgf_options options = KGF_OPTIONS_INIT;
    if (!onnxruntime.empty()) options.onnxruntime = onnxruntime.c_str();
    options.threads = threads;
    return options;
  }
  struct Close {
    void operator()(kgf_model* model) const noexcept { kgf_close(model); }
  };
  std::unique_ptr<kgf_model, Close> handle_;
};

// The runs of one thread at a time; may outlive its model.
class Context {
 public:
  explicit Context(const Model& model) {
    kgf_context* made = nullptr;
    check(kgf_create_context(model.get(), &made));
    handle_.reset(made);
  }

  void set_kernel(const float* kernel, int32_t size) { check(kgf_set_kernel(get(), kernel, size)); }
  void set_number(const std::string& name, float value) {
    check(kgf_set_number(get(), name.c_str(), value));
  }
  void run(const kgf_image& in, const kgf_image& out) { check(kgf_run(get(), &in, &out, nullptr)); }
  void run(const kgf_image& in, const kgf_image& out, const kgf_run_options& options) {
    check(kgf_run(get(), &in, &out, &options));
  }
  kgf_context* get() const noexcept { return handle_.get(); }

 private:
  struct Destroy {
    void operator()(kgf_context* context) const noexcept { kgf_destroy_context(context); }
  };
  std::unique_ptr<kgf_context, Destroy> handle_;
};

inline void downscale(const kgf_image& in, const float* kernel, int32_t size, int32_t scale,
                      const kgf_image& out) {
  check(kgf_downscale(&in, kernel, size, scale, &out));
}

}  // namespace kernelgan_fast
