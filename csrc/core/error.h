// The exceptions for refusals, and the macro that words them.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace kgf {

// A caller's mistake: what must hold, what was got. Bindings turn it into InputError.
class Error : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// A device that is not there, was not built in, or failed. Bindings turn it into DeviceUnavailable.
class DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

}  // namespace kgf

// KGF_CHECK(size % 2 == 1, "kernel side must be odd, got ", size)
#define KGF_CHECK(condition, ...)                                     \
  do {                                                                \
    if (!(condition)) throw ::kgf::Error(::kgf::concat(__VA_ARGS__)); \
  } while (false)
