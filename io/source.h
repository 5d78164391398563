// The one way in for images: a DICOM folder, file, DICOMDIR or ZIP file, or a NIfTI, MetaImage or NRRD file in
// Hounsfield units.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/detect/finding.h"
#include "core/error.h"
#include "core/image/volume.h"
#include "core/job/context.h"
#include "io/dicom/scan.h"
#include "io/dicom/series.h"

namespace lynceus::io {

struct Source {
  std::filesystem::path path;         ///< as given
  bool isImageFile = false;           ///< one NIfTI, MetaImage or NRRD file: one series without instances
  std::vector<dicom::Series> series;  ///< ordered by study date, series number, UID
  dicom::SkippedFiles skipped;
  std::vector<std::string>
      remarks;  ///< sentences a person should read: files that a DICOMDIR names and that are missing
};

struct LoadedSeries {
  image::Volume volume;
  detect::SeriesReference reference;
  dicom::SeriesIdentity identity;
  dicom::GeometryReport report;
  std::vector<std::string>
      remarks;  ///< what a reader should know, such as "Hounsfield units were rounded by up to 0.3"
};

/// Reads headers only. A folder is searched with all folders below it, links included, and stands for the one image
/// file in it where there is no CT in DICOM. A DICOM file stands for its series in its own folder. A DICOMDIR stands
/// for the files that it names, or for its folder where none of them is there. A ZIP file, known by its content, is
/// read as a folder without being unpacked to disk; one that lies in a folder or in another ZIP file is counted and
/// left closed.
/// @return an error if there is no such path or no CT series in it; damaged slices alone are not an error here.
Expected<Source> openSource(const std::filesystem::path& path, job::Context& context);

/// "12 files that are not DICOM, 3 MR images and 1 damaged file"; empty where nothing was left out.
std::string describeSkipped(const dicom::SkippedFiles& skipped);

struct LoadOptions {
  /// Load a series with gaps, uneven distances or duplicate slices too: resampled along the slice normal to an even
  /// grid, of duplicates the first taken, each said in the remarks. What no resampling makes a volume stays refused.
  bool acceptGeometry = false;
  /// Where the voxels of a DICOM series go: shared where they are to cross to another process without a copy.
  image::VoxelBuffer::Kind memory = image::VoxelBuffer::Kind::own;
};

/// Decodes one series on all threads. A tilted series is sheared straight and the remarks say so; any other that the
/// gate does not call regular gives ErrorCode::badGeometry unless the options accept it.
/// @param index  into source.series
Expected<LoadedSeries> loadSeries(const Source& source, size_t index, job::Context& context,
                                  const LoadOptions& options = {});

/// What a result records of a series; instancesSha256 is over the sorted SOP Instance UIDs, or over an image file's
/// bytes.
detect::SeriesReference describeSeries(const Source& source, size_t index);

/// @param seriesUid  empty: the only series.
/// @return the index, or an error (ErrorCode::wrongUse) that lists the series there are.
Expected<size_t> chooseSeries(const Source& source, const std::string& seriesUid);

}  // namespace lynceus::io
