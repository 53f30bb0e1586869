#include "engine/pixels.h"

#include <cstring>
#include <type_traits>

namespace kgf::engine {
namespace {

float white_of(const kgf_image& image) {
  return image.white > 0 ? image.white : usual_white(image.type);
}

// Whether a row is one of our planes already.
template <class T>
bool is_plane(const kgf_image& image) {
  return std::is_same_v<T, float> && white_of(image) == 1 && image.pixel_stride == sizeof(float);
}

// Samples may lie at any address.
template <class T>
T load(const unsigned char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <class T>
T levels(float value, float most) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    const float clipped = value > 0 ? (value < most ? value : most) : 0.0f;
    // Adding 1.5·2^23 leaves the integer, rounded as the CPU rounds, in the low bits.
    const float shifted = clipped + 12582912.0f;
    uint32_t bits;
    std::memcpy(&bits, &shifted, 4);
    return static_cast<T>(bits - 0x4b400000u);
  }
}

template <class T>
void read(const kgf_image& image, const Window& window, const Planes<float>& planes) {
  const float peak = white_of(image);
  const bool same = is_plane<T>(image);
  for (int c = 0; c < image.channels; ++c) {
    for (int y = 0; y < window.height; ++y) {
      const unsigned char* from = static_cast<const unsigned char*>(image.data) +
                                  c * image.channel_stride + (window.top + y) * image.row_stride +
                                  window.left * image.pixel_stride;
      float* to = planes.data + c * planes.plane + y * planes.row;
      if (same) {
        std::memcpy(to, from, window.width * sizeof(float));
        continue;
      }
      for (int x = 0; x < window.width; ++x) {
        to[x] = static_cast<float>(load<T>(from + x * image.pixel_stride)) / peak;
      }
    }
  }
}

template <class T>
void write(const Planes<const float>& planes, const kgf_image& image, const Window& window) {
  const float peak = white_of(image);
  const bool same = is_plane<T>(image);
  for (int c = 0; c < image.channels; ++c) {
    for (int y = 0; y < window.height; ++y) {
      const float* from = planes.data + c * planes.plane + y * planes.row;
      unsigned char* to = static_cast<unsigned char*>(image.data) + c * image.channel_stride +
                          (window.top + y) * image.row_stride + window.left * image.pixel_stride;
      if (same) {
        std::memcpy(to, from, window.width * sizeof(float));
        continue;
      }
      for (int x = 0; x < window.width; ++x) {
        const T level = levels<T>(from[x] * peak, peak);
        std::memcpy(to + x * image.pixel_stride, &level, sizeof(T));
      }
    }
  }
}

}  // namespace

bool all_finite(const float* values, size_t count) {
  // Of NaN and infinities alone all bits of the exponent are set. A loop without an exit becomes vectors.
  constexpr uint32_t exponent = 0x7f800000u;
  int32_t largest = 0;
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, values + i, sizeof(bits));
    const auto magnitude = static_cast<int32_t>(bits & exponent);
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest < static_cast<int32_t>(exponent);
}

const float* as_planes(const kgf_image& image) {
  const bool packed = image.row_stride == image.width * image.pixel_stride &&
                      image.channel_stride == image.height * image.row_stride;
  const bool aligned = reinterpret_cast<uintptr_t>(image.data) % alignof(float) == 0;
  const bool ready = image.type == KGF_FLOAT32 && is_plane<float>(image) && packed && aligned;
  return ready ? static_cast<const float*>(image.data) : nullptr;
}

void read_pixels(const kgf_image& image, const Window& window, const Planes<float>& planes) {
  switch (image.type) {
    case KGF_UINT8: return read<uint8_t>(image, window, planes);
    case KGF_UINT16: return read<uint16_t>(image, window, planes);
    case KGF_FLOAT32: return read<float>(image, window, planes);
  }
}

void write_pixels(const Planes<const float>& planes, const kgf_image& image, const Window& window) {
  switch (image.type) {
    case KGF_UINT8: return write<uint8_t>(planes, image, window);
    case KGF_UINT16: return write<uint16_t>(planes, image, window);
    case KGF_FLOAT32: return write<float>(planes, image, window);
  }
}

}  // namespace kgf::engine
