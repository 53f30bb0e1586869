// The engine's C functions that need no ONNX Runtime: bad calls, bad files, downscale, what is told
// where there is no runtime.
#include <kernelgan_fast/engine.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/half.h"
#include "engine/pixels.h"
#include "engine/tiles.h"
#include "expect.h"

namespace {

bool last_error_has(const char* words) { return std::strstr(kgf_last_error(), words) != nullptr; }

// A call that must fail with a status and words.
#define EXPECT_FAILS(call, status, words) EXPECT((call) == (status) && last_error_has(words))

void null_pointers_are_refused() {
  kgf_model* model = nullptr;
  kgf_context* context = nullptr;
  kgf_info info{};
  int32_t side = 0;
  EXPECT_FAILS(kgf_open(nullptr, nullptr, &model), KGF_INVALID_ARGUMENT, "null");
  EXPECT_FAILS(kgf_open("x.onnx", nullptr, nullptr), KGF_INVALID_ARGUMENT, "null");
  EXPECT_FAILS(kgf_open_memory(nullptr, 3, nullptr, &model), KGF_INVALID_ARGUMENT, "null");
  EXPECT_FAILS(kgf_open_memory("abc", 0, nullptr, &model), KGF_INVALID_ARGUMENT, "positive");
  EXPECT_FAILS(kgf_get_info(nullptr, &info), KGF_INVALID_ARGUMENT, "null");
  EXPECT_FAILS(kgf_output_size(nullptr, 1, 1, &side, &side), KGF_INVALID_ARGUMENT, "null");
  EXPECT_FAILS(kgf_create_context(nullptr, &context), KGF_INVALID_ARGUMENT, "null");
  EXPECT_FAILS(kgf_set_kernel(nullptr, nullptr, 3), KGF_INVALID_ARGUMENT, "null");
  EXPECT_FAILS(kgf_set_number(nullptr, "noise", 1), KGF_INVALID_ARGUMENT, "null");
  EXPECT_FAILS(kgf_run(nullptr, nullptr, nullptr, nullptr), KGF_INVALID_ARGUMENT, "null");
  EXPECT_FAILS(kgf_downscale(nullptr, nullptr, 3, 2, nullptr), KGF_INVALID_ARGUMENT, "in must not");
  EXPECT(kgf_number_name(nullptr, 0) == nullptr);
  kgf_close(nullptr);
  kgf_destroy_context(nullptr);
}

void files_that_cannot_be_read_are_refused() {
  kgf_model* model = reinterpret_cast<kgf_model*>(&model);
  EXPECT_FAILS(kgf_open("no such file.onnx", nullptr, &model), KGF_FILE_ERROR, "no such file.onnx");
  EXPECT(model == nullptr);
  EXPECT_FAILS(kgf_open(".", nullptr, &model), KGF_FILE_ERROR, "folder");
}

void runtimes_that_cannot_be_had_are_refused() {
  kgf_model* model = nullptr;
  kgf_options options = KGF_OPTIONS_INIT;
  options.onnxruntime = "/no/such/libonnxruntime.so";
  EXPECT_FAILS(kgf_open_memory("abc", 3, &options, &model), KGF_BACKEND_ERROR, "/no/such/");
  options.onnxruntime = KGF_FAKE_RUNTIME;
  EXPECT_FAILS(kgf_open_memory("abc", 3, &options, &model), KGF_BACKEND_ERROR, "got 1.2.3");
  options.onnxruntime = KGF_NO_RUNTIME;
  EXPECT_FAILS(kgf_open_memory("abc", 3, &options, &model), KGF_BACKEND_ERROR, "OrtGetApiBase");
  options.threads = -1;
  EXPECT_FAILS(kgf_open_memory("abc", 3, &options, &model), KGF_INVALID_ARGUMENT, "threads");
  options.struct_size = 3;
  EXPECT_FAILS(kgf_open_memory("abc", 3, &options, &model), KGF_INVALID_ARGUMENT, "struct_size");
}

// Those that are before TensorRT is asked for.
void engines_that_cannot_be_are_refused() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("kgf_no_engines_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "x.engine").string(), beside = (folder / "x.json").string();
  std::filesystem::remove(beside);
  kgf_model* model = nullptr;
  EXPECT_FAILS(kgf_open((folder / "none.plan").string().c_str(), nullptr, &model), KGF_FILE_ERROR,
               "none.plan");
  std::ofstream(path) << "an engine";
  EXPECT_FAILS(kgf_open(path.c_str(), nullptr, &model), KGF_FILE_ERROR, "x.json");
  const auto refused = [&](const std::string& text, kgf_status status, const char* words) {
    std::ofstream(beside) << text;
    EXPECT_FAILS(kgf_open(path.c_str(), nullptr, &model), status, words);
  };
  const std::string start = "{\"format\": \"kernelgan-fast engine 1\"";
  for (const char* text : {"{", "{]", "[1,", "{\"a\": }", "{\"a\" 1}", "{a: 1}", "\"\\u00g0\"",
                           "\"\\x\"", "{} {}", "\"abc", "\"\\ud800\"", " "}) {
    refused(text, KGF_MODEL_ERROR, "not JSON");
  }
  refused(std::string(1000, '['), KGF_MODEL_ERROR, "not JSON");
  refused("{}", KGF_MODEL_ERROR, "does not describe");
  refused("[[], {\"a\": [1, null]}, \"\\u00e4\\ud83d\\ude00\\n\"]", KGF_MODEL_ERROR,
          "does not describe");
  refused(start + "}", KGF_MODEL_ERROR, "no metadata");
  const std::string metadata = ", \"metadata\": {\"kernelgan_fast.scale\": \"2\"}}";
  refused(start + ", \"bytes\": 10" + metadata, KGF_MODEL_ERROR, "10 bytes, got 9");
#ifdef KGF_FAKE_TENSORRT
  refused(start + metadata, KGF_BACKEND_ERROR, "was compiled for tensorrt");
#else
  refused(start + metadata, KGF_BACKEND_ERROR, "has no TensorRT");
#endif
  kgf_options options = KGF_OPTIONS_INIT;
  options.device = "cpu";
  EXPECT_FAILS(kgf_open(path.c_str(), &options, &model), KGF_INVALID_ARGUMENT, "GPU");
  options.device = "cuda";
  options.stream = &options;
  EXPECT_FAILS(kgf_open(path.c_str(), &options, &model), KGF_INVALID_ARGUMENT, "stream");
  std::filesystem::remove_all(folder);
}

// Pixel (y, x) of an image by the definition, mirrored beyond the border.
double downscaled(const std::vector<uint8_t>& pixels, int height, int width, int channel,
                  const std::vector<float>& kernel, int size, int y, int x) {
  const auto mirrored = [](int i, int n) {
    while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
    return i;
  };
  double sum = 0;
  for (int s = 0; s < size; ++s) {
    for (int t = 0; t < size; ++t) {
      const int row = mirrored(y + s - size / 2, height), col = mirrored(x + t - size / 2, width);
      sum += kernel[s * size + t] * pixels[(row * width + col) * 3 + channel];
    }
  }
  return sum;
}

void downscale_follows_its_definition() {
  constexpr int height = 11, width = 17, size = 5;
  std::vector<uint8_t> pixels(height * width * 3), small(6 * 9 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 % 256);
  std::vector<float> kernel(size * size);
  for (size_t i = 0; i < kernel.size(); ++i) kernel[i] = static_cast<float>(i) / 300.0f;
  const kgf_image in = kgf_interleaved(pixels.data(), KGF_UINT8, height, width, 3);
  const kgf_image out = kgf_interleaved(small.data(), KGF_UINT8, 6, 9, 3);
  for (int threads : {1, 2}) {
    EXPECT(kgf_set_threads(threads) == KGF_OK);
    EXPECT(kgf_downscale(&in, kernel.data(), size, 2, &out) == KGF_OK);
    for (int i = 0; i < 6 * 9 * 3; ++i) {
      const double wanted =
          downscaled(pixels, height, width, i % 3, kernel, size, i / 27 * 2, i / 3 % 9 * 2);
      EXPECT_NEAR(small[i], wanted, 0.502);
    }
  }
  kgf_image wrong = out;
  wrong.height = 5;
  EXPECT_FAILS(kgf_downscale(&in, kernel.data(), size, 2, &wrong), KGF_INVALID_ARGUMENT, "6 x 9");
  EXPECT_FAILS(kgf_downscale(&in, kernel.data(), 4, 2, &out), KGF_INVALID_ARGUMENT, "odd");
  EXPECT_FAILS(kgf_downscale(&in, kernel.data(), 5, 0, &out), KGF_INVALID_ARGUMENT, "scale");
  EXPECT_FAILS(kgf_set_threads(0), KGF_INVALID_ARGUMENT, "1..1024");
}

void images_that_cannot_be_are_refused() {
  float memory[12] = {}, tap = 1;
  const kgf_image good = kgf_planar(memory, KGF_FLOAT32, 2, 2, 3);
  const auto refused = [&](const char* words, auto change) {
    kgf_image bad = good;
    change(bad);
    EXPECT_FAILS(kgf_downscale(&good, &tap, 1, 1, &bad), KGF_INVALID_ARGUMENT, words);
  };
  refused("data", [](kgf_image& image) { image.data = nullptr; });
  refused("type", [](kgf_image& image) { image.type = 7; });
  refused("sides", [](kgf_image& image) { image.height = 0; });
  refused("sides", [](kgf_image& image) { image.width = -4; });
  refused("sides", [](kgf_image& image) { image.width = INT32_MAX; });
  refused("channels", [](kgf_image& image) { image.channels = 0; });
  refused("strides", [](kgf_image& image) { image.row_stride = 0; });
  refused("strides", [](kgf_image& image) { image.pixel_stride = -3; });
  refused("white", [](kgf_image& image) { image.white = -1; });
  refused("white", [](kgf_image& image) { image.white = NAN; });
  refused("white", [](kgf_image& image) {
    image.type = KGF_UINT8;
    image.white = 256;
  });
}

// One tap leaves an image as it is, whatever its form.
void forms_of_images_agree() {
  constexpr int height = 3, width = 5;
  const float tap = 1;
  std::vector<uint16_t> pixels(height * width * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint16_t>(i * 23);
  kgf_image in = kgf_interleaved(pixels.data(), KGF_UINT16, height, width, 3);
  in.white = 1023;
  std::vector<float> planes(pixels.size());
  const kgf_image out = kgf_planar(planes.data(), KGF_FLOAT32, height, width, 3);
  EXPECT(kgf_downscale(&in, &tap, 1, 1, &out) == KGF_OK);
  // Upside down, at odd addresses, BGR.
  std::vector<uint8_t> bytes(pixels.size() * 2 + 1);
  kgf_image turned = kgf_interleaved(bytes.data() + 1, KGF_UINT16, height, width, 3);
  turned.data = static_cast<uint8_t*>(turned.data) + 2 * turned.row_stride + 4;
  turned.row_stride = -turned.row_stride;
  turned.channel_stride = -2;
  turned.white = 1023;
  EXPECT(kgf_downscale(&out, &tap, 1, 1, &turned) == KGF_OK);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const uint16_t wanted = pixels[(y * width + x) * 3 + c];
        EXPECT_NEAR(planes[(c * height + y) * width + x], wanted / 1023.0, 1e-6);
        uint16_t got;
        std::memcpy(&got, bytes.data() + 1 + (((2 - y) * width + x) * 3 + 2 - c) * 2, 2);
        EXPECT(got == wanted);
      }
    }
  }
}

void levels_are_rounded_and_clipped() {
  const float values[] = {-1, NAN, 0.5f / 255, 1.5f / 255, 2, INFINITY, 100.4f / 255, -INFINITY};
  const uint8_t wanted[] = {0, 0, 0, 2, 255, 255, 100, 0};
  uint8_t got[8];
  kgf::engine::write_pixels({values, 8, 8}, kgf_planar(got, KGF_UINT8, 1, 8, 1), {0, 0, 1, 8});
  for (int i = 0; i < 8; ++i) EXPECT(got[i] == wanted[i]);
}

void halves_are_there_and_back() {
  using kgf::engine::from_half;
  using kgf::engine::to_half;
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const float value = from_half(static_cast<uint16_t>(half));
    if (value == value) EXPECT(to_half(value) == half);
  }
  EXPECT(from_half(0x3c00) == 1.0f && from_half(0x0001) == std::ldexp(1.0f, -24));
  EXPECT(to_half(1.0f + std::ldexp(1.0f, -11)) == 0x3c00);  // a tie, to even
  EXPECT(to_half(1.0f + 3 * std::ldexp(1.0f, -11)) == 0x3c02);
  EXPECT(to_half(65519.0f) == 0x7bff && to_half(65520.0f) == 0x7c00);
  EXPECT(to_half(std::ldexp(1.0f, -26)) == 0 && std::isnan(from_half(to_half(NAN))));
}

void tiles_cover_a_side_once() {
  for (int length : {1, 31, 32, 33, 65, 100}) {
    for (int tile : {0, 32, 33}) {
      for (int multiple : {1, 4}) {
        for (int least : {1, 30}) {
          int next = 0;
          for (const auto& span : kgf::engine::spans(length, tile, 5, multiple, least)) {
            EXPECT(span.first == next && span.last > span.first && span.read_first <= span.first);
            EXPECT(span.read_first % multiple == 0 && span.read_last >= span.last);
            EXPECT(span.read_first == 0 || span.read_first + 5 <= span.first);
            EXPECT(span.read_last == length || span.read_last >= span.last + 5);
            EXPECT(span.read_last - span.read_first >= std::min(least, length));
            next = span.last;
          }
          EXPECT(next == length);
        }
      }
    }
  }
}

}  // namespace

int main() {
  EXPECT(std::strlen(kgf_version()) >= 5 && kgf_last_error()[0] == '\0');
  null_pointers_are_refused();
  files_that_cannot_be_read_are_refused();
  runtimes_that_cannot_be_had_are_refused();
  engines_that_cannot_be_are_refused();
  downscale_follows_its_definition();
  images_that_cannot_be_are_refused();
  forms_of_images_agree();
  levels_are_rounded_and_clipped();
  halves_are_there_and_back();
  tiles_cover_a_side_once();
  return kgf::test::finish();
}
