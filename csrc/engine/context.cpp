#include "engine/context.h"

#include <algorithm>
#include <cmath>

#include "engine/failure.h"
#include "engine/tiles.h"

namespace kgf::engine {
namespace {

// Pixels of the larger image that go through at once, as in Python's sr/tiling.py.
constexpr double tile_pixels = 3e6;
constexpr int least_tile = 32;

std::vector<int64_t> ones_for_free(std::vector<int64_t> shape) {
  for (int64_t& extent : shape) {
    if (extent < 0) extent = 1;
  }
  return shape;
}

}  // namespace

Context::Context(std::shared_ptr<const Model> model)
    : model_(std::move(model)), numbers_(model_->numbers.size(), 0.0f) {}

void Context::set_kernel(const float* kernel, int size) {
  require(kernel != nullptr, "kernel must not be null");
  require(model_->kernel != nullptr, "this model has a kernel of its own and takes none");
  const int side = model_->kernel_size;
  require(size >= 1 && size <= side && size % 2 == side % 2, "the kernel must be ", side, " x ",
          side, ", or smaller by an even number, got ", size, " x ", size);
  for (int i = 0; i < size * size; ++i) {
    require(std::isfinite(kernel[i]), "the kernel must be finite, got ", kernel[i], " at ", i);
  }
  // A smaller one in the middle: its centre tap stays the centre tap.
  const int margin = (side - size) / 2;
  kernel_.assign(static_cast<size_t>(side) * side, 0.0f);
  for (int row = 0; row < size; ++row) {
    std::copy_n(kernel + row * size, size, &kernel_[(row + margin) * side + margin]);
  }
}

void Context::set_number(const std::string& name, float value) {
  require(std::isfinite(value), name, " must be finite, got ", value);
  for (size_t i = 0; i < numbers_.size(); ++i) {
    if (model_->numbers[i]->name != name) continue;
    numbers_[i] = value;
    return;
  }
  std::string known;
  for (const Port* number : model_->numbers) known += " " + number->name;
  fail(KGF_INVALID_ARGUMENT, "this model takes ", known.empty() ? "no numbers" : "the numbers",
       known, ", got ", name);
}

Context::Tiling Context::tiling(const kgf_image& in, const kgf_run_options& options) const {
  require(options.tile >= -1 && options.overlap >= -1 && options.overlap <= 4096,
          "tile must be -1 or more and overlap in -1..4096, got ", options.tile, " and ",
          options.overlap);
  require(options.tile <= 0 || options.tile >= least_tile, "a tile must be at least ", least_tile,
          " pixels, or 0 for none, got ", options.tile);
  const int overlap = options.overlap >= 0 ? options.overlap : model_->overlap;
  if (options.tile == 0) return {0, 0};
  require(overlap >= 0 || options.tile == -1,
          "this model does not state how far its tiles must overlap; give the overlap");
  if (options.tile > 0) return {options.tile, overlap};
  const int larger = model_->shrinks ? 1 : model_->scale;
  const double pixels = double(in.height) * in.width * larger * larger;
  if (overlap < 0 || pixels <= tile_pixels) return {0, 0};
  const int side = static_cast<int>(std::sqrt(tile_pixels)) / larger - 2 * overlap;
  return {std::max({side, 2 * overlap, least_tile}), overlap};
}

std::vector<Feed> Context::fixed_feeds() const {
  std::vector<Feed> feeds;
  if (model_->kernel) {
    require(!kernel_.empty(), "this model needs a kernel of ", model_->kernel_size, " x ",
            model_->kernel_size, ": call kgf_set_kernel first");
    feeds.push_back({model_->kernel, kernel_.data(), ones_for_free(model_->kernel->shape)});
  }
  for (size_t i = 0; i < numbers_.size(); ++i) {
    const Port* port = model_->numbers[i];
    feeds.push_back({port, &numbers_[i], ones_for_free(port->shape)});
  }
  return feeds;
}

void Context::run(const kgf_image& in, const kgf_image& out, const kgf_run_options& options) {
  const Model& model = *model_;
  require(model.channels == 0 || in.channels == model.channels, "in must have ", model.channels,
          " channels, got ", in.channels);
  require(out.channels == in.channels, "out must have ", in.channels, " channels, got ",
          out.channels);
  require(out.height == model.out_side(in.height) && out.width == model.out_side(in.width),
          "out must be ", model.out_side(in.height), " x ", model.out_side(in.width), ", got ",
          out.height, " x ", out.width);
  const Tiling cut = tiling(in, options);
  std::vector<Feed> feeds = fixed_feeds();
  feeds.push_back({model.image, nullptr, {}});
  const std::vector<Span> rows = spans(in.height, cut.tile, cut.overlap, model.multiple);
  const std::vector<Span> columns = spans(in.width, cut.tile, cut.overlap, model.multiple);
  for (const std::vector<Span>* side : {&rows, &columns}) {
    for (const Span& span : *side) {
      require(span.read_last - span.read_first >= model.least_side, "in",
              cut.tile ? "'s tiles" : "", " must have sides of at least ", model.least_side,
              " pixels, got ", span.read_last - span.read_first);
    }
  }
  const auto window = [](int top, int bottom, int left, int right) {
    return Window{top, left, bottom - top, right - left};
  };
  const int total = static_cast<int>(rows.size() * columns.size());
  int done = 0;
  for (const Span& row : rows) {
    for (const Span& column : columns) {
      run_tile(in, window(row.read_first, row.read_last, column.read_first, column.read_last),
               window(row.first, row.last, column.first, column.last), out, &feeds);
      ++done;
      if (options.progress && options.progress(options.user, done, total) != 0) {
        fail(KGF_CANCELLED, "the progress function ended the run after ", done, " of ", total,
             " tiles");
      }
    }
  }
}

void Context::run_tile(const kgf_image& in, const Window& read, const Window& kept,
                       const kgf_image& out, std::vector<Feed>* feeds) {
  const Model& model = *model_;
  const int64_t plane = int64_t{read.height} * read.width;
  const bool whole = read.height == in.height && read.width == in.width;
  feeds->back().data = whole ? as_planes(in) : nullptr;
  if (!feeds->back().data) {
    planes_.resize(in.channels * plane);
    read_pixels(in, read, {planes_.data(), plane, read.width});
    feeds->back().data = planes_.data();
  }
  feeds->back().shape = {1, in.channels, read.height, read.width};
  // Tiles begin at multiples of the scale where the model shrinks, so these are exact.
  const auto place = [&](int at) {
    return static_cast<int>(model.shrinks ? at / model.scale : at * model.scale);
  };
  const Window to{place(kept.top), place(kept.left), static_cast<int>(model.out_side(kept.height)),
                  static_cast<int>(model.out_side(kept.width))};
  const int64_t out_height = model.out_side(read.height), out_width = model.out_side(read.width);
  model.session->run(*feeds, [&](const float* data, const std::vector<int64_t>& shape) {
    if (shape != std::vector<int64_t>{1, in.channels, out_height, out_width}) {
      fail(KGF_MODEL_ERROR, "the model must make (1, ", in.channels, ", ", out_height, ", ",
           out_width, ") of a tile of ", read.height, " x ", read.width,
           ", as its scale says, and made something else");
    }
    const int64_t skip = place(kept.top - read.top) * out_width + place(kept.left - read.left);
    write_pixels({data + skip, out_height * out_width, out_width}, out, to);
  });
}

}  // namespace kgf::engine
