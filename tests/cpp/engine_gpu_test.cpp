// The engine on images in a GPU's memory, with ONNX Runtime of KERNELGAN_FAST_ONNXRUNTIME (without it
// the test is skipped, 77) and fakes of its CUDA provider and of the CUDA runtime.
#include <dlfcn.h>

#include <cstdlib>
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

std::string path_of(const char* name) { return std::string(KGF_MODELS) + "/" + name + ".onnx"; }

kgf_options on_device(const char* device) {
  kgf_options options = KGF_OPTIONS_INIT;
  options.onnxruntime = KGF_CUDA_RUNTIME;
  options.cudart = KGF_FAKE_CUDART;
  options.device = device;
  return options;
}

void a_gpu_makes_what_the_cpu_makes() {
  const Model on_cpu(path_of("up2")), model(path_of("up2"), on_device("cuda:1"));
  EXPECT(on_cpu.info().device == -1 && model.info().device == 1);
  Pixels low(70, 101), wanted(140, 202), got(140, 202);
  Context(on_cpu).run(low.image(), wanted.image());
  Context context(model);
  context.run(low.image(), got.image());
  EXPECT(distance(got, wanted) == 0);
  const Stream stream;
  for (int gap : {0, 3}) {
    for (int tile : {0, 40}) {
      GpuImage in(70, 101, gap), out(140, 202, gap);
      in.fill(low, stream);
      context.run(in.image(), out.image(), on_gpu(stream, tile));
      EXPECT(distance(out.taken(stream), wanted) < 1e-5f);
    }
  }
}

void a_kernel_and_a_number_reach_the_gpu() {
  const Model on_cpu(path_of("shrink")), model(path_of("shrink"), on_device("cuda"));
  Pixels high(41, 60), wanted(21, 30);
  const std::vector<float> kernel(25, 0.04f);
  Context there(model), here(on_cpu);
  for (Context* context : {&there, &here}) {
    context->set_kernel(kernel.data(), 5);
    context->set_number("lift", 0.25f);
  }
  here.run(high.image(), wanted.image());
  const Stream one, two;
  GpuImage in(41, 60), out(21, 30);
  for (const Stream* stream : {&one, &two}) {
    in.fill(high, *stream);
    there.run(in.image(), out.image(), on_gpu(*stream));
    EXPECT(distance(out.taken(*stream), wanted) == 0);
  }
}

void sessions_take_a_stream() {
  const Stream stream, other;
  kgf_options options = on_device("cuda:1");
  options.stream = stream.get();
  const Model model(path_of("up2"), options);
  const auto asked = reinterpret_cast<const char* (*)()>(
      dlsym(dlopen(KGF_CUDA_RUNTIME, RTLD_NOW), "fake_asked"))();
  EXPECT(std::string(asked) == "device_id=1 user_compute_stream memory=1 ");
  GpuImage in(40, 40), out(80, 80);
  Context context(model);
  EXPECT(fails(KGF_INVALID_ARGUMENT, "stream must be",
               [&] { context.run(in.image(), out.image(), on_gpu(other)); }));
  in.fill(Pixels(40, 40), stream);
  // The real session would run on this stream; the fake one does not know it.
  stream.wait();
  context.run(in.image(), out.image(), on_gpu(stream));
  Pixels low(40, 40), wanted(80, 80);
  Context(Model(path_of("up2"))).run(low.image(), wanted.image());
  EXPECT(distance(out.taken(stream), wanted) == 0);
}

void what_cannot_be_is_refused() {
  const auto open = [](const kgf_options& options) {
    return [=] { Model(path_of("up2"), options); };
  };
  for (const char* device : {"gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:1234", "", "tensorrt"}) {
    EXPECT(fails(KGF_INVALID_ARGUMENT, "device must be", open(on_device(device))));
  }
  EXPECT(fails(KGF_BACKEND_ERROR, "cuda:7", open(on_device("cuda:7"))));
  kgf_options options = on_device("cuda");
  options.cudart = "/no/such/libcudart.so";
  EXPECT(fails(KGF_BACKEND_ERROR, "/no/such/", open(options)));
  options.cudart = KGF_NO_RUNTIME;
  EXPECT(fails(KGF_BACKEND_ERROR, "cudaGetDeviceCount", open(options)));
  options = on_device("cuda");
  options.onnxruntime = nullptr;  // the real one, which has the CPU alone
  EXPECT(fails(KGF_BACKEND_ERROR, "onnxruntime-gpu", open(options)));
  const Stream stream;
  options = on_device("cpu");
  options.stream = stream.get();
  EXPECT(fails(KGF_INVALID_ARGUMENT, "stream", open(options)));
  setenv("FAKE_NO_GPU", "1", 1);
  EXPECT(fails(KGF_BACKEND_ERROR, "no CUDA provider", open(on_device("cuda"))));
  unsetenv("FAKE_NO_GPU");
}

void wrong_runs_are_refused() {
  const Stream stream;
  GpuImage in(40, 40), out(80, 80);
  Context on_cpu{Model(path_of("up2"))}, context{Model(path_of("up2"), on_device("cuda"))};
  const auto refused = [&](const char* words, Context& where, kgf_run_options options,
                           kgf_image from, kgf_image to) {
    EXPECT(fails(KGF_INVALID_ARGUMENT, words, [&] { where.run(from, to, options); }));
  };
  const kgf_run_options there = on_gpu(stream);
  kgf_run_options options = there;
  refused("runs on the CPU", on_cpu, options, in.image(), out.image());
  options.memory = KGF_HOST;
  refused("stream", on_cpu, options, in.image(), out.image());
  options.memory = 2;
  refused("kgf_memory", context, options, in.image(), out.image());
  const kgf_image good = in.image();
  const auto bad = [&](auto change) {
    kgf_image image = good;
    change(image);
    refused("in in a GPU's memory", context, there, image, out.image());
  };
  bad([](kgf_image& image) { image.type = KGF_UINT16; });
  bad([](kgf_image& image) { image.white = 255; });
  bad([](kgf_image& image) { image.pixel_stride = 12; });
  bad([](kgf_image& image) { image.row_stride = -160; });
  bad([](kgf_image& image) { image.row_stride = 156; });
  bad([](kgf_image& image) { image.data = static_cast<char*>(image.data) + 1; });
  kgf_image wide = out.image();
  wide.pixel_stride = 8;
  refused("out in a GPU's memory", context, there, in.image(), wide);
  Context half{Model(path_of("plain"), on_device("cuda"))};
  GpuImage large(120, 120);
  refused("float32", half, there, in.image(), large.image());
  // Memory of the host's where the GPU's is promised, which the copy of a tile meets.
  Pixels low(40, 40);
  EXPECT(fails(KGF_RUN_ERROR, "CUDA: invalid argument",
               [&] { context.run(low.image(), out.image(), on_gpu(stream, 32)); }));
}

void threads_share_a_model() {
  const Model on_cpu(path_of("up2")), model(path_of("up2"), on_device("cuda"));
  Pixels low(50, 60), wanted(100, 120);
  Context(on_cpu).run(low.image(), wanted.image());
  std::vector<int> good(2, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      const Stream stream;
      GpuImage in(50, 60), out(100, 120);
      Context context(model);
      for (int round = 0; round < 4; ++round) {
        in.fill(low, stream);
        context.run(in.image(), out.image(), on_gpu(stream, t ? 32 : 0));
        good[t] += distance(out.taken(stream), wanted) < 1e-5f;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT(good[0] == 4 && good[1] == 4);
}

}  // namespace

int main() {
  const char* runtime = std::getenv("KERNELGAN_FAST_ONNXRUNTIME");
  if (!runtime || !*runtime) {
    std::printf("skipped: KERNELGAN_FAST_ONNXRUNTIME names no library of ONNX Runtime\n");
    return 77;
  }
  a_gpu_makes_what_the_cpu_makes();
  a_kernel_and_a_number_reach_the_gpu();
  sessions_take_a_stream();
  what_cannot_be_is_refused();
  wrong_runs_are_refused();
  threads_share_a_model();
  return kgf::test::finish();
}
