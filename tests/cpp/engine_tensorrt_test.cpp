// The engine with TensorRT and a GPU, both fakes: engines are files of this test's, see
// fakes/tensorrt.cpp.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <kernelgan_fast/engine.hpp>
#include <string>
#include <thread>
#include <vector>

#include "engine_on_gpu.h"
#include "expect.h"

namespace {

using namespace kgf::test;
using kernelgan_fast::Context;
using kernelgan_fast::Model;

const std::filesystem::path folder =
    std::filesystem::temp_directory_path() / ("kgf_engines_" + std::to_string(getpid()));

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

struct Facts {
  std::string plan = "fake float32 2 32 64 end", version = "10.14.1.48", flavour = "tensorrt";
  std::string metadata =
      "\"kernelgan_fast.scale\": \"2\", \"kernelgan_fast.context\": \"4\", "
      "\"kernelgan_fast.task\": \"upscale\"";
  int missing = 0;  // bytes that were cut off
};

std::string engine_of(const Facts& facts, const char* name = "up") {
  const std::filesystem::path path = folder / (std::string(name) + ".engine");
  write(path, facts.plan.substr(0, facts.plan.size() - facts.missing));
  write(folder / (std::string(name) + ".json"),
        "{\"format\": \"kernelgan-fast engine 1\", \"for\": [\"SM90\"], \"version\": \"" +
            facts.version + "\", \"flavour\": \"" + facts.flavour + "\", \"bytes\": " +
            std::to_string(facts.plan.size()) + ", \"metadata\": {" + facts.metadata + "}}");
  return path.string();
}

kgf_options with_fakes(const char* device = nullptr) {
  kgf_options options = KGF_OPTIONS_INIT;
  options.tensorrt = KGF_FAKE_TENSORRT;
  options.cudart = KGF_FAKE_CUDART;
  options.device = device;
  return options;
}

// What the fake engine makes with a kernel whose middle is 0.5, and a lift of 0.25.
Pixels enlarged(const Pixels& low) {
  Pixels high(2 * low.height, 2 * low.width);
  for (int c = 0, i = 0; c < 3; ++c) {
    for (int y = 0; y < high.height; ++y) {
      for (int x = 0; x < high.width; ++x, ++i) {
        high.data[i] = low.data[(c * low.height + y / 2) * low.width + x / 2] * 0.5f + 0.25f;
      }
    }
  }
  return high;
}

void set_inputs(Context* context) {
  const float middle = 0.5f;
  context->set_kernel(&middle, 1);
  context->set_number("lift", 0.25f);
}

void engines_tell_what_they_are() {
  const kgf_info info = Model(engine_of({}), with_fakes("cuda:1")).info();
  EXPECT(info.scale == 2 && info.channels == 3 && info.kernel_size == 5 && info.numbers == 1);
  EXPECT(info.overlap == 4 && info.least_side == 32 && info.most_side == 64 && info.device == 1);
}

void host_images_go_through_in_tiles() {
  for (const char* element : {"float32", "float16"}) {
    Facts facts;
    facts.plan = std::string("fake ") + element + " 2 32 64 end";
    Context context{Model(engine_of(facts), with_fakes())};
    set_inputs(&context);
    // The engine takes 32 to 64 pixels a side: the last tile of 113 must be made longer.
    for (auto [height, width] : {std::pair(32, 64), std::pair(40, 113), std::pair(200, 57)}) {
      Pixels low(height, width), high(2 * height, 2 * width);
      context.run(low.image(), high.image());
      EXPECT(distance(high, enlarged(low)) < (facts.plan[9] == '3' ? 1e-7f : 1e-3f));
      std::vector<unsigned char> bytes(high.data.size());
      const kgf_image out = kgf_interleaved(bytes.data(), KGF_UINT8, 2 * height, 2 * width, 3);
      context.run(low.image(), out);
      EXPECT_NEAR(static_cast<float>(bytes[0]), high.data[0] * 255, 0.51f);
    }
  }
}

void gpu_images_go_through_on_a_stream() {
  const Model model(engine_of({}), with_fakes());
  Context context(model);
  set_inputs(&context);
  const Stream one, two;
  for (const Stream* stream : {&one, &two}) {
    for (auto [height, width] : {std::pair(40, 50), std::pair(40, 113)}) {
      for (int gap : {0, 5}) {
        Pixels low(height, width);
        GpuImage in(height, width, gap), out(2 * height, 2 * width, gap);
        in.fill(low, *stream);
        context.run(in.image(), out.image(), on_gpu(*stream));
        EXPECT(distance(out.taken(*stream), enlarged(low)) == 0);
      }
    }
  }
  // Host memory and another stream while the first still has work.
  Pixels low(40, 113), high(80, 226);
  GpuImage in(40, 113), out(80, 226);
  in.fill(low, one);
  context.run(in.image(), out.image(), on_gpu(one));
  kgf_run_options options = KGF_RUN_OPTIONS_INIT;
  options.stream = two.get();
  context.run(low.image(), high.image(), options);
  EXPECT(distance(high, enlarged(low)) == 0 && distance(out.taken(one), enlarged(low)) == 0);
  // A context may go while its last run is at work.
  {
    Context brief(model);
    set_inputs(&brief);
    in.fill(low, one);
    brief.run(in.image(), out.image(), on_gpu(one));
  }
  EXPECT(distance(out.taken(one), enlarged(low)) == 0);
}

void wrong_runs_are_refused() {
  Context context{Model(engine_of({}), with_fakes())};
  const auto refused = [&](const char* words, int height, int width, int tile) {
    Pixels low(height, width), high(2 * height, 2 * width);
    kgf_run_options options = KGF_RUN_OPTIONS_INIT;
    options.tile = tile;
    EXPECT(fails(KGF_INVALID_ARGUMENT, words,
                 [&] { context.run(low.image(), high.image(), options); }));
  };
  refused("kgf_set_kernel", 40, 40, -1);
  set_inputs(&context);
  refused("at least 32", 31, 40, -1);
  refused("in tiles", 40, 65, 0);
  refused("a tile of 60", 40, 65, 60);
  Pixels low(40, 40), high(80, 80);
  kgf_image grey = low.image();
  grey.channels = 1;
  EXPECT(fails(KGF_INVALID_ARGUMENT, "3 channels", [&] { context.run(grey, high.image()); }));
  // Memory of the host's where the GPU's is promised.
  const Stream stream;
  EXPECT(fails(KGF_RUN_ERROR, "an address that is not the GPU's",
               [&] { context.run(low.image(), high.image(), on_gpu(stream)); }));
  Facts liar;
  liar.metadata = "\"kernelgan_fast.scale\": \"4\"";
  Context lying{Model(engine_of(liar, "liar"), with_fakes())};
  set_inputs(&lying);
  Pixels four_times(160, 160);
  EXPECT(fails(KGF_MODEL_ERROR, "scale", [&] { lying.run(low.image(), four_times.image()); }));
  GpuImage in(40, 40), out(160, 160);
  EXPECT(
      fails(KGF_MODEL_ERROR, "scale", [&] { lying.run(in.image(), out.image(), on_gpu(stream)); }));
  Pixels wide(40, 65), wide_high(160, 260);
  EXPECT(fails(KGF_INVALID_ARGUMENT, "give the overlap",
               [&] { lying.run(wide.image(), wide_high.image()); }));
}

void results_that_are_not_finite_are_refused() {
  for (const char* element : {"float32", "float16"}) {
    Facts facts;
    facts.plan = std::string("fake ") + element + " 2 32 64 end";
    Context context{Model(engine_of(facts), with_fakes())};
    const float most = 3e38f;
    context.set_kernel(&most, 1);
    context.set_number("lift", most);
    Pixels low(40, 40), high(80, 80);
    EXPECT(fails(KGF_RUN_ERROR, "made NaN", [&] { context.run(low.image(), high.image()); }));
    low.data[7] = NAN;
    EXPECT(fails(KGF_INVALID_ARGUMENT, "in must have finite values",
                 [&] { context.run(low.image(), high.image()); }));
  }
}

void bad_engines_are_refused() {
  const auto refused = [](kgf_status status, const char* words, const Facts& facts,
                          const kgf_options& options = with_fakes()) {
    EXPECT(fails(status, words, [&] { Model(engine_of(facts), options); }));
  };
  const auto changed = [](auto change) {
    Facts facts;
    change(facts);
    return facts;
  };
  refused(KGF_MODEL_ERROR, "must be of 24 bytes, got 20", changed([](Facts& f) { f.missing = 4; }));
  refused(KGF_MODEL_ERROR, "magic tag", changed([](Facts& f) { f.plan = "fake"; }));
  refused(KGF_MODEL_ERROR, "was built by TensorRT 10.14.10.2 and cannot run in 10.14.1",
          changed([](Facts& f) { f.version = "10.14.10.2"; }));
  refused(KGF_BACKEND_ERROR, "of tensorrt-rtx",
          changed([](Facts& f) { f.flavour = "tensorrt-rtx"; }));
  refused(KGF_MODEL_ERROR, "integer",
          changed([](Facts& f) { f.metadata = "\"kernelgan_fast.scale\": \"two\""; }));
  refused(KGF_MODEL_ERROR, "image", changed([](Facts& f) { f.plan = "fake int8 2 32 64 end"; }));
  refused(KGF_MODEL_ERROR, "at most 30",
          changed([](Facts& f) { f.plan = "fake float32 2 40 30 end"; }));
  kgf_options options = with_fakes();
  options.tensorrt = KGF_OTHER_TENSORRT;
  refused(KGF_BACKEND_ERROR, "must be 10.x", {}, options);
  options.tensorrt = KGF_NO_RUNTIME;
  refused(KGF_BACKEND_ERROR, "is not TensorRT", {}, options);
  options.tensorrt = "/no/such/libnvinfer.so";
  refused(KGF_BACKEND_ERROR, "/no/such/", {}, options);
  refused(KGF_BACKEND_ERROR, "cuda:2", {}, with_fakes("cuda:2"));
  setenv("FAKE_NO_GPU", "1", 1);
  refused(KGF_BACKEND_ERROR, "no GPU", {});
  unsetenv("FAKE_NO_GPU");
}

void threads_share_an_engine() {
  const Model model(engine_of({}), with_fakes());
  std::vector<int> good(2, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      Context context(model);
      set_inputs(&context);
      Pixels low(40, 113), high(80, 226);
      for (int round = 0; round < 4; ++round) {
        context.run(low.image(), high.image());
        good[t] += distance(high, enlarged(low)) == 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT(good[0] == 4 && good[1] == 4);
}

}  // namespace

int main() {
  std::filesystem::create_directories(folder);
  engines_tell_what_they_are();
  host_images_go_through_in_tiles();
  gpu_images_go_through_on_a_stream();
  wrong_runs_are_refused();
  results_that_are_not_finite_are_refused();
  bad_engines_are_refused();
  threads_share_an_engine();
  std::filesystem::remove_all(folder);
  return kgf::test::finish();
}
