// A shared library opened at run time.
#pragma once

#include <string>

namespace kgf::engine {

// Opens a library by path or, without a folder in it, where the system looks; it stays open for good.
// Null where that fails, and `why` has the system's words.
void* open_library(const std::string& path, std::string* why);
// Null if it has no such name.
void* find_symbol(void* library, const char* name);

}  // namespace kgf::engine
