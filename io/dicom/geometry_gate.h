// The geometry gate: do the slices of a series form a regular volume? Says with millimetres and slice numbers what is
// wrong where they do not, and never claims that a series is complete: slices missing at either end cannot be known.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/image/geometry.h"

namespace lynceus::io::dicom {

/// What a series is, worst first: the class of a report is the first of these that applies.
enum class GeometryClass {
  notAVolume,        ///< a single slice, or slices that do not say where they lie
  localizer,         ///< survey images, alone or among the slices
  mixedOrientation,  ///< slices that are not parallel
  mixedSize,         ///< slices of different matrix or pixel size
  duplicate,         ///< two slices at one position
  gap,               ///< slices missing in between
  uneven,            ///< distances that differ by more than a tenth, or single slices shifted sideways
  tilted,            ///< slices shifted sideways evenly from one to the next (gantry tilt), and nothing else
  regular,
};

/// notice: a reader should know; bad: no 3D measurement and no detection without a correction.
enum class Severity { notice, bad };

/// What the gate needs to know of one slice: plain numbers, as the file says them.
struct SlicePlane {
  std::optional<image::Point3> positionMm;  ///< centre of the first pixel, LPS (0020,0032)
  std::optional<image::Vec3> rowDirection;  ///< direction of increasing column index (0020,0037)
  std::optional<image::Vec3> columnDirection;
  double pixelSpacingXMm = 0;  ///< between columns, second value of (0028,0030)
  double pixelSpacingYMm = 0;  ///< between rows, first value of (0028,0030)
  int rows = 0, columns = 0;
  int instanceNumber = 0;           ///< breaks ties of equal positions, nothing else
  bool localizer = false;           ///< value 3 of Image Type (0008,0008) is LOCALIZER
  std::string frameOfReferenceUid;  ///< (0020,0052), empty where the file has none
};

/// Position, orientation and pixel size are there and can be true.
bool saysWhereItLies(const SlicePlane& slice);

struct GeometryProblem {
  GeometryClass kind = GeometryClass::uneven;  ///< regular: a notice that concerns no class
  Severity severity = Severity::bad;
  std::vector<int> slices;  ///< numbers from 1 in the order of the report; for a gap the slice before and the one after
  double mm = 0;            ///< how far off: length of the gap, deviation from the regular place, sideways shift
  std::string sentence;     ///< for a person, without a final period
};

struct GeometryReport {
  GeometryClass geometryClass = GeometryClass::notAVolume;
  std::vector<size_t> order;  ///< indices of the given slices, ascending along the normal
  image::Vec3 normal;         ///< unit vector: row direction x column direction of the first slice
  double spacingMm = 0;       ///< along the normal: (last - first) / (n - 1); with gaps or duplicates the median step
  double firstMm = 0, lastMm = 0;  ///< positions of the first and last slice along the normal
  double tiltDegrees = 0;          ///< sideways shift as an angle about the row direction; 0 where there is none
  double largestDeviationMm = 0;   ///< of any slice from its place in the regular grid, along the normal
  std::vector<GeometryProblem> problems;

  bool regular() const { return geometryClass == GeometryClass::regular; }
  /// A volume without guessing: regular, or tilted and nothing else, which loading shears straight.
  bool usable() const { return geometryClass >= GeometryClass::tilted; }
  /// Parallel slices of one size at two places or more: resampling along the normal makes a volume of what is there.
  bool resamplable() const { return geometryClass >= GeometryClass::duplicate && spacingMm > 0; }
  /// One sentence: the first problem that makes the series not regular, or that it is regular.
  std::string verdict() const;
};

/// Thresholds: what lies within 0.01 mm is noise and gives no notice; above 1 % of the spacing a notice; above 10 %,
/// or where a slice is missing, bad. A sideways shift adds up over the stack, so below half a degree it must exceed
/// half a pixel as well before it is bad: rounded direction cosines alone reach a tenth of a millimetre.
inline constexpr double kNoNoticeMm = 0.01;
inline constexpr double kNoticeFraction = 0.01;
inline constexpr double kBadFraction = 0.10;
inline constexpr double kSmallestTiltDegrees = 0.5;
/// No gantry leans further (30 degrees in practice): a steeper sideways shift is something else, and uneven.
inline constexpr double kSteepestTiltDegrees = 45;

/// Pure function, any thread, O(n log n). The order of `slices` does not matter, except that equal slices keep it.
GeometryReport checkGeometry(const std::vector<SlicePlane>& slices);
/// The same without copies; no pointer may be null.
GeometryReport checkPlanes(std::span<const SlicePlane* const> slices);

/// "regular", "mixed orientation", …
std::string_view geometryClassName(GeometryClass c);

}  // namespace lynceus::io::dicom
