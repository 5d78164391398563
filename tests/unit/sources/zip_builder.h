// ZIP files for tests, written by libzip, and made wrong afterwards.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <zip.h>

namespace lynceus::test {

struct ZipMember {
  std::string name, content;
  int method = ZIP_CM_DEFLATE;
  bool encrypted = false;
};

inline void writeZip(const std::filesystem::path& path, const std::vector<ZipMember>& members) {
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  for (const ZipMember& m : members) {
    zip_source_t* source = zip_source_buffer(zip, m.content.data(), m.content.size(), 0);
    const auto index = static_cast<zip_uint64_t>(zip_file_add(zip, m.name.c_str(), source, ZIP_FL_ENC_UTF_8));
    zip_set_file_compression(zip, index, m.method, 0);
    if (m.encrypted) zip_file_set_encryption(zip, index, ZIP_EM_AES_256, "secret");
  }
  zip_close(zip);
}

inline std::string bytesOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void writeBytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// All files below `folder`, by their relative paths.
inline void zipFolder(const std::filesystem::path& folder, const std::filesystem::path& path,
                      int method = ZIP_CM_DEFLATE) {
  std::vector<ZipMember> members;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    members.push_back({std::filesystem::relative(entry.path(), folder).string(), bytesOf(entry.path()), method});
  }
  writeZip(path, members);
}

/// Overwrites the little-endian number `offset` bytes into each entry of the directory.
inline void patchDirectory(const std::filesystem::path& path, size_t offset, size_t bytes, uint64_t value) {
  std::string zip = bytesOf(path);
  for (size_t at = zip.find("PK\1\2"); at != std::string::npos; at = zip.find("PK\1\2", at + 1)) {
    for (size_t i = 0; i < bytes; ++i) zip[at + offset + i] = static_cast<char>(value >> 8 * i);
  }
  writeBytes(path, zip);
}

}  // namespace lynceus::test
