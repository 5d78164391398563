// Finds the CT slices below a folder and groups them into series. Reads headers only, on all threads.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/job/context.h"
#include "io/dicom/series.h"

namespace lynceus::io::dicom {

struct DamagedFile {
  std::filesystem::path path;
  std::string reason;  ///< one sentence that names the file
};

/// What was seen and not used.
struct SkippedFiles {
  int notDicom = 0;
  int unreadableFolders = 0;
  std::map<std::string, int> notCtImages;  ///< what they are ("MR image", "DICOMDIR") and how many
  std::vector<DamagedFile> damaged;        ///< ordered by path; those with a whole header are in their series as well
};

struct ScanResult {
  std::vector<Series> series;  ///< ordered by study date, series number, UID; each gated and ordered
  SkippedFiles skipped;
};

/// All regular files at or below `folder`, sorted by path; symbolic links to folders are not followed.
/// @param unreadableFolders  incremented for each folder that may not be opened.
std::vector<std::filesystem::path> listFiles(const std::filesystem::path& folder, bool nested, int& unreadableFolders);

/// Looks at the first 140 bytes only: "DICM" at byte 128, or what may be the start of a data set without preamble.
bool mayBeDicom(const std::filesystem::path& file);

/// The result does not depend on the order of `files` nor on the number of threads.
Expected<ScanResult> scanFiles(std::vector<std::filesystem::path> files, job::Context& context);

}  // namespace lynceus::io::dicom
