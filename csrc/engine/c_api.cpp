// The C functions of engine.h: what is given is checked, exceptions become codes with text.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <string>
#include <vector>

#include "core/thread_pool.h"
#include "engine/context.h"
#include "engine/failure.h"
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

kgf_status failed(kgf_status status, const char* text) noexcept {
  try {
    last_error = text;
  } catch (...) {
    last_error.clear();
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
  } catch (const std::exception& error) {
    return failed(KGF_INTERNAL_ERROR, error.what());
  } catch (...) {
    return failed(KGF_INTERNAL_ERROR, "an exception of unknown type");
  }
}

// Options as this version knows them: what an older program does not have keeps its default.
template <class Options>
Options known(const Options* given, const Options& defaults) {
  Options options = defaults;
  if (!given) return options;
  require(given->struct_size >= sizeof(size_t) && given->struct_size <= 4096,
          "struct_size must be the size of the options, got ", given->struct_size);
  std::memcpy(static_cast<void*>(&options), given, std::min(given->struct_size, sizeof(Options)));
  return options;
}

std::vector<char> read_file(const std::string& path) {
  const std::filesystem::path place = std::filesystem::u8path(path);
  std::error_code ignored;
  if (std::filesystem::is_directory(place, ignored)) fail(KGF_FILE_ERROR, path, " is a folder");
  std::ifstream file(place, std::ios::binary);
  if (!file) fail(KGF_FILE_ERROR, path, " cannot be read: it is not there, or not to be opened");
  std::vector<char> bytes;
  std::vector<char> block(1 << 20);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount()) {
    bytes.insert(bytes.end(), block.begin(), block.begin() + file.gcount());
  }
  if (file.bad()) fail(KGF_FILE_ERROR, path, " cannot be read to its end");
  if (bytes.empty()) fail(KGF_FILE_ERROR, path, " is empty");
  return bytes;
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
  const kgf_options options = known<kgf_options>(given, KGF_OPTIONS_INIT);
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

bool is_engine(const std::filesystem::path& place) {
  return place.extension() == ".engine" || place.extension() == ".plan";
}

kgf_model* open_engine(const std::string& path, const kgf_options* options) {
  const Settings settings = settings_of(options, "cuda");
  require(settings.gpu >= 0, "an engine of TensorRT runs on a GPU, got the device cpu");
  require(!settings.stream, "an engine takes the stream of each run, in kgf_run_options");
  const std::vector<char> bytes = read_file(path);
  const std::string beside = std::filesystem::u8path(path).replace_extension(".json").u8string();
  const std::vector<char> text = read_file(beside);
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

int64_t sample_bytes(int32_t type) { return type == KGF_UINT8 ? 1 : type == KGF_UINT16 ? 2 : 4; }

}  // namespace

extern "C" {

const char* kgf_last_error(void) { return last_error.c_str(); }

const char* kgf_version(void) { return KGF_VERSION; }

kgf_image kgf_interleaved(void* data, int32_t type, int32_t height, int32_t width,
                          int32_t channels) {
  kgf_image image = packed(data, type, height, width, channels);
  image.channel_stride = sample_bytes(type);
  image.pixel_stride = image.channel_stride * channels;
  image.row_stride = image.pixel_stride * width;
  return image;
}

kgf_image kgf_planar(void* data, int32_t type, int32_t height, int32_t width, int32_t channels) {
  kgf_image image = packed(data, type, height, width, channels);
  image.pixel_stride = sample_bytes(type);
  image.row_stride = image.pixel_stride * width;
  image.channel_stride = image.row_stride * height;
  return image;
}

kgf_status kgf_open(const char* path, const kgf_options* options, kgf_model** model) {
  return guarded([&] {
    require(path != nullptr && model != nullptr, "path and model must not be null");
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
    require(bytes != nullptr && model != nullptr, "bytes and model must not be null");
    *model = nullptr;
    require(size > 0, "size must be positive, got 0");
    *model = open_onnx(bytes, size, options);
  });
}

void kgf_close(kgf_model* model) { delete model; }

kgf_status kgf_get_info(const kgf_model* model, kgf_info* info) {
  return guarded([&] {
    require(model != nullptr && info != nullptr, "model and info must not be null");
    const size_t size = info->struct_size;
    require(size >= sizeof(size_t) && size <= 4096,
            "struct_size must be the size of kgf_info, got ", size);
    const Model& from = *model->model;
    const kgf_info all{size,
                       from.scale,
                       from.shrinks ? 1 : 0,
                       from.channels,
                       from.kernel_size,
                       static_cast<int32_t>(from.numbers.size()),
                       from.overlap,
                       from.least_side,
                       from.most_side,
                       from.session->gpu() ? from.session->gpu()->index() : -1};
    std::memcpy(static_cast<void*>(info), &all, std::min(size, sizeof(all)));
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
    require(model != nullptr && context != nullptr, "model and context must not be null");
    *context = nullptr;
    *context = new kgf_context{Context(model->model)};
  });
}

void kgf_destroy_context(kgf_context* context) { delete context; }

kgf_status kgf_set_kernel(kgf_context* context, const float* kernel, int32_t size) {
  return guarded([&] {
    require(context != nullptr, "context must not be null");
    context->context.set_kernel(kernel, size);
  });
}

kgf_status kgf_set_number(kgf_context* context, const char* name, float value) {
  return guarded([&] {
    require(context != nullptr && name != nullptr, "context and name must not be null");
    context->context.set_number(name, value);
  });
}

kgf_status kgf_output_size(const kgf_model* model, int32_t height, int32_t width,
                           int32_t* out_height, int32_t* out_width) {
  return guarded([&] {
    require(model != nullptr && out_height != nullptr && out_width != nullptr,
            "model, out_height and out_width must not be null");
    constexpr int32_t most = 1 << 24;
    require(height >= 1 && height <= most && width >= 1 && width <= most,
            "sides must be in 1..2^24, got ", height, " x ", width);
    *out_height = static_cast<int32_t>(model->model->out_side(height));
    *out_width = static_cast<int32_t>(model->model->out_side(width));
  });
}

kgf_status kgf_run(kgf_context* context, const kgf_image* in, const kgf_image* out,
                   const kgf_run_options* options) {
  return guarded([&] {
    require(context != nullptr, "context must not be null");
    check_image(in, "in", Role::input);
    check_image(out, "out", Role::output);
    context->context.run(*in, *out, known<kgf_run_options>(options, KGF_RUN_OPTIONS_INIT));
  });
}

kgf_status kgf_downscale(const kgf_image* in, const float* kernel, int32_t size, int32_t scale,
                         const kgf_image* out) {
  return guarded([&] {
    check_image(in, "in", Role::input);
    check_image(out, "out", Role::output);
    require(kernel != nullptr, "kernel must not be null");
    require(size >= 1 && size < 1024 && size % 2 == 1, "size must be odd and below 1024, got ",
            size);
    require(scale >= 1 && scale <= 64, "scale must be in 1..64, got ", scale);
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
