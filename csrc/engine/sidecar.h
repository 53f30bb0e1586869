// What is beside an engine file: the JSON that Python's export/tensorrt.py writes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace kgf::engine {

struct Sidecar {
  std::string flavour, version;                 // "tensorrt", "10.14.1.48"
  int64_t bytes = -1;                           // of the engine; -1: not stated
  std::map<std::string, std::string> metadata;  // of the ONNX model that the engine was built of
};

// Throws Failure(KGF_MODEL_ERROR) naming `path`.
Sidecar read_sidecar(const std::string& text, const std::string& path);

}  // namespace kgf::engine
