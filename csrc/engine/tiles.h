// How one side of an image is cut into tiles, the same as in Python's sr/tiling.py.
#pragma once

#include <algorithm>
#include <vector>

namespace kgf::engine {

// What is kept of a tile, and what is read for that, in input pixels.
struct Span {
  int first, last, read_first, read_last;
};

// Tiles begin, with their overlap, at multiples of `multiple`; tile 0 is the whole side. What is read is
// at least `least` where the side is.
inline std::vector<Span> spans(int length, int tile, int overlap, int multiple, int least = 1) {
  if (tile == 0) return {{0, length, 0, length}};
  const auto up = [multiple](int value) { return (value + multiple - 1) / multiple * multiple; };
  tile = std::max(tile / multiple, 1) * multiple;
  overlap = up(overlap);
  std::vector<Span> cut;
  for (int first = 0; first < length; first += tile) {
    const int last = std::min(first + tile, length);
    const int read_last = std::min(std::max(last + overlap, least), length);
    const int read_first = std::min(first - overlap, (read_last - least) / multiple * multiple);
    cut.push_back({first, last, std::max(read_first, 0), read_last});
  }
  return cut;
}

}  // namespace kgf::engine
