// Text of anyone's as text that can be shown.
#pragma once

#include <string>
#include <string_view>

namespace kgf::engine {

// `text` as valid UTF-8 of at most `most` bytes. Bytes that are not UTF-8 and control characters other
// than tabs and newlines become escapes such as \xff. A longer text ends in "…" after a whole character.
std::string printable(std::string_view text, size_t most);

}  // namespace kgf::engine
