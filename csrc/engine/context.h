// The runs of one thread: a model, the kernel and numbers that were set, and memory for a tile.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/model.h"
#include "engine/pixels.h"
#include "engine/tiles.h"

namespace kgf::engine {

class Context {
 public:
  explicit Context(std::shared_ptr<const Model> model);
  ~Context();

  void set_kernel(const float* kernel, int size);
  void set_number(const std::string& name, float value);
  // The images have been checked on their own.
  void run(const kgf_image& in, const kgf_image& out, const kgf_run_options& options);

 private:
  struct Tiling {
    int tile, overlap;
  };
  // What of the input is read for a tile, and what of that goes into the output, as input and as output.
  struct Tile {
    Window read, kept, placed;
    int64_t out_height, out_width;  // of all that is read
    int64_t out_plane() const { return out_height * out_width; }
    // Where in a plane of the result `placed` begins.
    int64_t skip;
  };
  void check_run(const kgf_image& in, const kgf_image& out, const kgf_run_options& options) const;
  Tiling tiling(const kgf_image& in, const kgf_run_options& options) const;
  Tile tile_of(const Span& row, const Span& column) const;
  std::vector<Feed> fixed_feeds() const;
  void check_result(const Feed& image, const float* result, size_t count) const;
  void run_tile(const kgf_image& in, const Tile& tile, const kgf_image& out, void* stream,
                std::vector<Feed>* feeds);
  void run_tile_on_gpu(const kgf_image& in, const Tile& tile, const kgf_image& out, void* stream,
                       std::vector<Feed>* feeds);

  std::shared_ptr<const Model> model_;
  std::unique_ptr<Runner> runner_;
  std::vector<float> kernel_;
  std::vector<float> numbers_;
  std::vector<float> planes_;
  GpuMemory gpu_in_, gpu_out_;
  bool pending_ = false;  // the last run may still be at work, on stream_
  void* stream_ = nullptr;
};

}  // namespace kgf::engine
