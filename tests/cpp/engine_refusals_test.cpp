// What the engine refuses before it needs ONNX Runtime: structures of wrong sizes, images that lie
// anywhere or over each other, sidecars that are damaged, and the words it does that in.
#include <kernelgan_fast/engine.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/json.h"
#include "engine/pixels.h"
#include "engine/text.h"
#include "expect.h"

namespace {

using kgf::engine::parse_json;
using kgf::engine::printable;

bool last_error_has(const char* words) { return std::strstr(kgf_last_error(), words) != nullptr; }

#define EXPECT_FAILS(call, status, words) EXPECT((call) == (status) && last_error_has(words))

const std::filesystem::path folder =
    std::filesystem::temp_directory_path() / ("kgf_refusals_" + std::to_string(getpid()));

// Opens with options of `size` bytes, of which those beyond the known ones are `beyond`.
kgf_status open_with(size_t size, unsigned char beyond = 0) {
  union {
    kgf_options options;
    unsigned char bytes[8192];
  } memory;
  std::memset(memory.bytes, beyond, sizeof(memory.bytes));
  memory.options = KGF_OPTIONS_INIT;
  memory.options.onnxruntime = "/no/such/library";
  memory.options.struct_size = size;
  kgf_model* model = nullptr;
  return kgf_open_memory("abc", 3, &memory.options, &model);
}

void structures_end_with_a_field() {
  const size_t whole = sizeof(kgf_options);
  for (size_t size = 0; size <= whole; ++size) {
    const bool cuts_pointer = size > 8 && size % 8 != 0 && !(size > 20 && size < 24) && size != 20;
    const bool cuts_number = size > 16 && size < 20;
    if (size < 8 || cuts_pointer || cuts_number) {
      EXPECT_FAILS(open_with(size), KGF_INVALID_ARGUMENT, "struct_size");
    } else {
      // A structure of the size alone names no library, and the usual ones may be there or not.
      const kgf_status status = open_with(size);
      EXPECT(status == KGF_BACKEND_ERROR || (size == 8 && status == KGF_MODEL_ERROR));
    }
  }
  for (size_t size : {size_t{4097}, size_t{1} << 40, SIZE_MAX}) {
    EXPECT_FAILS(open_with(size), KGF_INVALID_ARGUMENT, "struct_size");
  }
  // Of a newer program: what is not known must not be set.
  for (size_t size : {whole + 1, whole + 8, size_t{4096}}) {
    EXPECT_FAILS(open_with(size), KGF_BACKEND_ERROR, "/no/such/library");
    EXPECT_FAILS(open_with(size, 1), KGF_INVALID_ARGUMENT, "use a newer library");
  }
}

void misaligned_pointers_are_refused() {
  alignas(8) unsigned char memory[256] = {};
  const auto odd = [&](size_t offset) { return static_cast<void*>(memory + offset + 1); };
  kgf_model* model = nullptr;
  EXPECT_FAILS(kgf_open_memory("abc", 3, static_cast<kgf_options*>(odd(0)), &model),
               KGF_INVALID_ARGUMENT, "options must be aligned");
  EXPECT_FAILS(kgf_open_memory("abc", 3, nullptr, static_cast<kgf_model**>(odd(0))),
               KGF_INVALID_ARGUMENT, "model must be aligned");
  float pixels[2] = {};
  const kgf_image one = kgf_planar(pixels, KGF_FLOAT32, 1, 1, 1);
  const kgf_image two = kgf_planar(pixels + 1, KGF_FLOAT32, 1, 1, 1);
  EXPECT_FAILS(kgf_downscale(static_cast<kgf_image*>(odd(0)), pixels, 1, 1, &two),
               KGF_INVALID_ARGUMENT, "in must be aligned");
  EXPECT_FAILS(kgf_downscale(&one, static_cast<float*>(odd(0)), 1, 1, &two), KGF_INVALID_ARGUMENT,
               "kernel must be aligned");
}

void strides_that_overflow_are_refused() {
  constexpr int64_t most = std::numeric_limits<int64_t>::max(),
                    least = std::numeric_limits<int64_t>::min();
  float memory[24] = {};
  const float tap = 1;
  const kgf_image good = kgf_planar(memory, KGF_FLOAT32, 2, 2, 3),
                  other = kgf_planar(memory + 12, KGF_FLOAT32, 2, 2, 3);
  for (int64_t stride : {most, least, most / 2, least / 2, most - 7, int64_t{1} << 61}) {
    for (int64_t kgf_image::* which :
         {&kgf_image::row_stride, &kgf_image::pixel_stride, &kgf_image::channel_stride}) {
      kgf_image bad = good;
      bad.*which = stride;
      EXPECT_FAILS(kgf_downscale(&bad, &tap, 1, 1, &other), KGF_INVALID_ARGUMENT, "in must lie");
      EXPECT_FAILS(kgf_downscale(&other, &tap, 1, 1, &bad), KGF_INVALID_ARGUMENT, "out must lie");
    }
  }
  // A stride of one row, pixel or channel means nothing.
  kgf_image single = kgf_planar(memory, KGF_FLOAT32, 1, 1, 1), result = single;
  result.data = memory + 1;
  single.row_stride = most;
  single.pixel_stride = least;
  single.channel_stride = least;
  result.row_stride = least;
  EXPECT(kgf_downscale(&single, &tap, 1, 1, &result) == KGF_OK);
  // Whatever the sides, the helpers only compute.
  for (int32_t side : {0, -1, INT32_MAX, INT32_MIN}) {
    const kgf_image wild[] = {kgf_planar(memory, KGF_FLOAT32, side, side, side),
                              kgf_interleaved(memory, KGF_UINT16, side, side, side)};
    for (const kgf_image& image : wild) {
      EXPECT_FAILS(kgf_downscale(&image, &tap, 1, 1, &good), KGF_INVALID_ARGUMENT, "in must have");
    }
  }
}

void images_over_each_other_are_refused() {
  std::vector<uint8_t> memory(64 * 64 * 3);
  const float tap = 1;
  const auto at = [&](int row, int column, int height, int width) {
    kgf_image image = kgf_interleaved(memory.data(), KGF_UINT8, height, width, 3);
    image.row_stride = 64 * 3;
    image.data = memory.data() + row * image.row_stride + column * 3;
    return image;
  };
  const auto status = [&](const kgf_image& in, const kgf_image& out) {
    return kgf_downscale(&in, &tap, 1, 1, &out);
  };
  const kgf_image in = at(8, 8, 16, 16);
  // Beside it on the same canvas, on every side.
  for (const kgf_image& out : {at(8, 24, 16, 16), at(0, 24, 16, 16), at(24, 8, 16, 16),
                               at(12, 40, 16, 16), at(24, 0, 16, 16)}) {
    EXPECT(status(in, out) == KGF_OK && status(out, in) == KGF_OK);
    kgf_image turned = out;
    turned.data = static_cast<uint8_t*>(out.data) + 15 * out.row_stride;
    turned.row_stride = -out.row_stride;
    EXPECT(status(in, turned) == KGF_OK);
  }
  for (const kgf_image& out : {in, at(8, 23, 16, 16), at(23, 8, 16, 16), at(0, 0, 16, 16)}) {
    EXPECT_FAILS(status(in, out), KGF_INVALID_ARGUMENT, "overlap");
  }
  kgf_image planes = kgf_planar(memory.data(), KGF_UINT8, 16, 16, 3);
  kgf_image after = planes;
  after.data = memory.data() + 16 * 16 * 3;
  EXPECT(status(planes, after) == KGF_OK);
  after.data = memory.data() + 16 * 16 * 3 - 1;
  EXPECT_FAILS(status(planes, after), KGF_INVALID_ARGUMENT, "overlap");
}

void values_that_are_not_numbers_are_refused() {
  float memory[2] = {0.5f, 0};
  const kgf_image in = kgf_planar(memory, KGF_FLOAT32, 1, 1, 1),
                  out = kgf_planar(memory + 1, KGF_FLOAT32, 1, 1, 1);
  for (float tap : {NAN, INFINITY, -INFINITY}) {
    EXPECT_FAILS(kgf_downscale(&in, &tap, 1, 1, &out), KGF_INVALID_ARGUMENT, "finite");
  }
  for (float value : {NAN, INFINITY, -INFINITY, -NAN}) {
    float values[37] = {};
    EXPECT(kgf::engine::all_finite(values, 37));
    for (int place : {0, 17, 36}) {
      values[place] = value;
      EXPECT(!kgf::engine::all_finite(values, 37));
      values[place] = std::numeric_limits<float>::max();
    }
  }
}

void images_too_large_for_memory_are_refused() {
#ifndef __SANITIZE_ADDRESS__  // which takes such an allocation for an error
  float sample = 0, tap = 1;
  kgf_image in = kgf_planar(&sample, KGF_FLOAT32, 1 << 23, 1 << 23, 1024);
  in.row_stride = in.pixel_stride = in.channel_stride = 0;
  kgf_image out = kgf_planar(&sample, KGF_FLOAT32, 1 << 17, 1 << 17, 1024);
  out.data = reinterpret_cast<void*>(uintptr_t{1} << 40);  // never touched
  EXPECT_FAILS(kgf_downscale(&in, &tap, 1, 64, &out), KGF_OUT_OF_MEMORY, "memory");
#endif
}

void words_are_utf8() {
  EXPECT(printable("plain, ä, €, 😀\n\t", 100) == "plain, ä, €, 😀\n\t");
  EXPECT(printable("a\xff\xfe z", 100) == "a\\xff\\xfe z");
  EXPECT(printable("\xc3", 100) == "\\xc3" && printable("\xe2\x82", 100) == "\\xe2\\x82");
  EXPECT(printable("\xc0\x80", 100) == "\\xc0\\x80");           // longer than need be
  EXPECT(printable("\xed\xa0\x80", 100) == "\\xed\\xa0\\x80");  // a surrogate
  EXPECT(printable("\xf4\x90\x80\x80", 100) == "\\xf4\\x90\\x80\\x80");
  EXPECT(printable("\x1b[31m\x7f\r", 100) == "\\x1b[31m\\x7f\\x0d");
  EXPECT(printable({"a\0b", 3}, 100) == "a\\x00b");
  EXPECT(printable("ääää", 8) == "ääää" && printable("äääää", 8) == "ää…");
  EXPECT(printable("abc\xff", 6) == "abc…" && printable("", 8).empty());
  // Names of files are bytes.
  kgf_model* model = nullptr;
  EXPECT_FAILS(kgf_open("/no/such/\xff\xe4.onnx", nullptr, &model), KGF_FILE_ERROR,
               "/no/such/\\xff\\xe4.onnx");
  const std::string name(100000, '\xe4');
  EXPECT_FAILS(kgf_open(name.c_str(), nullptr, &model), KGF_FILE_ERROR, "\\xe4…");
  EXPECT(std::strlen(kgf_last_error()) <= 4096);
}

bool is_json(const std::string& text) {
  return !kgf::test::throws<std::invalid_argument>([&] { parse_json(text); });
}

void json_is_read_strictly() {
  const std::string good =
      " {\"a\": [1, -0.5e+10, true, null, {}], \"b\\u00e4\\ud83d\\ude00\\n\": \"x\", \"a\": {}} ";
  const kgf::engine::Json root = parse_json(good);
  EXPECT(root.items.size() == 3 && root.items[0].items[1].text == "-0.5e+10");
  EXPECT(root.find("bä😀\n")->text == "x" && !root.find("c"));
  EXPECT(root.find("a")->kind == kgf::engine::Json::Kind::object);
  for (size_t size = 1; size + 1 < good.size(); ++size) EXPECT(!is_json(good.substr(0, size)));
  for (const char* text : {"",
                           "{",
                           "{]",
                           "[1,",
                           "[1 2]",
                           "{\"a\": }",
                           "{\"a\" 1}",
                           "{a: 1}",
                           "\"\\u00g0\"",
                           "\"\\x\"",
                           "{} {}",
                           "\"abc",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\udc00\"",
                           "NaN",
                           "Infinity",
                           "-",
                           "01",
                           "1.",
                           ".5",
                           "1e",
                           "+1",
                           "0x10",
                           "tru",
                           "True",
                           "nulll",
                           "[1,]",
                           "{\"a\":1,}",
                           "\"line\nbreak\"",
                           "'a'",
                           "\xef\xbb\xbf{}"}) {
    EXPECT(!is_json(text));
  }
  EXPECT(is_json(std::string(16, '[') + std::string(16, ']')));
  for (const char* open : {"[", "{\"a\":"}) {
    std::string deep;
    for (int i = 0; i < 100000; ++i) deep += open;
    EXPECT(!is_json(deep));
  }
}

void damaged_sidecars_are_refused() {
  const std::string path = (folder / "x.engine").string();
  std::ofstream(path) << "an engine";
  const auto refused = [&](const std::string& text, const char* words,
                           kgf_status status = KGF_MODEL_ERROR) {
    std::ofstream(folder / "x.json", std::ios::binary) << text;
    kgf_model* model = nullptr;
    EXPECT_FAILS(kgf_open(path.c_str(), nullptr, &model), status, words);
  };
  const std::string start = "{\"format\": \"kernelgan-fast engine 1\"";
  const std::string metadata = ", \"metadata\": {\"kernelgan_fast.scale\": \"2\"}}";
  refused("[]", "does not describe");
  refused("{\"format\": 1}", "format must be a string, got a number");
  refused(start + ", \"version\": [\"10\"]" + metadata, "version must be a string, got an array");
  refused(start + ", \"flavour\": null" + metadata, "flavour must be a string, got null");
  for (const char* bytes : {"-5", "1e3", "9.0", "9223372036854775808", "\"9\"", "null", "{}"}) {
    refused(start + ", \"bytes\": " + bytes + metadata, "bytes must be a whole number");
  }
  refused(start + ", \"bytes\": 9223372036854775807" + metadata, "9223372036854775807 bytes");
  refused(start + ", \"metadata\": \"2\"}", "no metadata");
  refused(start + ", \"metadata\": {}}", "no metadata");
  refused(start + ", \"metadata/kernelgan_fast.scale\": \"2\"}", "no metadata");
  refused(start + ", \"metadata\": {\"\xff\": 2}}",
          "metadata \\xff must be a string, got a number");
  refused(start + metadata + "x", "nothing may follow the value");
  refused(std::string((1 << 20) + 1, ' '), "at most 1048576 bytes", KGF_FILE_ERROR);
  refused(std::string(1 << 20, '['), "nest too deep");
}

void files_that_never_end_are_refused() {
  const std::string pipe = (folder / "pipe.onnx").string();
  kgf_model* model = nullptr;
  EXPECT(mkfifo(pipe.c_str(), 0600) == 0);
  EXPECT_FAILS(kgf_open(pipe.c_str(), nullptr, &model), KGF_FILE_ERROR, "regular file");
  EXPECT_FAILS(kgf_open("/dev/zero", nullptr, &model), KGF_FILE_ERROR, "regular file");
}

}  // namespace

int main() {
  std::filesystem::create_directories(folder);
  structures_end_with_a_field();
  misaligned_pointers_are_refused();
  strides_that_overflow_are_refused();
  images_over_each_other_are_refused();
  values_that_are_not_numbers_are_refused();
  images_too_large_for_memory_are_refused();
  words_are_utf8();
  json_is_read_strictly();
  damaged_sidecars_are_refused();
  files_that_never_end_are_refused();
  std::filesystem::remove_all(folder);
  return kgf::test::finish();
}
