// Just enough PNG for an example: 8 bits a sample, not interlaced, no palette. It writes without
// compression. A program of yours has a better one.
#pragma once

#include <string>
#include <vector>

struct Png {
  int height, width;
  int channels;  // 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha
  std::vector<unsigned char> pixels;
};

// Both throw std::runtime_error.
Png read_png(const std::string& path);
void write_png(const std::string& path, const Png& png);
