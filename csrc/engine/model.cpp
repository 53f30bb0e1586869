#include "engine/model.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "engine/failure.h"
#include "engine/pixels.h"

namespace kgf::engine {
namespace {

constexpr const char* prefix = "kernelgan_fast.";
constexpr int64_t probe_side = 48;
constexpr int most_scale = 64;

std::string text_of(const Session& session, const std::string& key) {
  const auto found = session.metadata().find(prefix + key);
  return found == session.metadata().end() ? std::string() : found->second;
}

int integer_of(const Session& session, const std::string& key, int missing, int least, int most) {
  if (!session.metadata().count(prefix + key)) return missing;
  const std::string text = text_of(session, key);
  int value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < least || value > most) {
    fail(KGF_MODEL_ERROR, "the model's metadata ", prefix, key, " must be an integer in ", least,
         "..", most, ", got ", text);
  }
  return static_cast<int>(value);
}

std::string describe(const Port& port) {
  std::string text = port.name + " of " + name(port.element) + " (";
  for (size_t axis = 0; axis < port.shape.size(); ++axis) {
    if (axis) text += ", ";
    text += port.shape[axis] < 0 ? "any" : std::to_string(port.shape[axis]);
  }
  return text + ")";
}

bool is_image(const Port& port) {
  const auto& shape = port.shape;
  return port.element != Element::other && shape.size() == 4 && (shape[0] == -1 || shape[0] == 1) &&
         shape[1] != 0 && shape[2] == -1 && shape[3] == -1;
}

bool is_kernel(const Port& port) {
  const auto& shape = port.shape;
  if (port.name != "kernel" || port.element == Element::other || shape.size() < 2) return false;
  for (size_t axis = 0; axis + 2 < shape.size(); ++axis) {
    if (shape[axis] != 1 && shape[axis] != -1) return false;
  }
  const int64_t side = shape.back();
  return side >= 1 && side < 1024 && side == shape[shape.size() - 2];
}

bool is_number(const Port& port) {
  for (int64_t extent : port.shape) {
    if (extent != 1 && extent != -1) return false;
  }
  return port.element != Element::other;
}

void sort_inputs(Model* model) {
  for (const Port& port : model->session->inputs()) {
    if (!model->image && is_image(port)) {
      model->image = &port;
    } else if (!model->kernel && is_kernel(port)) {
      model->kernel = &port;
      model->kernel_size = static_cast<int>(port.shape.back());
    } else if (is_number(port)) {
      model->numbers.push_back(&port);
    } else {
      fail(KGF_MODEL_ERROR,
           "the model's inputs must be an image (1, channels, any, any), a square kernel of fixed "
           "size named kernel, and numbers; got ",
           describe(port));
    }
  }
  if (!model->image) {
    fail(KGF_MODEL_ERROR, "the model must have an image (1, channels, any, any) for an input");
  }
  const std::vector<Port>& outputs = model->session->outputs();
  if (outputs.empty() || outputs[0].element == Element::other || outputs[0].shape.size() != 4) {
    fail(KGF_MODEL_ERROR, "the model's first output must be an image (1, channels, height, width)",
         outputs.empty() ? "" : ", got " + describe(outputs[0]));
  }
}

void check_pixels(const Session& session) {
  const std::string range = text_of(session, "range"), layout = text_of(session, "layout");
  if ((!range.empty() && range != "[0, 1]") || (!layout.empty() && layout.rfind("NCHW", 0) != 0)) {
    fail(KGF_MODEL_ERROR, "the model's pixels must be NCHW in [0, 1], got ", layout, " in ", range);
  }
}

// The sides that an engine was built for.
void take_limits(Model* model) {
  const Port& image = *model->image;
  if (!image.least.empty()) {
    const int64_t least = std::max({int64_t{model->least_side}, image.least[2], image.least[3]});
    if (least > most_side)
      fail(KGF_MODEL_ERROR, "the engine takes no image below ", least, " pixels");
    model->least_side = static_cast<int>(least);
  }
  if (!image.most.empty()) {
    const int64_t most = std::min({image.most[2], image.most[3], int64_t{most_side}});
    if (most < model->least_side) {
      fail(KGF_MODEL_ERROR, "the engine takes images of at most ", most,
           " pixels a side, and the model of at least ", model->least_side, "; build it again");
    }
    model->most_side = static_cast<int>(most);
  }
}

// Learns the scale from a run on a black image.
void probe(Model* model) {
  if (model->session->inputs().size() != 1) {
    fail(KGF_MODEL_ERROR,
         "a model with more inputs than an image must state its scale in metadata ", prefix,
         "scale");
  }
  const int64_t channels = model->channels ? model->channels : 3;
  const std::vector<float> black(channels * probe_side * probe_side);
  std::vector<int64_t> out;
  model->session->runner()->run(
      {{model->image, black.data(), {1, channels, probe_side, probe_side}}}, {}, nullptr,
      [&](const float*, const std::vector<int64_t>& shape) { out = shape; });
  const bool is_square = out.size() == 4 && out[2] == out[3] && out[2] > 0;
  model->shrinks = is_square && out[2] < probe_side;
  const int64_t large = is_square ? std::max(out[2], probe_side) : 0;
  const int64_t small = is_square ? std::min(out[2], probe_side) : 1;
  if (!is_square || large % small != 0 || large / small > most_scale) {
    fail(KGF_MODEL_ERROR,
         "the model must make an image an integer times larger or smaller, at most ", most_scale,
         " times");
  }
  model->scale = static_cast<int>(large / small);
}

}  // namespace

std::shared_ptr<const Model> understand(std::unique_ptr<Session> session) {
  auto model = std::make_shared<Model>();
  model->session = std::move(session);
  const Session& from = *model->session;
  sort_inputs(model.get());
  const int64_t channels = model->image->shape[1];
  if (channels > 1024) fail(KGF_MODEL_ERROR, "the model takes ", channels, " channels");
  model->channels = channels > 0 ? static_cast<int>(channels) : 0;
  check_pixels(from);
  model->overlap = integer_of(from, "context", -1, 0, 4096);
  model->multiple = integer_of(from, "multiple", 1, 1, 4096);
  model->least_side = integer_of(from, "least_side", 1, 1, 4096);
  take_limits(model.get());
  model->scale = integer_of(from, "scale", 0, 1, most_scale);
  const std::string task = text_of(from, "task");
  if (task != "" && task != "upscale" && task != "downscale") {
    fail(KGF_MODEL_ERROR, "the model's metadata ", prefix,
         "task must be upscale or downscale, got ", task);
  }
  model->shrinks = task == "downscale";
  if (model->scale == 0) probe(model.get());
  if (model->shrinks) {
    // Tiles must begin where the model samples, and a pixel depends on what the kernel covers.
    model->multiple = std::lcm(model->multiple, model->scale);
    const int size = integer_of(from, "kernel_size", -1, 1, 1023);
    if (model->overlap < 0 && size > 0) model->overlap = size / 2;
  }
  return model;
}

}  // namespace kgf::engine
