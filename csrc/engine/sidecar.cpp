#include "engine/sidecar.h"

#include <cstdlib>
#include <stdexcept>

#include "engine/failure.h"

namespace kgf::engine {
namespace {

constexpr int most_depth = 16;

// Reads JSON into words by path: {"a": {"b": [1, "x"]}} is a/b/0 → 1, a/b/1 → x.
class Flattener {
 public:
  explicit Flattener(const std::string& text) : at_(text.data()), end_(at_ + text.size()) {}

  std::map<std::string, std::string> all() {
    value("", 0);
    skip();
    if (at_ != end_) wrong();
    return std::move(found_);
  }

 private:
  [[noreturn]] static void wrong() { throw std::invalid_argument("no JSON"); }

  void skip() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  // The next character that is no space, without taking it.
  char peek() {
    skip();
    if (at_ == end_) wrong();
    return *at_;
  }
  char next() {
    if (at_ == end_) wrong();
    return *at_++;
  }

  void value(const std::string& path, int depth) {
    if (depth > most_depth) wrong();
    const char first = peek();
    if (first == '{' || first == '[') {
      members(path, first, depth);
    } else if (first == '"') {
      found_[path] = string();
    } else {
      std::string word;
      while (at_ != end_ && std::string(",]} \n\t\r").find(*at_) == std::string::npos) {
        word += *at_++;
      }
      if (word.empty()) wrong();
      found_[path] = word;
    }
  }

  void members(const std::string& path, char opening, int depth) {
    const char closing = opening == '{' ? '}' : ']';
    const std::string within = path.empty() ? "" : path + "/";
    ++at_;
    if (peek() == closing) {
      ++at_;
      return;
    }
    for (int index = 0;; ++index) {
      std::string key = std::to_string(index);
      if (opening == '{') {
        if (peek() != '"') wrong();
        key = string();
        if (peek() != ':') wrong();
        ++at_;
      }
      value(within + key, depth + 1);
      const char after = peek();
      ++at_;
      if (after == closing) return;
      if (after != ',') wrong();
    }
  }

  std::string string() {
    std::string text;
    ++at_;
    for (char c = next(); c != '"'; c = next()) {
      if (c == '\\') {
        escaped(&text);
      } else {
        text += c;
      }
    }
    return text;
  }

  void escaped(std::string* text) {
    const char c = next();
    if (c == 'u') {
      uint32_t code = unit();
      if (code >= 0xd800 && code < 0xdc00) {
        if (next() != '\\' || next() != 'u') wrong();
        code = 0x10000 + ((code - 0xd800) << 10) + (unit() - 0xdc00);
      }
      return append(code, text);
    }
    const std::string from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    const size_t which = from.find(c);
    if (which == std::string::npos) wrong();
    *text += to[which];
  }

  uint32_t unit() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      const size_t digit = std::string("0123456789abcdef").find(static_cast<char>(next() | 0x20));
      if (digit == std::string::npos) wrong();
      code = code * 16 + static_cast<uint32_t>(digit);
    }
    return code;
  }

  static void append(uint32_t code, std::string* text) {
    if (code < 0x80) {
      *text += static_cast<char>(code);
      return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    const uint32_t heads[] = {0, 0xc0, 0xe0, 0xf0};
    *text += static_cast<char>(heads[more] | code >> (6 * more));
    for (int i = more - 1; i >= 0; --i) *text += static_cast<char>(0x80 | (code >> (6 * i) & 0x3f));
  }

  const char* at_;
  const char* end_;
  std::map<std::string, std::string> found_;
};

}  // namespace

Sidecar read_sidecar(const std::string& text, const std::string& path) {
  std::map<std::string, std::string> told;
  try {
    told = Flattener(text).all();
  } catch (const std::invalid_argument&) {
    fail(KGF_MODEL_ERROR, path, " is not JSON; build the engine again");
  }
  if (told["format"].rfind("kernelgan-fast engine ", 0) != 0) {
    fail(KGF_MODEL_ERROR, path, " does not describe an engine; kernelgan-fast export builds one");
  }
  Sidecar sidecar;
  sidecar.flavour = told["flavour"];
  sidecar.version = told["version"];
  if (told.count("bytes")) sidecar.bytes = std::strtoll(told["bytes"].c_str(), nullptr, 10);
  const std::string within = "metadata/";
  for (const auto& [key, word] : told) {
    if (key.rfind(within, 0) == 0) sidecar.metadata[key.substr(within.size())] = word;
  }
  if (sidecar.metadata.empty()) {
    fail(KGF_MODEL_ERROR, path, " has no metadata of the model; build the engine again");
  }
  return sidecar;
}

}  // namespace kgf::engine
