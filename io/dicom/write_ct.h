// Writes a volume as a DICOM CT series, one file for each slice.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/image/volume.h"
#include "core/job/context.h"

namespace lynceus::io::dicom {

/// What the header says besides the pixels. Text is UTF-8; names as DICOM writes them, "Family^Given".
struct CtDescription {
  std::string patientName, patientId;
  std::string patientBirthDate;  ///< YYYYMMDD or empty
  std::string patientSex;        ///< "M", "F", "O" or empty
  std::string patientComments;
  std::string studyDate, studyTime;  ///< YYYYMMDD, HHMMSS
  std::string studyDescription, seriesDescription;
  std::string manufacturer, modelName, softwareVersion;
  std::string convolutionKernel, contrastAgent;
  std::string bodyPart = "CHEST";
  double kvp = 120;
  double sliceThicknessMm = 0;  ///< 0: the distance of the slices
  /// The same text gives the same UIDs: name everything that makes this series different from another one.
  std::string identity;
  bool jpegLs = false;  ///< compress without loss; else explicit little endian
};

struct WrittenSeries {
  std::string studyUid, seriesUid;
  std::vector<std::filesystem::path> files;
};

/// A UID under 2.25 that follows from `text` alone (SHA-256 in the layout of a version 8 UUID, RFC 9562).
std::string uidOf(const std::string& text);

/// Writes slice_0001.dcm and on into `folder`, which is made where it is missing; slices on all threads.
/// HU between -1024 and 3071 are stored as 12 bits with intercept -1024, others as signed 16 bits.
/// @return ErrorCode::resource where the disk is full or the folder cannot be written, ErrorCode::cancelled; then no
/// slice is left behind.
Expected<WrittenSeries> writeCtSeries(const image::Volume& volume, const CtDescription& description,
                                      const std::filesystem::path& folder, job::Context& context);

}  // namespace lynceus::io::dicom
