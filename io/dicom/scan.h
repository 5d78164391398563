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

/// The result does not depend on the number of threads; of files that say different things of their series the first
/// one counts.
Expected<ScanResult> scanFiles(const std::vector<Location>& files, job::Context& context);

}  // namespace lynceus::io::dicom
