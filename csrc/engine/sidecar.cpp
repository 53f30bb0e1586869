#include "engine/sidecar.h"

#include <charconv>
#include <stdexcept>

#include "engine/failure.h"
#include "engine/json.h"

namespace kgf::engine {
namespace {

// A string member, empty where there is none.
std::string text_of(const Json& object, const char* key, const std::string& path) {
  const Json* member = object.find(key);
  if (!member) return {};
  if (member->kind != Json::Kind::string) {
    fail(KGF_MODEL_ERROR, path, ": ", key, " must be a string, got ", name(member->kind),
         "; build the engine again");
  }
  return member->text;
}

int64_t bytes_of(const Json& object, const std::string& path) {
  const Json* member = object.find("bytes");
  if (!member) return -1;
  int64_t bytes = -1;
  const char* const end = member->text.data() + member->text.size();
  const auto [stop, error] = std::from_chars(member->text.data(), end, bytes);
  if (member->kind != Json::Kind::number || error != std::errc() || stop != end || bytes < 0) {
    fail(KGF_MODEL_ERROR, path, ": bytes must be a whole number below 2^63, got ",
         member->kind == Json::Kind::number ? member->text : name(member->kind),
         "; build the engine again");
  }
  return bytes;
}

}  // namespace

Sidecar read_sidecar(const std::string& text, const std::string& path) {
  Json root;
  try {
    root = parse_json(text);
  } catch (const std::invalid_argument& error) {
    fail(KGF_MODEL_ERROR, path, " is not JSON: ", error.what(), "; build the engine again");
  }
  const bool is_object = root.kind == Json::Kind::object;
  if (!is_object || text_of(root, "format", path).rfind("kernelgan-fast engine ", 0) != 0) {
    fail(KGF_MODEL_ERROR, path, " does not describe an engine; kernelgan-fast export builds one");
  }
  Sidecar sidecar;
  sidecar.flavour = text_of(root, "flavour", path);
  sidecar.version = text_of(root, "version", path);
  sidecar.bytes = bytes_of(root, path);
  const Json* metadata = root.find("metadata");
  if (!metadata || metadata->kind != Json::Kind::object || metadata->items.empty()) {
    fail(KGF_MODEL_ERROR, path, " has no metadata of the model; build the engine again");
  }
  for (const Json& entry : metadata->items) {
    if (entry.kind != Json::Kind::string) {
      fail(KGF_MODEL_ERROR, path, ": metadata ", entry.key, " must be a string, got ",
           name(entry.kind), "; build the engine again");
    }
    sidecar.metadata[entry.key] = entry.text;
  }
  return sidecar;
}

}  // namespace kgf::engine
