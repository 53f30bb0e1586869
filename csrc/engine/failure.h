// What the engine throws inside, and c_api.cpp turns into a code with text.
#pragma once

#include <stdexcept>
#include <string>

#include "core/error.h"
#include "include/kernelgan_fast/engine.h"

namespace kgf::engine {

class Failure : public std::runtime_error {
 public:
  Failure(kgf_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  kgf_status status() const { return status_; }

 private:
  kgf_status status_;
};

template <class... Parts>
[[noreturn]] void fail(kgf_status status, const Parts&... parts) {
  throw Failure(status, concat(parts...));
}

// require(size > 0, "size must be positive, got ", size): for what the caller gave.
template <class... Parts>
void require(bool holds, const Parts&... parts) {
  if (!holds) fail(KGF_INVALID_ARGUMENT, parts...);
}

}  // namespace kgf::engine
