// Where the bytes of a file lie: on disk, or inside a ZIP file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

namespace lynceus::io {

class ZipFile;

struct Location {
  std::filesystem::path path;          ///< as a person reads it: study.zip/CT/1.dcm for a member of a ZIP file
  std::shared_ptr<const ZipFile> zip;  ///< null: a file on disk
  uint64_t member = 0;                 ///< index in the ZIP file's directory
};

}  // namespace lynceus::io
