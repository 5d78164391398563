// The loading side of source.h: one series as a volume.
#include <algorithm>
#include <atomic>
#include <new>

#include <omp.h>

#include "core/parallel.h"
#include "io/dicom/slice.h"
#include "io/formats/image_file.h"
#include "io/memory.h"
#include "io/source.h"

namespace lynceus::io {
namespace {

using dicom::GeometryClass;
using dicom::Series;

std::string remedyFor(GeometryClass c) {
  switch (c) {
    case GeometryClass::gap: return "send the whole series again from the scanner or the PACS";
    case GeometryClass::duplicate: return "keep one of each pair, or send the series again";
    case GeometryClass::tilted: return "use a reconstruction without tilt";
    case GeometryClass::uneven: return "use a reconstruction of even slice distance";
    case GeometryClass::localizer: return "use the axial series";
    case GeometryClass::mixedOrientation:
    case GeometryClass::mixedSize: return "send each reconstruction as a series of its own";
    case GeometryClass::notAVolume:
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
                   remedyFor(series.report.geometryClass));
}

image::Geometry geometryOf(const Series& series) {
  const dicom::SlicePlane& first = series.instances.front().plane;
  image::Geometry g;
  g.size = series.size;
  g.spacingMm = series.spacingMm;
  g.originMm = *first.positionMm;
  // Header digits leave the axes a little off; the normal and the row decide, the column follows.
  const image::Vec3 row = *first.rowDirection * (1 / norm(*first.rowDirection));
  const image::Vec3 column = cross(series.report.normal, row);
  g.direction = {row, column * (1 / norm(column)), series.report.normal};
  return g;
}

void addRoundingRemark(LoadedSeries& loaded, double largest) {
  if (largest > 0) loaded.remarks.push_back(fmt::format("Hounsfield units were rounded by up to {:.3f}", largest));
}

Expected<LoadedSeries> loadImageFile(const Source& source, size_t index) {
  auto file = readImage(source.path);
  if (!file) return passError(file);
  const Series& series = source.series[index];
  LoadedSeries loaded{std::move(file->volume), describeSeries(source, index), series.identity, series.report, {}};
  addRoundingRemark(loaded, file->largestRoundingHu);
  return loaded;
}

// Every slice goes straight to its place in the volume; of several errors the first slice's counts.
Expected<LoadedSeries> loadDicom(const Source& source, size_t index, job::Context& context) {
  const Series& series = source.series[index];
  const image::Geometry geometry = geometryOf(series);
  if (auto fits = checkMemory(series.name(), geometry.voxelCount(), sizeof(int16_t)); !fits) return passError(fits);
  const auto sliceVoxels = static_cast<size_t>(geometry.offset(0, 0, 1));
  std::vector<int16_t> hu(static_cast<size_t>(geometry.voxelCount()));
  std::vector<Expected<dicom::SlicePixels>> slices(series.instances.size());
  std::atomic<int64_t> done = 0;
  const auto count = static_cast<int64_t>(slices.size());
  parallelFor(count, [&](int64_t i) {
    if (context.cancelled()) return;
    const auto k = static_cast<size_t>(i);
    slices[k] = dicom::readSlicePixels(series.instances[k], std::span(hu).subspan(k * sliceVoxels, sliceVoxels));
    const int64_t n = ++done;
    if (omp_get_thread_num() == 0)
      context.progress(static_cast<double>(n) / static_cast<double>(count), "reading slices");
  });
  if (context.cancelled()) return makeError(ErrorCode::cancelled, "stopped while reading slices");
  double rounding = 0;
  for (const auto& slice : slices) {
    if (!slice) return passError(slice);
    rounding = std::max(rounding, slice->largestRoundingHu);
  }
  auto volume = image::Volume::create(geometry, std::move(hu), slices.front()->paddingHu);
  if (!volume) return passError(volume);
  LoadedSeries loaded{std::move(*volume), describeSeries(source, index), series.identity, series.report, {}};
  addRoundingRemark(loaded, rounding);
  for (const auto& problem : series.report.problems) loaded.remarks.push_back(problem.sentence);
  return loaded;
}

}  // namespace

Expected<LoadedSeries> loadSeries(const Source& source, size_t index, job::Context& context) {
  if (index >= source.series.size()) {
    return makeError(ErrorCode::internal, "series {} of {} does not exist", index, source.series.size());
  }
  const Series& series = source.series[index];
  if (!series.report.regular()) return refuseGeometry(source, series);
  try {
    return source.isImageFile ? loadImageFile(source, index) : loadDicom(source, index, context);
  } catch (const std::bad_alloc&) {
    return makeError(ErrorCode::resource, "{}: there is not enough memory for this volume", source.path.string());
  }
}

}  // namespace lynceus::io
