// What a model is to an image: its inputs by their meaning, scale, channels, overlap of tiles.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/session.h"

namespace kgf::engine {

struct Model {
  std::unique_ptr<const Session> session;
  const Port* image = nullptr;
  const Port* kernel = nullptr;  // null where the model has its own
  std::vector<const Port*> numbers;
  int scale = 1;
  bool shrinks = false;
  int channels = 0;  // 0: any
  int kernel_size = 0;
  int overlap = -1;    // -1: unknown
  int multiple = 1;    // tiles begin at multiples of this
  int least_side = 1;  // of an image or tile
  int most_side = 0;   // the same; 0: any

  // The side that an input's side becomes.
  int64_t out_side(int64_t side) const {
    return shrinks ? (side + scale - 1) / scale : side * scale;
  }
};

// Reads ports and metadata; throws Failure(KGF_MODEL_ERROR) for what is no image model. A model without
// metadata that has an image for its only input is run once to learn its scale.
std::shared_ptr<const Model> understand(std::unique_ptr<Session> session);

}  // namespace kgf::engine
