#include "engine/context.h"

#include <algorithm>
#include <cmath>

#include "engine/failure.h"
#include "engine/structs.h"

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
    : model_(std::move(model)),
      numbers_(model_->numbers.size(), 0.0f),
      gpu_in_(model_->session->gpu()),
      gpu_out_(model_->session->gpu()) {
  const OnGpu here(model_->session->gpu());
  runner_ = model_->session->runner();
}

Context::~Context() {
  const Gpu* gpu = model_->session->gpu();
  const OnGpu here(gpu);
  // Memory must not go while work that was put on a stream needs it.
  if (gpu) gpu->finish();
  runner_.reset();
}

void Context::set_kernel(const float* kernel, int size) {
  check_pointer(kernel, "kernel");
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
  const int most = model_->most_side, longest = std::max(in.height, in.width);
  const bool too_large = most > 0 && longest > most;
  require(!too_large || options.tile != 0, "this engine takes at most ", most,
          " pixels a side at once, got ", longest, "; run it in tiles");
  if (options.tile == 0) return {0, 0};
  require(overlap >= 0 || (options.tile == -1 && !too_large),
          "this model does not state how far its tiles must overlap; give the overlap");
  const int margin = (overlap + model_->multiple - 1) / model_->multiple * model_->multiple;
  if (options.tile > 0) {
    const int tile = std::min(options.tile, engine::most_side);
    require(most == 0 || tile + 2 * margin <= most || !too_large, "this engine takes at most ",
            most, " pixels a side at once: a tile and twice ", margin, " around it, got a tile of ",
            tile);
    return {tile, overlap};
  }
  const int larger = model_->shrinks ? 1 : model_->scale;
  const double pixels = double(in.height) * in.width * larger * larger;
  if (overlap < 0 || (pixels <= tile_pixels && !too_large)) return {0, 0};
  int side = static_cast<int>(std::sqrt(tile_pixels)) / larger - 2 * overlap;
  side = std::max({side, 2 * overlap, least_tile});
  if (most > 0) side = std::min(side, most - 2 * margin);
  require(side >= least_tile, "this engine takes at most ", most,
          " pixels a side at once, too few for tiles with ", margin,
          " around them; build a larger");
  return {side, overlap};
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

void Context::check_run(const kgf_image& in, const kgf_image& out,
                        const kgf_run_options& options) const {
  const Model& model = *model_;
  require(model.channels == 0 || in.channels == model.channels, "in must have ", model.channels,
          " channels, got ", in.channels);
  require(out.channels == in.channels, "out must have ", in.channels, " channels, got ",
          out.channels);
  require(out.height == model.out_side(in.height) && out.width == model.out_side(in.width),
          "out must be ", model.out_side(in.height), " x ", model.out_side(in.width), ", got ",
          out.height, " x ", out.width);
  require(options.memory == KGF_HOST || options.memory == KGF_DEVICE,
          "memory must be a kgf_memory, got ", options.memory);
  require(options.memory == KGF_HOST || model.session->gpu(),
          "images are said to be in a GPU's memory, and this model runs on the CPU; open it with "
          "the device cuda:0");
  require(!options.stream || model.session->gpu(),
          "a stream is given, and this model runs on the CPU");
  if (options.memory == KGF_HOST) return;
  check_gpu_image(in, "in");
  check_gpu_image(out, "out");
  require(model.image->element == Element::float32 &&
              model.session->outputs()[0].element == Element::float32,
          "images in a GPU's memory need a model whose image is float32, got ",
          name(model.image->element));
}

Context::Tile Context::tile_of(const Span& row, const Span& column) const {
  const Model& model = *model_;
  // Tiles begin at multiples of the scale where the model shrinks, so these are exact.
  const auto place = [&](int at) { return model.shrinks ? at / model.scale : at * model.scale; };
  const auto out_side = [&](int side) { return static_cast<int>(model.out_side(side)); };
  const auto window = [](int top, int bottom, int left, int right) {
    return Window{top, left, bottom - top, right - left};
  };
  Tile tile{};
  tile.read = window(row.read_first, row.read_last, column.read_first, column.read_last);
  tile.kept = window(row.first, row.last, column.first, column.last);
  tile.placed = {place(row.first), place(column.first), out_side(tile.kept.height),
                 out_side(tile.kept.width)};
  tile.out_height = out_side(tile.read.height);
  tile.out_width = out_side(tile.read.width);
  tile.skip =
      place(row.first - row.read_first) * tile.out_width + place(column.first - column.read_first);
  return tile;
}

void Context::run(const kgf_image& in, const kgf_image& out, const kgf_run_options& options) {
  check_run(in, out, options);
  const Model& model = *model_;
  const Gpu* gpu = model.session->gpu();
  const OnGpu here(gpu);
  const bool on_gpu = options.memory == KGF_DEVICE;
  // Memory is used again in the order of one stream.
  if (pending_ && (!on_gpu || options.stream != stream_)) gpu->wait_for_all();
  pending_ = on_gpu;
  stream_ = options.stream;
  const Tiling cut = tiling(in, options);
  std::vector<Feed> feeds = fixed_feeds();
  feeds.push_back({model.image, nullptr, {}});
  const int least = model.least_side;
  const std::vector<Span> rows = spans(in.height, cut.tile, cut.overlap, model.multiple, least);
  const std::vector<Span> columns = spans(in.width, cut.tile, cut.overlap, model.multiple, least);
  require(std::min(in.height, in.width) >= least, "in must have sides of at least ", least,
          " pixels, got ", in.height, " x ", in.width);
  const size_t tiles = rows.size() * columns.size();
  require(tiles <= INT32_MAX, "an image must have fewer than 2^31 tiles, got ", tiles,
          "; take larger ones");
  const int total = static_cast<int>(tiles);
  int done = 0;
  for (const Span& row : rows) {
    for (const Span& column : columns) {
      const Tile tile = tile_of(row, column);
      if (on_gpu) {
        run_tile_on_gpu(in, tile, out, options.stream, &feeds);
      } else {
        run_tile(in, tile, out, options.stream, &feeds);
      }
      ++done;
      if (options.progress && options.progress(options.user, done, total) != 0) {
        fail(KGF_CANCELLED, "the progress function ended the run after ", done, " of ", total,
             " tiles");
      }
    }
  }
}

// Refuses a result with NaN or infinities, for which a float image of the caller's may be to blame.
void Context::check_result(const Feed& image, const float* result, size_t count) const {
  if (all_finite(result, count)) return;
  require(all_finite(image.data, count_of(image.shape)),
          "in must have finite values with white at 1, got NaN or an infinity");
  fail(KGF_RUN_ERROR,
       "the model made NaN or an infinity of finite pixels; export it again, in "
       "float32 if it is float16");
}

void Context::run_tile(const kgf_image& in, const Tile& tile, const kgf_image& out, void* stream,
                       std::vector<Feed>* feeds) {
  const Window& read = tile.read;
  const int64_t plane = int64_t{read.height} * read.width;
  const bool whole = read.height == in.height && read.width == in.width;
  Feed& image = feeds->back();
  image.data = whole ? as_planes(in) : nullptr;
  if (!image.data) {
    planes_.resize(in.channels * plane);
    read_pixels(in, read, {planes_.data(), plane, read.width});
    image.data = planes_.data();
  }
  image.shape = {1, in.channels, read.height, read.width};
  Place place{nullptr, {1, in.channels, tile.out_height, tile.out_width}};
  if (whole && as_planes(out)) place.data = static_cast<float*>(out.data);
  bool is_shown = false;
  runner_->run(*feeds, place, stream, [&](const float* data, const std::vector<int64_t>& shape) {
    is_shown = true;
    if (shape != place.shape) {
      fail(KGF_MODEL_ERROR, "the model must make (1, ", in.channels, ", ", tile.out_height, ", ",
           tile.out_width, ") of a tile of ", read.height, " x ", read.width,
           ", as its scale says, and made something else");
    }
    check_result(image, data, count_of(shape));
    write_pixels({data + tile.skip, tile.out_plane(), tile.out_width}, out, tile.placed);
  });
  if (!is_shown) check_result(image, place.data, count_of(place.shape));
}

void Context::run_tile_on_gpu(const kgf_image& in, const Tile& tile, const kgf_image& out,
                              void* stream, std::vector<Feed>* feeds) {
  const Gpu& gpu = *model_->session->gpu();
  const Window& read = tile.read;
  const int64_t plane = int64_t{read.height} * read.width;
  const bool whole = read.height == in.height && read.width == in.width;
  Feed& image = feeds->back();
  image.data = whole ? as_planes(in) : nullptr;
  if (!image.data) {
    auto* planes = static_cast<float*>(gpu_in_.room(in.channels * plane * sizeof(float)));
    copy_planes(gpu, in, read, {planes, plane, read.width}, stream);
    image.data = planes;
  }
  image.shape = {1, in.channels, read.height, read.width};
  const std::vector<int64_t> shape{1, in.channels, tile.out_height, tile.out_width};
  const bool direct = whole && as_planes(out);
  auto* result =
      static_cast<float*>(direct ? out.data : gpu_out_.room(count_of(shape) * sizeof(float)));
  runner_->run_on_gpu(*feeds, result, shape, stream);
  if (direct) return;
  copy_planes(gpu, {result + tile.skip, tile.out_plane(), tile.out_width}, out, tile.placed,
              stream);
}

}  // namespace kgf::engine
