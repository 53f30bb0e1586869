// Files that are read as a whole.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kgf::engine {

// The bytes of a regular file; `path` is UTF-8. Throws Failure(KGF_FILE_ERROR) naming the path where it
// cannot be read, is empty, or has more than `most` bytes.
std::vector<char> read_file(const std::string& path, uintmax_t most = UINTMAX_MAX);

}  // namespace kgf::engine
