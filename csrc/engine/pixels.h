// Images of any type and stride ↔ planes of float32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/gpu.h"
#include "include/kernelgan_fast/engine.h"

namespace kgf::engine {

// A rectangle of an image.
struct Window {
  int top, left, height, width;
};

// Planes in rows: sample (c, y, x) is data[c·plane + y·row + x].
template <class T>
struct Planes {
  T* data;
  int64_t plane, row;
};

constexpr int most_side = 1 << 24, most_channels = 1024;

// Of one sample.
inline int64_t bytes_of(int32_t type) { return type == KGF_UINT8 ? 1 : type == KGF_UINT16 ? 2 : 4; }
// The value of white where an image does not state it.
inline float usual_white(int32_t type) {
  return type == KGF_UINT8 ? 255.0f : type == KGF_UINT16 ? 65535.0f : 1.0f;
}

enum class Role { input, output };

// Refuses an image that cannot be one, under the argument's name.
void check_image(const kgf_image* image, const char* argument, Role role);
// Refuses images that share memory. Both have been checked.
void check_apart(const kgf_image& in, const kgf_image& out);

// Whether no value is NaN or infinite.
bool all_finite(const float* values, size_t count);

// The image itself if it is planes as `read_pixels` makes them of all of it, else null.
const float* as_planes(const kgf_image& image);
// Reads a window into planes, in which white is 1.
void read_pixels(const kgf_image& image, const Window& window, const Planes<float>& planes);
// Writes planes into a window. Integers are rounded to the nearest, ties to even, and clipped to the
// image's white; NaN becomes 0.
void write_pixels(const Planes<const float>& planes, const kgf_image& image, const Window& window);

// An image in a GPU's memory is float32 with pixels side by side, rows and channels anywhere.
void check_gpu_image(const kgf_image& image, const char* argument);
// Within a GPU's memory: read_pixels and write_pixels for such images.
void copy_planes(const Gpu& gpu, const kgf_image& from, const Window& window,
                 const Planes<float>& to, void* stream);
void copy_planes(const Gpu& gpu, const Planes<const float>& from, const kgf_image& to,
                 const Window& window, void* stream);

}  // namespace kgf::engine
