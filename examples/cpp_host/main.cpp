// Enlarges (or shrinks) a PNG by a model:
//   cpp_host MODEL.onnx IN.png OUT.png [--kernel FILE] [--set NAME VALUE] [--tile N] [--threads N]
// A kernel is a text file of size × size numbers, for models that take one.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <kernelgan_fast/engine.hpp>
#include <string>
#include <vector>

#include "png.h"

namespace {

using kernelgan_fast::Context;
using kernelgan_fast::Model;

// The colours of a PNG of any kind, without copying: alpha is stepped over, grey is shown three times.
kgf_image colours_of(Png& png) {
  kgf_image image =
      kgf_interleaved(png.pixels.data(), KGF_UINT8, png.height, png.width, png.channels);
  if (png.channels < 3) image.channel_stride = 0;
  image.channels = 3;
  return image;
}

void set_kernel(Context& context, const std::string& path) {
  std::ifstream file(path);
  std::vector<float> taps;
  for (float tap; file >> tap;) taps.push_back(tap);
  context.set_kernel(taps.data(), static_cast<int>(std::lround(std::sqrt(taps.size()))));
}

int show_progress(void*, int32_t done, int32_t total) {
  std::printf("tile %d of %d\n", done, total);
  return 0;
}

int run(const std::vector<std::string>& words) {
  if (words.size() < 3) {
    std::fprintf(stderr,
                 "usage: cpp_host MODEL.onnx IN.png OUT.png [--kernel FILE] [--set NAME VALUE] "
                 "[--tile N] [--threads N]\n");
    return 2;
  }
  kgf_run_options options = KGF_RUN_OPTIONS_INIT;
  options.progress = show_progress;
  std::string kernel;
  std::vector<std::pair<std::string, float>> numbers;
  int threads = 0;
  for (size_t i = 3; i < words.size(); ++i) {
    const auto next = [&] { return ++i < words.size() ? words[i] : std::string(); };
    if (words[i] == "--kernel") {
      kernel = next();
    } else if (words[i] == "--tile") {
      options.tile = std::atoi(next().c_str());
    } else if (words[i] == "--threads") {
      threads = std::atoi(next().c_str());
    } else if (words[i] == "--set") {
      const std::string name = next();
      numbers.emplace_back(name, static_cast<float>(std::atof(next().c_str())));
    } else {
      std::fprintf(stderr, "no such option: %s\n", words[i].c_str());
      return 2;
    }
  }

  Png low = read_png(words[1]);
  const Model model(words[0], {}, threads);
  Context context(model);
  if (!kernel.empty()) set_kernel(context, kernel);
  for (const auto& [name, value] : numbers) context.set_number(name, value);

  const auto [height, width] = model.output_size(low.height, low.width);
  Png high{height, width, 3, std::vector<unsigned char>(size_t{3} * height * width)};
  context.run(colours_of(low), colours_of(high), options);
  write_png(words[2], high);
  std::printf("%d x %d -> %d x %d\n", low.width, low.height, width, height);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    return run({words + 1, words + count});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cpp_host: %s\n", error.what());
    return 1;
  }
}
