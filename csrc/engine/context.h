// The runs of one thread: a model, the kernel and numbers that were set, and memory for a tile.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/model.h"
#include "engine/pixels.h"

namespace kgf::engine {

class Context {
 public:
  explicit Context(std::shared_ptr<const Model> model);

  void set_kernel(const float* kernel, int size);
  void set_number(const std::string& name, float value);
  // The images have been checked on their own.
  void run(const kgf_image& in, const kgf_image& out, const kgf_run_options& options);

 private:
  struct Tiling {
    int tile, overlap;
  };
  Tiling tiling(const kgf_image& in, const kgf_run_options& options) const;
  std::vector<Feed> fixed_feeds() const;
  // Runs one tile; `kept` is what of it goes into the output.
  void run_tile(const kgf_image& in, const Window& read, const Window& kept, const kgf_image& out,
                std::vector<Feed>* feeds);

  std::shared_ptr<const Model> model_;
  std::vector<float> kernel_;
  std::vector<float> numbers_;
  std::vector<float> planes_;
};

}  // namespace kgf::engine
