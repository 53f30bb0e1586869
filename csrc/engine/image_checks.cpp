// What a caller's images must be before a pixel of them is touched.
#include <cfloat>

#include "engine/failure.h"
#include "engine/pixels.h"
#include "engine/structs.h"

namespace kgf::engine {
namespace {

// Where samples begin, in bytes from the first one's address.
struct Extent {
  int64_t low = 0, high = 0;

  void add(int64_t stride, int64_t count) { (stride < 0 ? low : high) += stride * (count - 1); }
};

// Throws where an address would overflow.
Extent extent_of(const kgf_image& image, const char* argument) {
  constexpr int64_t most = INT64_MAX / 4;
  const auto fits = [](int64_t stride, int64_t count) {
    return count == 1 || (stride <= most / (count - 1) && stride >= -(most / (count - 1)));
  };
  bool reachable = fits(image.row_stride, image.height) && fits(image.pixel_stride, image.width) &&
                   fits(image.channel_stride, image.channels);
  Extent extent;
  if (reachable) {
    if (image.height > 1) extent.add(image.row_stride, image.height);
    if (image.width > 1) extent.add(image.pixel_stride, image.width);
    if (image.channels > 1) extent.add(image.channel_stride, image.channels);
    const auto first = reinterpret_cast<uintptr_t>(image.data);
    const auto below = static_cast<uint64_t>(-extent.low);
    const auto above = static_cast<uint64_t>(extent.high + bytes_of(image.type));
    reachable = below <= first && above <= UINTPTR_MAX - first;
  }
  require(reachable, argument, " must lie within the address space, got strides of rows ",
          image.row_stride, ", pixels ", image.pixel_stride, ", channels ", image.channel_stride,
          " for ", image.height, " x ", image.width, " x ", image.channels);
  return extent;
}

// First and last byte of an image, or of what repeats in it.
struct Range {
  uint64_t first, last;
  bool meets(const Range& other) const { return first <= other.last && other.first <= last; }
};

Range range_of(const kgf_image& image) {
  const Extent extent = extent_of(image, "the image");
  const auto data = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(image.data));
  return {data + static_cast<uint64_t>(extent.low),
          data + static_cast<uint64_t>(extent.high + bytes_of(image.type) - 1)};
}

// The range of one row of an image on a canvas whose rows are `stride` bytes apart, from the canvas' point
// of view; false where a row does not lie within one of the canvas.
bool row_on_canvas(const kgf_image& image, uint64_t stride, uint64_t origin, Range* range) {
  kgf_image row = image;
  row.height = 1;
  // Channels in planes repeat the row elsewhere.
  if (image.channel_stride % static_cast<int64_t>(stride) == 0) row.channels = 1;
  *range = range_of(row);
  const uint64_t length = range->last - range->first;
  range->first = (range->first % stride + stride - origin % stride) % stride;
  range->last = range->first + length;
  return range->last < stride;
}

// Whether both lie side by side on one canvas, such as two halves of a picture.
bool are_side_by_side(const kgf_image& a, const kgf_image& b) {
  const auto length = [](int64_t stride) {
    return static_cast<uint64_t>(stride < 0 ? -stride : stride);
  };
  if (a.height == 1 || b.height == 1) return false;  // its row stride says nothing
  const uint64_t stride = length(a.row_stride);
  if (stride == 0 || stride != length(b.row_stride)) return false;
  // Rows of the canvas are taken to begin where the first of the two does.
  const Range whole_a = range_of(a), whole_b = range_of(b);
  for (uint64_t origin : {whole_a.first, whole_b.first}) {
    Range in_a{}, in_b{};
    if (row_on_canvas(a, stride, origin, &in_a) && row_on_canvas(b, stride, origin, &in_b) &&
        !in_a.meets(in_b)) {
      return true;
    }
  }
  return false;
}

}  // namespace

void check_image(const kgf_image* image, const char* argument, Role role) {
  check_pointer(image, argument);
  require(image->data != nullptr, argument, ".data must not be null");
  require(image->type == KGF_UINT8 || image->type == KGF_UINT16 || image->type == KGF_FLOAT32,
          argument, ".type must be a kgf_type, got ", image->type);
  require(image->height >= 1 && image->height <= most_side && image->width >= 1 &&
              image->width <= most_side,
          argument, " must have sides in 1..2^24, got ", image->height, " x ", image->width);
  require(image->channels >= 1 && image->channels <= most_channels, argument,
          " must have 1..1024 channels, got ", image->channels);
  const float most = image->type == KGF_FLOAT32 ? FLT_MAX : usual_white(image->type);
  require(image->white >= 0 && image->white <= most, argument, ".white must be in 0..", most,
          ", got ", image->white);
  extent_of(*image, argument);
  if (role == Role::input) return;
  const int64_t least = bytes_of(image->type);
  const auto apart = [&](int64_t stride, int32_t extent) {
    return extent == 1 || stride >= least || stride <= -least;
  };
  require(apart(image->row_stride, image->height) && apart(image->pixel_stride, image->width) &&
              apart(image->channel_stride, image->channels),
          argument, " must have strides of at least a sample's ", least, " bytes, got rows ",
          image->row_stride, ", pixels ", image->pixel_stride, ", channels ",
          image->channel_stride);
}

void check_apart(const kgf_image& in, const kgf_image& out) {
  require(!range_of(in).meets(range_of(out)) || are_side_by_side(in, out),
          "out must not overlap in: give the result memory of its own");
}

}  // namespace kgf::engine
