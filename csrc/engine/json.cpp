#include "engine/json.h"

#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace kgf::engine {
namespace {

constexpr int most_depth = 16;

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  Json whole() {
    Json root = value(0);
    skip_spaces();
    if (at_ != text_.size()) wrong("nothing may follow the value");
    return root;
  }

 private:
  [[noreturn]] void wrong(const char* why) const {
    throw std::invalid_argument(std::string(why) + " at byte " + std::to_string(at_));
  }

  void skip_spaces() {
    while (at_ < text_.size() && std::string_view(" \n\t\r").find(text_[at_]) != npos) ++at_;
  }
  // The next character, without taking it; 0 at the end.
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  bool is_digit() const { return peek() >= '0' && peek() <= '9'; }

  Json value(int depth) {
    if (depth > most_depth) wrong("values nest too deep");
    skip_spaces();
    switch (peek()) {
      case '{':
      case '[': return list(depth);
      case '"': return {Json::Kind::string, {}, string(), {}};
      case 't': return word("true", Json::Kind::boolean);
      case 'f': return word("false", Json::Kind::boolean);
      case 'n': return word("null", Json::Kind::null);
      default: return number();
    }
  }

  Json word(const char* wanted, Json::Kind kind) {
    if (text_.compare(at_, std::char_traits<char>::length(wanted), wanted) != 0) {
      wrong("a value must begin");
    }
    at_ += std::char_traits<char>::length(wanted);
    return {kind, {}, wanted, {}};
  }

  Json number() {
    const size_t begin = at_;
    take('-');
    if (!take('0')) digits("a value must begin");
    if (take('.')) digits("a digit must follow the point");
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      digits("an exponent must have digits");
    }
    return {Json::Kind::number, {}, text_.substr(begin, at_ - begin), {}};
  }

  void digits(const char* why) {
    if (!is_digit()) wrong(why);
    while (is_digit()) ++at_;
  }

  // An array or an object.
  Json list(int depth) {
    const bool is_object = peek() == '{';
    const char closing = is_object ? '}' : ']';
    Json found;
    found.kind = is_object ? Json::Kind::object : Json::Kind::array;
    ++at_;
    skip_spaces();
    if (take(closing)) return found;
    while (true) {
      std::string key;
      if (is_object) {
        skip_spaces();
        if (peek() != '"') wrong("a name in quotation marks must be");
        key = string();
        skip_spaces();
        if (!take(':')) wrong("a colon must be");
      }
      found.items.push_back(value(depth + 1));
      found.items.back().key = std::move(key);
      skip_spaces();
      if (take(closing)) return found;
      if (!take(',')) wrong("a comma or the closing bracket must be");
    }
  }

  std::string string() {
    std::string found;
    ++at_;
    while (!take('"')) {
      if (static_cast<unsigned char>(peek()) < 0x20) wrong("a string must not end or break");
      if (take('\\')) {
        escape(&found);
      } else {
        found += text_[at_++];
      }
    }
    return found;
  }

  void escape(std::string* found) {
    if (take('u')) {
      uint32_t code = unit();
      if (code >= 0xd800 && code < 0xdc00) {
        const uint32_t low = take('\\') && take('u') ? unit() : 0;
        if (low < 0xdc00 || low > 0xdfff) wrong("the second half of a character must be");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      } else if (code >= 0xdc00 && code <= 0xdfff) {
        wrong("the first half of a character must come");
      }
      return append(code, found);
    }
    constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    const size_t which = at_ < text_.size() ? from.find(peek()) : npos;
    if (which == npos) wrong("an escape that JSON knows must be");
    ++at_;
    *found += to[which];
  }

  uint32_t unit() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      constexpr std::string_view hexadecimal = "0123456789abcdefABCDEF";
      const size_t digit = at_ < text_.size() ? hexadecimal.find(peek()) : npos;
      if (digit == npos) wrong("four hexadecimal digits must be");
      ++at_;
      code = code * 16 + static_cast<uint32_t>(digit < 16 ? digit : digit - 6);
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

  static constexpr size_t npos = std::string_view::npos;
  const std::string& text_;
  size_t at_ = 0;
};

}  // namespace

const Json* Json::find(const std::string& name) const {
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    if (kind == Kind::object && item->key == name) return &*item;
  }
  return nullptr;
}

const char* name(Json::Kind kind) {
  switch (kind) {
    case Json::Kind::null: return "null";
    case Json::Kind::boolean: return "a boolean";
    case Json::Kind::number: return "a number";
    case Json::Kind::string: return "a string";
    case Json::Kind::array: return "an array";
    case Json::Kind::object: return "an object";
  }
  return "";
}

Json parse_json(const std::string& text) { return Parser(text).whole(); }

}  // namespace kgf::engine
