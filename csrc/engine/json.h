// JSON, read strictly and whole, with a limit on its depth.
#pragma once

#include <string>
#include <vector>

namespace kgf::engine {

struct Json {
  enum class Kind { null, boolean, number, string, array, object };

  Kind kind = Kind::null;
  std::string key;   // within an object
  std::string text;  // of a string; of a number or a boolean as it is written
  std::vector<Json> items;

  // The member of that name, the last where there are several; null where there is none.
  const Json* find(const std::string& name) const;
};

// "a string", "a number": for messages.
const char* name(Json::Kind kind);

// Throws std::invalid_argument, which says what is wrong at which byte, for what is not JSON or nests
// more than 16 deep.
Json parse_json(const std::string& text);

}  // namespace kgf::engine
