// Volumes in research formats: NIfTI (.nii, .nii.gz), MetaImage (.mha, .mhd) and NRRD (.nrrd, .nhdr), through ITK.
#pragma once

#include <filesystem>
#include <string>

#include "core/error.h"
#include "core/image/volume.h"

namespace lynceus::io {

/// By its name: does the path end in one of the extensions above (any case)?
bool isImageFileName(const std::filesystem::path& path);

struct ImageFileInfo {
  image::Geometry geometry;
  std::string format;     ///< "NIfTI", "MetaImage", "NRRD"
  std::string voxelType;  ///< "short", "float", …
};

/// Reads the header only. Refuses anything but a 3D scalar grid with orthonormal axes.
Expected<ImageFileInfo> readImageFileInfo(const std::filesystem::path& path);

struct ImageFile {
  image::Volume volume;
  double largestRoundingHu = 0;  ///< 0 where every value was integral
};

/// Values are Hounsfield units. Integral ones are taken over exactly, others are rounded once; values outside int16
/// or not finite are an error. NIfTI's RAS becomes LPS.
Expected<ImageFile> readImage(const std::filesystem::path& path);

/// readImage without the rounding report.
Expected<image::Volume> readImageFile(const std::filesystem::path& path);

/// Can writeImageFile write this? .nii, .nii.gz, .mha or .nrrd, in a folder that exists (ErrorCode::wrongUse) and lets
/// us write (ErrorCode::resource).
Expected<void> checkWritable(const std::filesystem::path& path);

/// Writes int16 HU, atomically: under a temporary name beside `path`, read back and compared, then renamed.
/// @return what checkWritable says, or ErrorCode::resource where the disk is full; then nothing stays behind.
Expected<void> writeImageFile(const image::Volume& volume, const std::filesystem::path& path);

}  // namespace lynceus::io
