// Enlarges (or shrinks) a PNG by a model:
//   cpp_host MODEL IN.png OUT.png [--kernel FILE] [--noise N] [--kernel-error E]
//     [--compression C] [--device cuda:0] …
// A kernel is a text file of size × size numbers, for models that take one; such models also take the
// noise of the photo in grey levels of 255, and how far the kernel is from the truth (0: it is known).
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <kernelgan_fast/engine.hpp>
#include <stdexcept>
#include <string>
#include <utility>
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

constexpr const char* usage =
    "usage: cpp_host MODEL IN.png OUT.png [--kernel FILE] [--noise N] [--kernel-error E]\n"
    "                [--compression C]\n"
    "                [--device cpu|cuda:0] [--tile N] [--threads N] [--set NAME VALUE]\n";

struct Settings {
  std::string model, in, out, kernel, device;
  std::vector<std::pair<std::string, float>> numbers;
  int tile = -1, threads = 0;
};

Settings parsed(const std::vector<std::string>& words) {
  if (words.size() < 3) throw std::invalid_argument(usage);
  Settings settings{words[0], words[1], words[2], {}, {}, {}};
  for (size_t i = 3; i < words.size(); ++i) {
    const std::string& option = words[i];
    const auto next = [&] {
      if (++i == words.size()) throw std::invalid_argument(option + " needs a value");
      return words[i];
    };
    const auto number = [&] { return static_cast<float>(std::atof(next().c_str())); };
    if (option == "--kernel") {
      settings.kernel = next();
    } else if (option == "--noise") {
      settings.numbers.emplace_back("noise", number());
    } else if (option == "--kernel-error") {
      settings.numbers.emplace_back("kernel_error", number());
    } else if (option == "--compression") {
      settings.numbers.emplace_back("compression", number());
    } else if (option == "--set") {
      const std::string name = next();
      settings.numbers.emplace_back(name, number());
    } else if (option == "--device") {
      settings.device = next();
    } else if (option == "--tile") {
      settings.tile = std::atoi(next().c_str());
    } else if (option == "--threads") {
      settings.threads = std::atoi(next().c_str());
    } else {
      throw std::invalid_argument("no such option: " + option + "\n" + usage);
    }
  }
  return settings;
}

void run(const Settings& settings) {
  Png low = read_png(settings.in);
  kgf_options where = KGF_OPTIONS_INIT;
  where.threads = settings.threads;
  if (!settings.device.empty()) where.device = settings.device.c_str();
  const Model model(settings.model, where);
  Context context(model);
  if (!settings.kernel.empty()) set_kernel(context, settings.kernel);
  for (const auto& [name, value] : settings.numbers) context.set_number(name, value);

  const auto [height, width] = model.output_size(low.height, low.width);
  Png high{height, width, 3, std::vector<unsigned char>(size_t{3} * height * width)};
  kgf_run_options options = KGF_RUN_OPTIONS_INIT;
  options.tile = settings.tile;
  options.progress = show_progress;
  context.run(colours_of(low), colours_of(high), options);
  write_png(settings.out, high);
  std::printf("%d x %d -> %d x %d\n", low.width, low.height, width, height);
}

}  // namespace

int main(int count, char** words) {
  try {
    run(parsed({words + 1, words + count}));
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cpp_host: %s\n", error.what());
    return 1;
  }
}
