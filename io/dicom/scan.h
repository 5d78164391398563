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
  int danglingLinks = 0, otherFiles = 0;   ///< links to nothing; pipes, sockets and devices
  int zipFiles = 0;                        ///< within the folder or ZIP file: each is a source of its own
  int copies = 0;                          ///< files that are in their series already, byte for byte
  int missing = 0;                         ///< that a DICOMDIR names and that are not there
  std::map<std::string, int> notCtImages;  ///< what they are ("MR image", "DICOMDIR") and how many
  std::vector<DamagedFile> damaged;        ///< ordered by path; those with a whole header are in their series as well
};

struct ScanResult {
  std::vector<Series> series;  ///< ordered by study date, series number, UID; each gated and ordered
  SkippedFiles skipped;
};

/// The result does not depend on the number of threads; of files that say different things of their series the first
/// one counts.
Expected<ScanResult> scanFiles(const std::vector<Location>& files, job::Context& context);

}  // namespace lynceus::io::dicom
