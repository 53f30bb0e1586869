#include "engine/text.h"

#include <algorithm>
#include <cstdint>

namespace kgf::engine {
namespace {

// Length of the character that begins the text, which is not empty; 0 where it is not UTF-8.
size_t character_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first < 0xc2   ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
  if (length == 0 || length > text.size()) return 0;
  uint32_t code = first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  // Neither longer than need be, nor a surrogate, nor beyond the last code.
  const uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  const bool is_character = code >= least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return is_character ? length : 0;
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
}

std::string escaped(char c) {
  constexpr char digits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
}

}  // namespace

std::string printable(std::string_view text, size_t most) {
  constexpr std::string_view ellipsis = "\u2026";
  std::string shown;
  size_t whole = 0;  // end of the last character after which there is room for the ellipsis
  while (!text.empty()) {
    const size_t length = character_length(text);
    if (length == 0 || is_control(text[0])) {
      shown += escaped(text[0]);
    } else {
      shown += text.substr(0, length);
    }
    if (shown.size() > most) {
      shown.resize(whole);
      return shown += ellipsis;
    }
    if (shown.size() + ellipsis.size() <= most) whole = shown.size();
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return shown;
}

}  // namespace kgf::engine
