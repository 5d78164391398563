// A CT series as its headers describe it: who, what, which files in which order, and what the geometry gate says.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/image/geometry.h"
#include "io/dicom/geometry_gate.h"
#include "io/location.h"

namespace lynceus::io::dicom {

/// Where the pixels of one frame lie and how their bits are laid out (PS3.5 section 8.1.1), as the header says.
struct PixelLayout {
  struct Fragment {
    uint64_t offset = 0;
    uint32_t length = 0;
  };
  int bitsAllocated = 0, bitsStored = 0, highBit = 0;  ///< 0 where the file does not say
  int samplesPerPixel = 1;
  bool isSigned = false;
  bool bigEndian = false;
  int paddingLow = 0,
      paddingHigh = -1;             ///< stored values outside the reconstructed circle (0028,0120); none: low > high
  uint64_t offset = 0;              ///< of this frame, or of the first fragment's item (the offset table)
  uint64_t length = 0;              ///< of this frame; 0 where compressed
  uint64_t deflatedFrom = 0;        ///< where the deflate stream begins that `offset` counts in; 0: not deflated
  bool compressed = false;          ///< in fragments
  std::vector<Fragment> fragments;  ///< of this frame where the file has several frames; else found when read
};

/// What may tell the stacks of one series apart (see series_split.h), as the file says it.
enum class StackKey {
  sopClass,
  imageType,
  kernel,
  acquisitionNumber,
  contrast,
  temporalPosition,  ///< index or identifier
  cardiacPhase,      ///< trigger time, nominal percentage of the cycle
  acquisitionTime,
  frameOfReference,
};
inline constexpr size_t kStackKeys = 9;

/// One slice: a file or a frame of it, and what its header says.
struct Instance {
  Location file;
  uint64_t fileSize = 0;      ///< when its header was read
  int64_t fileTimeNs = 0;     ///< last change of it, then; 0 in a ZIP file
  int frame = 0, frames = 1;  ///< from 0
  std::string sopInstanceUid, transferSyntaxUid;
  SlicePlane plane;
  image::Point3 positionMm;  ///< plane.positionMm, or zero where the file has none
  int instanceNumber = 0;
  int rows = 0, columns = 0;
  std::optional<double> rescaleSlope, rescaleIntercept;
  std::string rescaleType;                  ///< (0028,1054), mostly empty
  std::optional<double> gantryTiltDegrees;  ///< advisory: the gate measures the tilt from the positions
  PixelLayout pixels;
  std::array<std::string, kStackKeys> stackKeys;  ///< by StackKey
  std::string damage;                             ///< one sentence where the file is cut off, else empty
};

/// UTF-8 whatever the file's character set; empty or absent where the files say nothing.
struct SeriesIdentity {
  std::string patientId, patientName, patientBirthDate, patientSex;
  std::string studyUid, studyDate, studyTime, studyDescription, studyId, accessionNumber;
  std::string seriesUid, seriesDescription, seriesDate, frameOfReferenceUid;
  std::string modality, bodyPart, kernel, contrast, manufacturer, manufacturerModel;
  int seriesNumber = 0;
  std::optional<double> sliceThicknessMm, kvp;
  bool textGuessed = false;  ///< the file's character set was wrong or absent, and guessed
  friend bool operator==(const SeriesIdentity&, const SeriesIdentity&) = default;
};

/// A series of DICOM slices, or an image file seen as one (then `instances` is empty).
struct Series {
  SeriesIdentity identity;
  std::vector<Instance> instances;  ///< in the order of the report: ascending along the slice normal
  image::Int3 size;                 ///< columns, rows, slices
  image::Vec3 spacingMm;            ///< z: along the normal
  std::string compression;          ///< name of the transfer syntax, or the format of the image file
  GeometryReport report;
  std::string part;    ///< what makes it a part of a series with this UID: "acquisition 2"; empty: the whole
  int partNumber = 0;  ///< from 1; 0: the whole

  /// The Series Instance UID, for a part followed by # and its number: what --series takes.
  std::string id() const;
  /// The description, or the number, or the UID: what a person calls it.
  std::string name() const;
};

}  // namespace lynceus::io::dicom
