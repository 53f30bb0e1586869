// The C functions of engine.h: what is given is checked, exceptions become codes with text.
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/thread_pool.h"
#include "engine/context.h"
#include "engine/failure.h"
#include "engine/files.h"
#include "engine/structs.h"
#include "engine/text.h"
#include "ops/downscale/downscale.h"

using namespace kgf;
using namespace kgf::engine;

struct kgf_model {
  std::shared_ptr<const Model> model;
};

struct kgf_context {
  Context context;
};

namespace {

thread_local std::string last_error;

constexpr size_t most_error_bytes = 4096;

kgf_status failed(kgf_status status, const char* text) noexcept {
  try {
    last_error = printable(text, most_error_bytes);
  } catch (...) {
    last_error = "out of memory";  // short enough to need none
  }
  return status;
}

template <class F>
kgf_status guarded(F f) noexcept {
  try {
    f();
    return KGF_OK;
  } catch (const Failure& failure) {
    return failed(failure.status(), failure.what());
  } catch (const Error& error) {
    return failed(KGF_INVALID_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return failed(KGF_OUT_OF_MEMORY, "memory ran out; run in smaller tiles");
  } catch (const std::length_error&) {  // more than a vector can ever hold
    return failed(KGF_OUT_OF_MEMORY, "memory cannot hold this image; run in smaller tiles");
  } catch (const std::exception& error) {
    return failed(KGF_INTERNAL_ERROR, error.what());
  } catch (...) {
    return failed(KGF_INTERNAL_ERROR, "an exception of unknown type");
  }
}

// The number of the GPU that a device names; -1 is the CPU.
int gpu_of(const std::string& device) {
  if (device == "cpu") return -1;
  if (device == "cuda") return 0;
  const std::string number = device.rfind("cuda:", 0) == 0 ? device.substr(5) : "";
  const bool digits = number.find_first_not_of("0123456789") == std::string::npos;
  require(!number.empty() && number.size() < 4 && digits,
          "device must be cpu, cuda, or a GPU by number as cuda:1, got ", device);
  return std::stoi(number);
}

Settings settings_of(const kgf_options* given, const char* usual_device) {
  const kgf_options options = read_struct<kgf_options>(given, KGF_OPTIONS_INIT, "options");
  require(options.threads >= 0 && options.threads <= 1024, "threads must be in 0..1024, got ",
          options.threads);
  const auto text = [](const char* words) { return std::string(words ? words : ""); };
  Settings settings;
  settings.onnxruntime = text(options.onnxruntime);
  settings.tensorrt = text(options.tensorrt);
  settings.cudart = text(options.cudart);
  settings.threads = options.threads;
  settings.gpu = gpu_of(options.device ? options.device : usual_device);
  settings.stream = options.stream;
  require(settings.gpu >= 0 || !settings.stream, "a stream is given, and the device is the CPU");
  return settings;
}

kgf_model* open_onnx(const void* bytes, size_t size, const kgf_options* options) {
  return new kgf_model{understand(open_onnxruntime(bytes, size, settings_of(options, "cpu")))};
}

constexpr uintmax_t most_sidecar_bytes = 1 << 20;

bool is_engine(const std::filesystem::path& place) {
  return place.extension() == ".engine" || place.extension() == ".plan";
}

kgf_model* open_engine(const std::string& path, const kgf_options* options) {
  const Settings settings = settings_of(options, "cuda");
  require(settings.gpu >= 0, "an engine of TensorRT runs on a GPU, got the device cpu");
  require(!settings.stream, "an engine takes the stream of each run, in kgf_run_options");
  const std::vector<char> bytes = read_file(path);
  const std::string beside = std::filesystem::u8path(path).replace_extension(".json").u8string();
  const std::vector<char> text = read_file(beside, most_sidecar_bytes);
  const Sidecar sidecar = read_sidecar({text.begin(), text.end()}, beside);
  if (sidecar.bytes >= 0 && sidecar.bytes != static_cast<int64_t>(bytes.size())) {
    fail(KGF_MODEL_ERROR, path, " must be of ", sidecar.bytes, " bytes, got ", bytes.size(),
         "; it was cut or exchanged: build it again");
  }
  return new kgf_model{understand(open_tensorrt(bytes, sidecar, settings))};
}

kgf_image packed(void* data, int32_t type, int32_t height, int32_t width, int32_t channels) {
  kgf_image image{};
  image.data = data;
  image.type = type;
  image.height = height;
  image.width = width;
  image.channels = channels;
  return image;
}

// A stride of `count` times another, modulo 2^64: for sides that no image has it means nothing, and the
// image is refused when it is used.
int64_t times(int64_t stride, int32_t count) {
  return static_cast<int64_t>(static_cast<uint64_t>(stride) * static_cast<uint64_t>(count));
}

}  // namespace

extern "C" {

const char* kgf_last_error(void) { return last_error.c_str(); }

const char* kgf_version(void) { return KGF_VERSION; }

kgf_image kgf_interleaved(void* data, int32_t type, int32_t height, int32_t width,
                          int32_t channels) {
  kgf_image image = packed(data, type, height, width, channels);
  image.channel_stride = bytes_of(type);
  image.pixel_stride = times(image.channel_stride, channels);
  image.row_stride = times(image.pixel_stride, width);
  return image;
}

kgf_image kgf_planar(void* data, int32_t type, int32_t height, int32_t width, int32_t channels) {
  kgf_image image = packed(data, type, height, width, channels);
  image.pixel_stride = bytes_of(type);
  image.row_stride = times(image.pixel_stride, width);
  image.channel_stride = times(image.row_stride, height);
  return image;
}

kgf_status kgf_open(const char* path, const kgf_options* options, kgf_model** model) {
  return guarded([&] {
    check_pointer(path, "path");
    check_pointer(model, "model");
    *model = nullptr;
    if (is_engine(std::filesystem::u8path(path))) {
      *model = open_engine(path, options);
      return;
    }
    const std::vector<char> bytes = read_file(path);
    *model = open_onnx(bytes.data(), bytes.size(), options);
  });
}

kgf_status kgf_open_memory(const void* bytes, size_t size, const kgf_options* options,
                           kgf_model** model) {
  return guarded([&] {
    check_pointer(model, "model");
    *model = nullptr;
    require(bytes != nullptr, "bytes must not be null");
    require(size > 0, "size must be positive, got 0");
    *model = open_onnx(bytes, size, options);
  });
}

void kgf_close(kgf_model* model) { delete model; }

kgf_status kgf_get_info(const kgf_model* model, kgf_info* info) {
  return guarded([&] {
    check_pointer(model, "model");
    const Model& from = *model->model;
    const Gpu* gpu = from.session->gpu();
    const kgf_info all{0,
                       from.scale,
                       from.shrinks ? 1 : 0,
                       from.channels,
                       from.kernel_size,
                       static_cast<int32_t>(from.numbers.size()),
                       from.overlap,
                       from.least_side,
                       from.most_side,
                       gpu ? gpu->index() : -1};
    write_struct(all, info, "info");
  });
}

const char* kgf_number_name(const kgf_model* model, int32_t index) {
  if (!model || index < 0 || index >= static_cast<int32_t>(model->model->numbers.size())) {
    return nullptr;
  }
  return model->model->numbers[index]->name.c_str();
}

kgf_status kgf_create_context(const kgf_model* model, kgf_context** context) {
  return guarded([&] {
    check_pointer(model, "model");
    check_pointer(context, "context");
    *context = nullptr;
    *context = new kgf_context{Context(model->model)};
  });
}

void kgf_destroy_context(kgf_context* context) { delete context; }

kgf_status kgf_set_kernel(kgf_context* context, const float* kernel, int32_t size) {
  return guarded([&] {
    check_pointer(context, "context");
    context->context.set_kernel(kernel, size);
  });
}

kgf_status kgf_set_number(kgf_context* context, const char* name, float value) {
  return guarded([&] {
    check_pointer(context, "context");
    check_pointer(name, "name");
    context->context.set_number(name, value);
  });
}

kgf_status kgf_output_size(const kgf_model* model, int32_t height, int32_t width,
                           int32_t* out_height, int32_t* out_width) {
  return guarded([&] {
    check_pointer(model, "model");
    check_pointer(out_height, "out_height");
    check_pointer(out_width, "out_width");
    require(height >= 1 && height <= most_side && width >= 1 && width <= most_side,
            "sides must be in 1..2^24, got ", height, " x ", width);
    *out_height = static_cast<int32_t>(model->model->out_side(height));
    *out_width = static_cast<int32_t>(model->model->out_side(width));
  });
}

kgf_status kgf_run(kgf_context* context, const kgf_image* in, const kgf_image* out,
                   const kgf_run_options* options) {
  return guarded([&] {
    check_pointer(context, "context");
    check_image(in, "in", Role::input);
    check_image(out, "out", Role::output);
    check_apart(*in, *out);
    context->context.run(*in, *out,
                         read_struct<kgf_run_options>(options, KGF_RUN_OPTIONS_INIT, "options"));
  });
}

kgf_status kgf_downscale(const kgf_image* in, const float* kernel, int32_t size, int32_t scale,
                         const kgf_image* out) {
  return guarded([&] {
    check_image(in, "in", Role::input);
    check_image(out, "out", Role::output);
    check_apart(*in, *out);
    check_pointer(kernel, "kernel");
    require(size >= 1 && size < 1024 && size % 2 == 1, "size must be odd and below 1024, got ",
            size);
    require(scale >= 1 && scale <= 64, "scale must be in 1..64, got ", scale);
    require(all_finite(kernel, static_cast<size_t>(size) * size), "kernel must be finite");
    const int height = (in->height + scale - 1) / scale, width = (in->width + scale - 1) / scale;
    require(out->channels == in->channels && out->height == height && out->width == width,
            "out must be ", height, " x ", width, " of ", in->channels, " channels, got ",
            out->height, " x ", out->width, " of ", out->channels);
    const int64_t plane = int64_t{in->height} * in->width, small = int64_t{height} * width;
    std::vector<float> planes(in->channels * plane), result(in->channels * small);
    read_pixels(*in, {0, 0, in->height, in->width}, {planes.data(), plane, in->width});
    // The op reads the kernel only.
    const Array taps{const_cast<float*>(kernel), DType::float32, 3, {1, size, size}};
    downscale_forward({planes.data(), DType::float32, 4, {1, in->channels, in->height, in->width}},
                      taps, scale,
                      {result.data(), DType::float32, 4, {1, in->channels, height, width}});
    write_pixels({result.data(), small, width}, *out, {0, 0, height, width});
  });
}

kgf_status kgf_set_threads(int32_t threads) {
  return guarded([&] { set_num_threads(threads); });
}

}  // extern "C"
