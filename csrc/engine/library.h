// A shared library opened at run time.
#pragma once

#include <string>
#include <vector>

namespace kgf::engine {

// Opens a library by path or, without a folder in it, where the system looks; it stays open for good.
// Null where that fails, and `why` has the system's words.
void* open_library(const std::string& path, std::string* why);
// Null if it has no such name.
void* find_symbol(void* library, const char* name);

// What was given, or if that is empty the environment variable's, or nothing.
std::string given_or_environment(const std::string& given, const char* variable);

struct Wanted {
  std::string what;   // such as "ONNX Runtime"
  std::string named;  // its path; empty for the usual names
  std::vector<std::string> usual_names;
  std::string option, variable;  // where it can be named
};
// Throws Failure(KGF_BACKEND_ERROR) with the system's words where it cannot be had.
void* open_named(const Wanted& wanted);

}  // namespace kgf::engine
