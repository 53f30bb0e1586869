// The engine with ONNX Runtime, which the environment variable KERNELGAN_FAST_ONNXRUNTIME names; without
// it the test is skipped (77). The models are of tests/cpp/models/make.py.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <kernelgan_fast/engine.hpp>
#include <string>
#include <thread>
#include <vector>

#include "engine_pixels.h"
#include "expect.h"
#include "thread_limit.h"

namespace {

using namespace kgf::test;
using kernelgan_fast::Context;
using kernelgan_fast::Model;

std::string path_of(const char* name) { return std::string(KGF_MODELS) + "/" + name + ".onnx"; }

std::vector<char> bytes_of(const char* name) {
  std::ifstream file(path_of(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void models_tell_what_they_are() {
  const kgf_info up = Model(path_of("up2")).info();
  EXPECT(up.scale == 2 && !up.shrinks && up.channels == 3 && up.kernel_size == 0);
  EXPECT(up.overlap == 2 && up.numbers == 0);
  const Model shrink(path_of("shrink"));
  const kgf_info down = shrink.info();
  EXPECT(down.scale == 2 && down.shrinks && down.kernel_size == 5 && down.overlap == 2);
  EXPECT(down.numbers == 1 && std::string(kgf_number_name(shrink.get(), 0)) == "lift");
  EXPECT(kgf_number_name(shrink.get(), 1) == nullptr);
  EXPECT(shrink.output_size(7, 8) == std::make_pair(4, 4));
  const std::vector<char> bytes = bytes_of("plain");
  const kgf_info plain = Model(bytes.data(), bytes.size()).info();
  EXPECT(plain.scale == 3 && plain.channels == 0 && plain.overlap == -1);
  // A program that knows fewer fields gets those.
  kgf_info old{};
  old.struct_size = offsetof(kgf_info, channels);
  old.channels = -7;
  EXPECT(kgf_get_info(shrink.get(), &old) == KGF_OK && old.scale == 2 && old.channels == -7);
}

void bad_models_are_refused() {
  const std::vector<char> whole = bytes_of("up2");
  const auto open = [](const std::vector<char>& bytes) { Model(bytes.data(), bytes.size()); };
  for (size_t size : {size_t{1}, whole.size() / 2, whole.size() - 1}) {
    const std::vector<char> cut(whole.begin(), whole.begin() + size);
    EXPECT(fails(KGF_MODEL_ERROR, "", [&] { open(cut); }));
  }
  EXPECT(fails(KGF_MODEL_ERROR, "", [&] { open(std::vector<char>(1000, 'x')); }));
  EXPECT(fails(KGF_MODEL_ERROR, "image", [] { Model(path_of("table")); }));
  EXPECT(fails(KGF_FILE_ERROR, "none.onnx", [] { Model(path_of("none")); }));
}

// A model whose stated scale is one byte of ours.
std::vector<char> with_scale(char byte) {
  std::vector<char> bytes = bytes_of("up2");
  const std::string key = "kernelgan_fast.scale";
  const auto found = std::search(bytes.begin(), bytes.end(), key.begin(), key.end());
  found[static_cast<std::ptrdiff_t>(key.size()) + 2] = byte;
  return bytes;
}

void damaged_metadata_is_refused() {
  const auto open = [](char byte) {
    const std::vector<char> bytes = with_scale(byte);
    return Model(bytes.data(), bytes.size()).info().scale;
  };
  EXPECT(open('2') == 2 && open('9') == 9);
  for (char byte : {'0', '-', ' ', 'x', '\0'}) {
    EXPECT(fails(KGF_MODEL_ERROR, "kernelgan_fast.scale must be an integer in 1..64",
                 [&] { open(byte); }));
  }
  EXPECT(fails(KGF_MODEL_ERROR, "got \\xff", [&] { open('\xff'); }));
  EXPECT(fails(KGF_MODEL_ERROR, "first output must be an image", [] { Model(path_of("count")); }));
}

void structures_end_with_a_field() {
  const Model model(path_of("up2"));
  Context context(model);
  Pixels low(40, 40), high(80, 80);
  const kgf_image in = low.image(), out = high.image();
  kgf_run_options options = KGF_RUN_OPTIONS_INIT;
  options.tile = options.overlap = options.memory = -1;  // a memory that there is not
  for (size_t size = 0; size <= sizeof(options) + 8; ++size) {
    struct {
      kgf_run_options options;
      int64_t beyond;
    } memory{options, 0};
    memory.options.struct_size = size;
    const kgf_status status = kgf_run(context.get(), &in, &out, &memory.options);
    const bool ends_a_field = size == 8 || size == 12 || size == 16 || size == 24 || size == 32;
    const std::string words = kgf_last_error();
    if (ends_a_field) {
      EXPECT(status == KGF_OK);
    } else if (size >= 36 && (size <= 40 || size >= 48)) {
      EXPECT(status == KGF_INVALID_ARGUMENT && words.find("kgf_memory") != std::string::npos);
    } else {
      EXPECT(status == KGF_INVALID_ARGUMENT && words.find("struct_size") != std::string::npos);
    }
  }
  for (size_t size : {size_t{10}, sizeof(kgf_info) - 6, size_t{5000}}) {
    kgf_info info{};
    info.struct_size = size;
    EXPECT(kgf_get_info(model.get(), &info) == KGF_INVALID_ARGUMENT && info.scale == 0);
  }
  // What a newer program asks for beyond what is known is 0.
  struct {
    kgf_info info;
    int64_t beyond;
  } newer{{}, -1};
  newer.info.struct_size = sizeof(newer);
  EXPECT(kgf_get_info(model.get(), &newer.info) == KGF_OK);
  EXPECT(newer.info.struct_size == sizeof(newer) && newer.info.scale == 2 && newer.beyond == 0);
}

void results_that_are_not_finite_are_refused() {
  Context divide{Model(path_of("divide"))}, up{Model(path_of("up2"))};
  Pixels low(40, 40), same(40, 40), high(80, 80);
  std::vector<uint8_t> bytes(40 * 40 * 3, 7);
  const std::vector<uint8_t> before = bytes;
  const kgf_image out = kgf_interleaved(bytes.data(), KGF_UINT8, 40, 40, 3);
  kgf_run_options options = KGF_RUN_OPTIONS_INIT;
  for (int tile : {0, 32}) {
    options.tile = tile;
    const auto run = [&] { divide.run(low.image(), out, options); };
    EXPECT(fails(KGF_RUN_ERROR, "the model made NaN", run));
    EXPECT(bytes == before);
    EXPECT(fails(KGF_RUN_ERROR, "the model made NaN",
                 [&] { divide.run(low.image(), same.image(), options); }));
    for (float value : {NAN, INFINITY}) {
      Pixels bad = low;
      bad.data[39 * 40 + 39] = value;
      EXPECT(fails(KGF_INVALID_ARGUMENT, "in must have finite values",
                   [&] { up.run(bad.image(), high.image(), options); }));
    }
  }
  std::vector<uint8_t> levels(40 * 40 * 3, 255);
  kgf_image in = kgf_interleaved(levels.data(), KGF_UINT8, 40, 40, 3);
  in.white = 1e-38f;  // so that 255 is beyond float32
  EXPECT(fails(KGF_INVALID_ARGUMENT, "white", [&] { up.run(in, high.image()); }));
}

void tiles_make_what_the_whole_makes() {
  const Model model(path_of("up2"));
  Context context(model);
  Pixels low(70, 101), whole(140, 202), tiled(140, 202);
  context.run(low.image(), whole.image());
  kgf_run_options options = KGF_RUN_OPTIONS_INIT;
  for (int tile : {32, 40, 101, INT32_MAX}) {
    options.tile = tile;
    std::fill(tiled.data.begin(), tiled.data.end(), -9.0f);
    context.run(low.image(), tiled.image(), options);
    EXPECT(distance(whole, tiled) < 1e-5f);
  }
  options.overlap = 0;
  context.run(low.image(), tiled.image(), options);
  EXPECT(distance(whole, tiled) < 1e-5f);  // 101 is the whole of it
  options.tile = 32;
  context.run(low.image(), tiled.image(), options);
  EXPECT(distance(whole, tiled) > 1e-3f);
}

void a_kernel_and_a_number_are_taken() {
  const Model model(path_of("shrink"));
  Context context(model);
  Pixels high(70, 101), low(35, 51), wanted(35, 51), tiled(35, 51);
  EXPECT(fails(KGF_INVALID_ARGUMENT, "kgf_set_kernel",
               [&] { context.run(high.image(), low.image()); }));
  std::vector<float> kernel(25);
  for (int i = 0; i < 25; ++i) kernel[i] = static_cast<float>(i + 1) / 325.0f;
  context.set_kernel(kernel.data(), 5);
  context.run(high.image(), low.image());
  kernelgan_fast::downscale(high.image(), kernel.data(), 5, 2, wanted.image());
  for (int c = 0; c < 3; ++c) {  // beyond the border the model sees black
    for (int y = 1; y < 34; ++y) {
      for (int x = 1; x < 50; ++x) {
        const int i = (c * 35 + y) * 51 + x;
        EXPECT_NEAR(low.data[i], wanted.data[i], 1e-5f);
      }
    }
  }
  kgf_run_options options = KGF_RUN_OPTIONS_INIT;
  options.tile = 33;
  context.set_number("lift", 0.25f);
  context.run(high.image(), tiled.image(), options);
  for (size_t i = 0; i < low.data.size(); ++i) {
    EXPECT_NEAR(tiled.data[i], low.data[i] + 0.25f, 1e-5f);
  }
  // One tap of 1 takes every second pixel as it is.
  const float tap = 1;
  context.set_kernel(&tap, 1);
  context.run(high.image(), tiled.image());
  for (int i : {0, 7, 50}) EXPECT_NEAR(tiled.data[i], high.data[2 * i] + 0.25f, 1e-6f);
  const auto refused = [&](const char* words, auto call) {
    EXPECT(fails(KGF_INVALID_ARGUMENT, words, call));
  };
  refused("5 x 5", [&] { context.set_kernel(kernel.data(), 4); });
  refused("5 x 5", [&] { context.set_kernel(kernel.data(), 7); });
  refused("null", [&] { context.set_kernel(nullptr, 5); });
  kernel[3] = NAN;
  refused("finite", [&] { context.set_kernel(kernel.data(), 5); });
  refused("lift", [&] { context.set_number("noise", 1); });
  refused("finite", [&] { context.set_number("lift", INFINITY); });
  Context other{Model(path_of("up2"))};
  refused("takes none", [&] { other.set_kernel(kernel.data(), 5); });
  refused("no numbers", [&] { other.set_number("lift", 1); });
}

void half_precision_goes_through() {
  const Model model(path_of("plain"));
  Context context(model);
  std::vector<uint8_t> low(5 * 7), high(15 * 21);
  for (size_t i = 0; i < low.size(); ++i) low[i] = static_cast<uint8_t>(i * 7);
  const kgf_image in = kgf_interleaved(low.data(), KGF_UINT8, 5, 7, 1);
  const kgf_image out = kgf_interleaved(high.data(), KGF_UINT8, 15, 21, 1);
  context.run(in, out);
  for (int i = 0; i < 15 * 21; ++i) EXPECT(high[i] == low[i / 21 / 3 * 7 + i % 21 / 3]);
  kgf_run_options options = KGF_RUN_OPTIONS_INIT;
  options.tile = 64;
  EXPECT(fails(KGF_INVALID_ARGUMENT, "overlap", [&] { context.run(in, out, options); }));
}

void wrong_runs_are_refused() {
  const Model model(path_of("up2"));
  Context context(model);
  Pixels low(40, 40), high(80, 80), other(80, 81);
  const auto refused = [&](const char* words, kgf_image in, kgf_image out, int tile = -1) {
    kgf_run_options options = KGF_RUN_OPTIONS_INIT;
    options.tile = tile;
    EXPECT(fails(KGF_INVALID_ARGUMENT, words, [&] { context.run(in, out, options); }));
  };
  kgf_image grey = low.image(), flat = low.image(), four = high.image();
  grey.channels = 1;
  flat.height = 0;
  four.channels = 4;
  refused("3 channels", grey, high.image());
  refused("3 channels", low.image(), four);
  refused("sides", flat, high.image());
  refused("80 x 80", low.image(), other.image());
  refused("at least 32", low.image(), high.image(), 31);
  refused("tile", low.image(), high.image(), -2);
  refused("overlap", low.image(), low.image());
  Pixels tiny(2, 40), tiny_high(4, 80);
  refused("at least 3", tiny.image(), tiny_high.image());
  kgf_run_options options = KGF_RUN_OPTIONS_INIT;
  options.tile = 32;
  options.user = &options;
  options.progress = [](void* user, int32_t, int32_t) { return user ? 1 : 0; };
  EXPECT(fails(KGF_CANCELLED, "1 of 4", [&] { context.run(low.image(), high.image(), options); }));
  Context liar{Model(path_of("liar"))};
  Pixels four_times(160, 160);
  EXPECT(fails(KGF_RUN_ERROR, "shape", [&] { liar.run(low.image(), four_times.image()); }));
  kgf_image white = four_times.image();
  white.white = 2;
  EXPECT(fails(KGF_MODEL_ERROR, "scale", [&] { liar.run(low.image(), white); }));
}

void models_run_with_the_threads_there_are() {
  const std::vector<char> bytes = bytes_of("up2");
  Pixels low(50, 60), wanted(100, 120);
  Context(Model(bytes.data(), bytes.size(), {}, 1)).run(low.image(), wanted.image());
  for (int threads : {0, 2, 16}) {
    for (int given : {0, 1, 3}) {
      Pixels high(100, 120);
      most_threads = running_threads + given;
      Context context{Model(bytes.data(), bytes.size(), {}, threads)};
      context.run(low.image(), high.image());
      EXPECT(distance(wanted, high) < 1e-5f);
      most_threads = unlimited;
    }
  }
}

void threads_share_a_model() {
  const Model model(path_of("up2"), {}, 1);
  Pixels low(50, 60), wanted(100, 120);
  Context(model).run(low.image(), wanted.image());
  std::vector<Pixels> results(4, Pixels(100, 120));
  std::vector<std::thread> threads;
  std::vector<int> good(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Context context(model);
      kgf_run_options options = KGF_RUN_OPTIONS_INIT;
      options.tile = t % 2 ? 32 : 0;
      for (int round = 0; round < 5; ++round) {
        context.run(low.image(), results[t].image(), options);
        // An error of this thread's is this thread's.
        kgf_set_number(context.get(), std::to_string(t).c_str(), 1);
        good[t] += std::string(kgf_last_error()).find(std::to_string(t)) != std::string::npos;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t) EXPECT(good[t] == 5 && distance(results[t], wanted) < 1e-5f);
}

}  // namespace

int main() {
  const char* runtime = std::getenv("KERNELGAN_FAST_ONNXRUNTIME");
  if (!runtime || !*runtime) {
    std::printf("skipped: KERNELGAN_FAST_ONNXRUNTIME names no library of ONNX Runtime\n");
    return 77;
  }
  models_tell_what_they_are();
  bad_models_are_refused();
  damaged_metadata_is_refused();
  structures_end_with_a_field();
  results_that_are_not_finite_are_refused();
  tiles_make_what_the_whole_makes();
  a_kernel_and_a_number_are_taken();
  half_precision_goes_through();
  wrong_runs_are_refused();
  models_run_with_the_threads_there_are();
  threads_share_a_model();
  return kgf::test::finish();
}
