// A CT series as its headers describe it: who, what, which files in which order, and what the geometry gate says.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/image/geometry.h"
#include "io/dicom/geometry_gate.h"

namespace lynceus::io::dicom {

/// One slice: a file and what its header says.
struct Instance {
  std::filesystem::path path;
  std::string sopInstanceUid, transferSyntaxUid;
  SlicePlane plane;
  image::Point3 positionMm;  ///< plane.positionMm, or zero where the file has none
  int instanceNumber = 0;
  int rows = 0, columns = 0;
  double rescaleSlope = 1, rescaleIntercept = 0;
  std::optional<double> gantryTiltDegrees;  ///< advisory: the gate measures the tilt from the positions
  std::string damage;                       ///< one sentence where the file is cut off, else empty
};

/// UTF-8 whatever the file's character set; empty or absent where the files say nothing.
struct SeriesIdentity {
  std::string patientId, patientName, patientBirthDate, patientSex;
  std::string studyUid, studyDate, studyTime, studyDescription, studyId, accessionNumber;
  std::string seriesUid, seriesDescription, seriesDate, frameOfReferenceUid;
  std::string modality, bodyPart, kernel, contrast, manufacturer, manufacturerModel;
  int seriesNumber = 0;
  std::optional<double> sliceThicknessMm, kvp;
};

/// A series of DICOM slices, or an image file seen as one (then `instances` is empty).
struct Series {
  SeriesIdentity identity;
  std::vector<Instance> instances;  ///< in the order of the report: ascending along the slice normal
  image::Int3 size;                 ///< columns, rows, slices
  image::Vec3 spacingMm;            ///< z: along the normal
  std::string compression;          ///< name of the transfer syntax, or the format of the image file
  GeometryReport report;

  /// The description, or the number, or the UID: what a person calls it.
  std::string name() const;
};

}  // namespace lynceus::io::dicom
