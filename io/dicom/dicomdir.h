// DICOMDIR, the table of contents of a DICOM disc (PS3.10, PS3.3 annex F): which image files belong to it.
#pragma once

#include <filesystem>
#include <vector>

#include "core/error.h"

namespace lynceus::io::dicom {

struct DicomdirFiles {
  std::vector<std::filesystem::path> files;  ///< images that are there, below the DICOMDIR's folder; sorted, each once
  int named = 0;                             ///< images that it names
  int missing = 0;                           ///< of these: that are not there
  int refused = 0;                           ///< of these: whose names would lead out of the folder or are no names
};

/// Names are found as copies of discs have them: in upper or lower case, with a version (";1") or a dot at the end.
/// Records that are marked as not in use are left out. Any thread.
/// @return an error where the file is not a DICOMDIR or breaks the bounds of the pre-scan.
Expected<DicomdirFiles> readDicomdir(const std::filesystem::path& path);

}  // namespace lynceus::io::dicom
