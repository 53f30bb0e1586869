// Images in a GPU's memory, which is moved and never read here.
#include "engine/failure.h"
#include "engine/pixels.h"

namespace kgf::engine {
namespace {

// The first pixel of a window in one channel.
unsigned char* corner(const kgf_image& image, const Window& window, int channel) {
  return static_cast<unsigned char*>(image.data) + channel * image.channel_stride +
         window.top * image.row_stride + window.left * image.pixel_stride;
}

}  // namespace

void check_gpu_image(const kgf_image& image, const char* argument) {
  constexpr int64_t sample = sizeof(float);
  const bool rows = image.height == 1 ||
                    (image.row_stride >= image.width * sample && image.row_stride % sample == 0);
  require(image.type == KGF_FLOAT32 && (image.white == 0 || image.white == 1) &&
              image.pixel_stride == sample && rows && image.channel_stride % sample == 0 &&
              reinterpret_cast<uintptr_t>(image.data) % sample == 0,
          argument,
          " in a GPU's memory must be planes of float32 with a white of 1, a pixel stride of 4 and "
          "rows one after another; convert it there, or give it in host memory");
}

void copy_planes(const Gpu& gpu, const kgf_image& from, const Window& window,
                 const Planes<float>& to, void* stream) {
  const size_t bytes = window.width * sizeof(float);
  for (int c = 0; c < from.channels; ++c) {
    const size_t stride = window.height == 1 ? bytes : static_cast<size_t>(from.row_stride);
    gpu.copy_rows(to.data + c * to.plane, to.row * sizeof(float), corner(from, window, c), stride,
                  bytes, window.height, stream);
  }
}

void copy_planes(const Gpu& gpu, const Planes<const float>& from, const kgf_image& to,
                 const Window& window, void* stream) {
  const size_t bytes = window.width * sizeof(float);
  for (int c = 0; c < to.channels; ++c) {
    const size_t stride = window.height == 1 ? bytes : static_cast<size_t>(to.row_stride);
    gpu.copy_rows(corner(to, window, c), stride, from.data + c * from.plane,
                  from.row * sizeof(float), bytes, window.height, stream);
  }
}

}  // namespace kgf::engine
