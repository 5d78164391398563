// The loading side of source.h: one series as a volume.
#include <algorithm>
#include <cmath>
#include <mutex>
#include <new>
#include <optional>
#include <tuple>

#include "core/image/slice_stack.h"
#include "core/parallel.h"
#include "io/dicom/slice.h"
#include "io/formats/image_file.h"
#include "io/memory.h"
#include "io/source.h"

namespace lynceus::io {
namespace {

using dicom::GeometryClass;
using dicom::Instance;
using dicom::Series;
using image::StackPlan;

constexpr size_t kMostRemarks = 20;  // about single slices

std::string remedyFor(const dicom::GeometryReport& report) {
  const bool atOnePlace = report.geometryClass == GeometryClass::duplicate && !report.resamplable();
  if (atOnePlace) return "give a series whose slices cover a volume";
  switch (report.geometryClass) {
    case GeometryClass::gap:
      return "send the whole series again from the scanner or the PACS, or interpolate with --accept-geometry";
    case GeometryClass::duplicate:
      return "send the series again, or take the first of the slices at each place with --accept-geometry";
    case GeometryClass::uneven:
      return "use a reconstruction of even slice distance, or resample this one with --accept-geometry";
    case GeometryClass::localizer: return "use the axial series";
    case GeometryClass::mixedOrientation:
    case GeometryClass::mixedSize: return "send each reconstruction as a series of its own";
    case GeometryClass::notAVolume:
    case GeometryClass::tilted:
    case GeometryClass::regular: break;
  }
  return "give a folder with all slices of a CT series";
}

tl::unexpected<Error> refuseGeometry(const Source& source, const Series& series) {
  std::string left;
  if (!source.skipped.damaged.empty()) {
    left = fmt::format(" ({} could not be read: {})", source.skipped.damaged.size(),
                       source.skipped.damaged.front().reason);
  }
  return makeError(ErrorCode::badGeometry, "series '{}' is not a regular volume ({}): {}{}; {}", series.name(),
                   geometryClassName(series.report.geometryClass), series.report.verdict(), left,
                   remedyFor(series.report));
}

image::Geometry geometryOf(const Series& series) {
  const dicom::SlicePlane& first = series.instances.front().plane;
  image::Geometry g;
  g.size = series.size;
  g.spacingMm = series.spacingMm;
  g.originMm = *first.positionMm;
  // Header digits leave the axes a little off; the normal and the row decide, the column follows.
  const image::Vec3& normal = series.report.normal;
  const image::Vec3 row = *first.rowDirection - normal * dot(*first.rowDirection, normal);
  const image::Vec3 column = cross(normal, row);
  g.direction = {row * (1 / norm(row)), column * (1 / norm(column)), normal};
  return g;
}

void addRoundingRemark(LoadedSeries& loaded, double largest) {
  if (largest > 0) loaded.remarks.push_back(fmt::format("Hounsfield units were rounded by up to {:.3f}", largest));
}

void addProblemRemarks(LoadedSeries& loaded) {
  const auto& problems = loaded.report.problems;
  for (size_t i = 0; i < std::min(problems.size(), kMostRemarks); ++i) loaded.remarks.push_back(problems[i].sentence);
  if (problems.size() > kMostRemarks)
    loaded.remarks.push_back(fmt::format("and {} more such remarks on the slices", problems.size() - kMostRemarks));
}

Expected<LoadedSeries> loadImageFile(const Source& source, size_t index) {
  auto file = readImage(source.path);
  if (!file) return passError(file);
  const Series& series = source.series[index];
  LoadedSeries loaded{std::move(file->volume), describeSeries(source, index), series.identity, series.report, {}};
  addRoundingRemark(loaded, file->largestRoundingHu);
  return loaded;
}

// Reads slices on any thread and keeps what they say: progress that only grows, the first slice's error of several.
class SliceReader {
 public:
  SliceReader(const std::vector<Instance>& instances, size_t reads, job::Context& context)
      : m_instances(instances), m_reads(reads), m_results(instances.size()), m_context(context) {}

  /// @return false where it failed or the user stopped the work. Two threads may read the same slice.
  bool read(size_t i, std::span<int16_t> hu) {
    if (m_context.cancelled()) return false;
    auto result = dicom::readSlicePixels(m_instances[i], hu);
    const bool good = result.has_value();
    const std::lock_guard lock(m_mutex);
    m_results[i] = std::move(result);
    m_context.progress(std::min(1.0, static_cast<double>(++m_done) / static_cast<double>(m_reads)), "reading slices");
    return good;
  }

  /// After all reads. @return the largest rounding of a value, in HU.
  Expected<double> finish() const {
    if (m_context.cancelled()) return makeError(ErrorCode::cancelled, "stopped while reading slices");
    double rounding = 0;
    for (const auto& result : m_results) {
      if (!result) return passError(result);
      rounding = std::max(rounding, result->largestRoundingHu);
    }
    return rounding;
  }
  /// kAirHu where the slice was not read.
  int16_t paddingHu(size_t i) const { return m_results[i] ? m_results[i]->paddingHu : image::kAirHu; }

 private:
  const std::vector<Instance>& m_instances;
  size_t m_reads, m_done = 0;
  std::vector<Expected<dicom::SlicePixels>> m_results;
  job::Context& m_context;
  std::mutex m_mutex;
};

Expected<LoadedSeries> finishSeries(const Source& source, size_t index, const image::Geometry& grid,
                                    image::VoxelBuffer hu, int16_t paddingHu, const SliceReader& reader) {
  const auto rounding = reader.finish();
  if (!rounding) return passError(rounding);
  auto volume = image::Volume::create(grid, std::move(hu), paddingHu);
  if (!volume) return passError(volume);
  const Series& series = source.series[index];
  LoadedSeries loaded{std::move(*volume), describeSeries(source, index), series.identity, series.report, {}};
  addRoundingRemark(loaded, *rounding);
  addProblemRemarks(loaded);
  return loaded;
}

// Every slice goes straight to its place in the volume.
Expected<LoadedSeries> loadRegular(const Source& source, size_t index, job::Context& context,
                                   image::VoxelBuffer::Kind memory) {
  const Series& series = source.series[index];
  const image::Geometry grid = geometryOf(series);
  if (auto fits = checkMemory(series.name(), grid.voxelCount(), sizeof(int16_t)); !fits) return passError(fits);
  const auto sliceVoxels = static_cast<size_t>(grid.offset(0, 0, 1));
  auto hu = image::VoxelBuffer::allocate(static_cast<size_t>(grid.voxelCount()), memory);
  if (!hu) return passError(hu);
  SliceReader reader(series.instances, series.instances.size(), context);
  parallelFor(grid.size.z, [&](int64_t z) {
    const auto k = static_cast<size_t>(z);
    reader.read(k, hu->values().subspan(k * sliceVoxels, sliceVoxels));
  });
  return finishSeries(source, index, grid, std::move(*hu), reader.paddingHu(0), reader);
}

// The slices of a plan, decoded when a slice of the grid needs them. A block of slices of the grid is made by one
// thread, which keeps the two slices it used last: few are read twice, and no second volume is held.
class PlannedStack {
 public:
  static constexpr int kBlock = 8;  // slices of the grid

  PlannedStack(const StackPlan& plan, const std::vector<size_t>& chosen, int columns, int rows, SliceReader& reader)
      : m_plan(plan),
        m_chosen(chosen),
        m_columns(columns),
        m_sliceVoxels(static_cast<size_t>(columns) * static_cast<size_t>(rows)),
        m_gridVoxels(static_cast<size_t>(plan.grid.offset(0, 0, 1))),
        m_reader(reader) {}

  void fill(std::span<int16_t> hu, int16_t fillHu) const {
    const int slices = m_plan.grid.size.z;
    parallelFor((slices + kBlock - 1) / kBlock, [&](int64_t block) {
      Kept below, above;
      std::vector<int16_t> raw(m_sliceVoxels);
      const auto first = static_cast<size_t>(block) * kBlock;
      for (size_t z = first; z < std::min(first + kBlock, static_cast<size_t>(slices)); ++z) {
        const StackPlan::Mix& mix = m_plan.mixes[z];
        const auto out = hu.subspan(z * m_gridVoxels, m_gridVoxels);
        if (below.slice != mix.below && above.slice == mix.below) std::swap(below, above);
        if (mix.below == mix.above) {
          if (!(below.slice == mix.below ? copy(below, out) : place(mix.below, raw, fillHu, out))) return;
          continue;
        }
        if (!keep(mix.below, raw, fillHu, below) || !keep(mix.above, raw, fillHu, above)) return;
        image::mixSlices(below.hu, above.hu, mix.weightAbove, out);
      }
    });
  }

 private:
  struct Kept {
    std::optional<size_t> slice;
    std::vector<int16_t> hu;  // in the grid's rows and columns
  };

  static bool copy(const Kept& kept, std::span<int16_t> out) {
    std::copy(kept.hu.begin(), kept.hu.end(), out.begin());
    return true;
  }
  bool place(size_t slice, std::vector<int16_t>& raw, int16_t fillHu, std::span<int16_t> out) const {
    if (!m_reader.read(m_chosen[slice], raw)) return false;
    image::shiftSlice(raw, m_columns, m_plan.offsets[slice], fillHu, out, m_plan.grid.size.x);
    return true;
  }
  bool keep(size_t slice, std::vector<int16_t>& raw, int16_t fillHu, Kept& kept) const {
    if (kept.slice == slice) return true;
    kept.slice.reset();
    kept.hu.resize(m_gridVoxels);
    if (!place(slice, raw, fillHu, kept.hu)) return false;
    kept.slice = slice;
    return true;
  }

  const StackPlan& m_plan;
  const std::vector<size_t>& m_chosen;  // instances of the plan's slices
  int m_columns;
  size_t m_sliceVoxels, m_gridVoxels;
  SliceReader& m_reader;
};

// Of slices at one place, the first by instance number and UID.
std::vector<size_t> oneSliceForEachPlace(const Series& series) {
  const auto& instances = series.instances;
  const auto along = [&](size_t i) { return dot(*instances[i].plane.positionMm, series.report.normal); };
  const auto before = [&](size_t a, size_t b) {
    const Instance &x = instances[a], &y = instances[b];
    return std::tie(x.instanceNumber, x.sopInstanceUid, x.frame) <
           std::tie(y.instanceNumber, y.sopInstanceUid, y.frame);
  };
  std::vector<size_t> chosen;
  for (size_t i = 0; i < instances.size(); ++i) {
    const bool samePlace = i > 0 && along(i) - along(i - 1) <= dicom::kNoNoticeMm;
    if (!samePlace) {
      chosen.push_back(i);
    } else if (before(i, chosen.back())) {
      chosen.back() = i;
    }
  }
  return chosen;
}

std::string correctionRemark(const Series& series, const StackPlan& plan, size_t leftOut) {
  if (series.report.usable()) {
    return fmt::format("gantry tilt of {:.2f} degrees was straightened by shifting slices (linear interpolation)",
                       std::abs(series.report.tiltDegrees));
  }
  const std::string first =
      leftOut == 0
          ? ""
          : fmt::format("; of slices at the same place the first by instance number was taken, {} left out", leftOut);
  const bool shifted = plan.grid.size.x != series.size.x || plan.grid.size.y != series.size.y;
  return fmt::format(
      "the geometry was accepted as it is (--accept-geometry): resampled along the slice normal from {} slices to {} "
      "every {:.4g} mm (linear interpolation){}{}",
      series.instances.size() - leftOut, plan.grid.size.z, plan.grid.spacingMm.z,
      shifted ? ", slices shifted sideways to their places" : "", first);
}

// Slices that need a shift or an even distance: sheared or resampled onto the grid that holds them all.
Expected<LoadedSeries> loadCorrected(const Source& source, size_t index, job::Context& context,
                                     image::VoxelBuffer::Kind memory) {
  const Series& series = source.series[index];
  const bool tiltOnly = series.report.usable();
  const std::vector<size_t> chosen = oneSliceForEachPlace(series);
  std::vector<image::Point3> places;
  for (const size_t i : chosen) places.push_back(*series.instances[i].plane.positionMm);
  const image::Geometry slice = geometryOf(series);
  const auto plan = tiltOnly ? image::planShear(slice, places) : image::planResample(slice, places);
  if (!plan) return makeError(plan.error().code, "series '{}': {}", series.name(), plan.error().message);
  const image::Geometry& grid = plan->grid;
  if (auto fits = checkMemory(series.name(), grid.voxelCount(), sizeof(int16_t)); !fits) return passError(fits);

  SliceReader reader(series.instances, chosen.size(), context);
  std::vector<int16_t> firstSlice(static_cast<size_t>(slice.size.x) * static_cast<size_t>(slice.size.y));
  const auto head = dicom::readSlicePixels(series.instances[chosen.front()], firstSlice);  // for the padding value
  if (!head) return passError(head);
  auto hu = image::VoxelBuffer::allocate(static_cast<size_t>(grid.voxelCount()), memory);
  if (!hu) return passError(hu);
  PlannedStack(*plan, chosen, slice.size.x, slice.size.y, reader).fill(hu->values(), head->paddingHu);
  auto loaded = finishSeries(source, index, grid, std::move(*hu), head->paddingHu, reader);
  if (loaded) loaded->remarks.push_back(correctionRemark(series, *plan, series.instances.size() - chosen.size()));
  return loaded;
}

}  // namespace

Expected<LoadedSeries> loadSeries(const Source& source, size_t index, job::Context& context,
                                  const LoadOptions& options) {
  if (index >= source.series.size()) {
    return makeError(ErrorCode::internal, "series {} of {} does not exist", index, source.series.size());
  }
  const Series& series = source.series[index];
  const bool accepted = options.acceptGeometry && series.report.resamplable();
  if (!series.report.usable() && !accepted) return refuseGeometry(source, series);
  try {
    auto loaded = source.isImageFile        ? loadImageFile(source, index)
                  : series.report.regular() ? loadRegular(source, index, context, options.memory)
                                            : loadCorrected(source, index, context, options.memory);
    if (loaded) loaded->remarks.insert(loaded->remarks.begin(), source.remarks.begin(), source.remarks.end());
    return loaded;
  } catch (const std::bad_alloc&) {
    return makeError(ErrorCode::resource, "{}: there is not enough memory for this volume", source.path.string());
  }
}

}  // namespace lynceus::io
