// One DICOM file: its header, and its pixels as Hounsfield units.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/error.h"
#include "io/dicom/series.h"
#include "io/location.h"

namespace lynceus::io::dicom {

/// The CT slices of one file as its header describes them, with the series they belong to.
struct SliceHeaders {
  std::vector<Instance> instances;                 ///< one for each frame; of a file with one image: one
  std::shared_ptr<const SeriesIdentity> identity;  ///< of many slices it is the same
};

/// A DICOM file that is not a CT image.
struct OtherObject {
  std::string what;  ///< "MR image", "DICOMDIR"
};

struct NotDicom {};

/// Reads up to the pixel data. An error names the file and what is wrong with it. Any thread.
Expected<std::variant<SliceHeaders, OtherObject, NotDicom>> readSliceHeaders(const Location& location);

struct SlicePixels {
  double largestRoundingHu = 0;  ///< 0 where slope and intercept are integral
  int16_t paddingHu = 0;         ///< kAirHu where the file names no padding value
};

/// Decodes the slice and converts it with its own rescale slope and intercept.
/// Pixels of the padding value whose HU do not fit int16 become air; any other value outside int16 is an error.
/// @param hu  rows * columns values, row by row. Any thread.
Expected<SlicePixels> readSlicePixels(const Instance& instance, std::span<int16_t> hu);

}  // namespace lynceus::io::dicom
