// De-identification of files: which images can be, where the new files go, what is left out and why.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/job/context.h"
#include "io/dicom/deidentify.h"

namespace lynceus::io::dicom {

/// Why a file has no de-identified copy.
enum class LeftOutBecause {
  notDicom,
  damaged,   ///< the pre-scan refuses it, or it cannot be read
  notImage,  ///< a report, a document, a presentation, raw data: its text or content would need a person to clean it
  burnedIn,  ///< its pixels may show who the patient is
};

struct LeftOutFile {
  std::filesystem::path path;
  LeftOutBecause because = LeftOutBecause::notDicom;
  std::string reason;  ///< one sentence that names the file and no value that could identify a patient
};

struct DeidentifyReport {
  int written = 0, patients = 0, studies = 0, series = 0;
  std::vector<LeftOutFile> leftOut;                  ///< ordered by path
  std::vector<std::filesystem::path> mayBeBurnedIn;  ///< written because the options say so, ordered by path
  int unreadableFolders = 0;

  int count(LeftOutBecause because) const;
};

/// Writes a de-identified copy of each image at or below `in` to
///   out / <pseudonym> / <hash of the study> / <series number>-<hash of the series> / <new SOP Instance UID>.dcm
/// on all threads. Each file is complete or not there; an older file of that name is replaced, and of two inputs with
/// one SOP Instance UID the second gets "-2". Pixels keep their bits and their compression; only a deflated file is
/// written without compression. Which file goes where does not depend on the number of threads.
/// Nothing but images is written. An image whose header says that text is burned in, or that does not say it is not
/// and is of a kind that often shows some (secondary capture, ultrasound, endoscopy, colour CT, dose and protocol
/// pages), or whose pixel words carry an overlay, is left out unless options.includeBurnedIn.
/// @return ErrorCode::wrongUse where `in` does not exist, one of the folders lies in the other, or
/// options.patientId would give several patients one name; ErrorCode::resource where a file cannot be written;
/// ErrorCode::cancelled. In the last two cases the files written so far stay.
Expected<DeidentifyReport> deidentifyFiles(const std::filesystem::path& in, const std::filesystem::path& out,
                                           const DeidentifyOptions& options, const PseudonymKey& key,
                                           job::Context& context);

}  // namespace lynceus::io::dicom
