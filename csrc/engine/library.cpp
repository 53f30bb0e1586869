#include "engine/library.h"

#include <cstdlib>

#include "engine/failure.h"

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace kgf::engine {

#ifdef _WIN32

void* open_library(const std::string& path, std::string* why) {
  const int units = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
  std::wstring wide(units, L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), units);
  HMODULE library = LoadLibraryW(wide.c_str());
  if (!library) *why = path + ": error " + std::to_string(GetLastError());
  return library;
}

void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

#else

void* open_library(const std::string& path, std::string* why) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* words = dlerror();
    *why = words ? words : path + " cannot be opened";
  }
  return library;
}

void* find_symbol(void* library, const char* name) { return dlsym(library, name); }

#endif

std::string given_or_environment(const std::string& given, const char* variable) {
  const char* set = given.empty() ? std::getenv(variable) : nullptr;
  return set ? set : given;
}

void* open_named(const Wanted& wanted) {
  std::string why, all;
  if (!wanted.named.empty()) {
    if (void* library = open_library(wanted.named, &why)) return library;
    fail(KGF_BACKEND_ERROR, wanted.what, " was asked for at ", wanted.named,
         " and cannot be opened: ", why);
  }
  for (const std::string& usual : wanted.usual_names) {
    if (void* library = open_library(usual, &why)) return library;
    all += "; " + why;
  }
  fail(KGF_BACKEND_ERROR, wanted.what, " was not found; name its library as ", wanted.option,
       " or in the environment variable ", wanted.variable, all);
}

}  // namespace kgf::engine
