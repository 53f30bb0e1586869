#include "engine/files.h"

#include <filesystem>
#include <fstream>

#include "engine/failure.h"

namespace kgf::engine {

std::vector<char> read_file(const std::string& path, uintmax_t most) {
  const std::filesystem::path place = std::filesystem::u8path(path);
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(place, ignored);
  if (is_directory(status)) fail(KGF_FILE_ERROR, path, " is a folder");
  // A pipe may never be written to, and a device may never end.
  if (exists(status) && !is_regular_file(status)) {
    fail(KGF_FILE_ERROR, path, " must be a regular file, got a pipe, a socket or a device");
  }
  std::ifstream file(place, std::ios::binary);
  if (!file) fail(KGF_FILE_ERROR, path, " cannot be read: it is not there, or not to be opened");
  std::vector<char> bytes;
  std::vector<char> block(1 << 20);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount()) {
    bytes.insert(bytes.end(), block.begin(), block.begin() + file.gcount());
    if (bytes.size() > most) {
      fail(KGF_FILE_ERROR, path, " must have at most ", most, " bytes, got more");
    }
  }
  if (file.bad()) fail(KGF_FILE_ERROR, path, " cannot be read to its end");
  if (bytes.empty()) fail(KGF_FILE_ERROR, path, " is empty");
  return bytes;
}

}  // namespace kgf::engine
