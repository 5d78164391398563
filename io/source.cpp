#include "io/source.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <numeric>
#include <system_error>

#include <omp.h>

#include "core/parallel.h"
#include "core/sha256.h"
#include "io/dicom/slice.h"
#include "io/formats/image_file.h"
#include "io/memory.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using dicom::GeometryClass;
using dicom::Instance;
using dicom::Series;

std::string hashOfInstances(const std::vector<Instance>& instances) {
  std::vector<std::string> uids;
  for (const Instance& i : instances) uids.push_back(i.sopInstanceUid);
  std::sort(uids.begin(), uids.end());
  std::string text;
  for (const std::string& uid : uids) text += uid + "\n";
  return sha256(text);
}

// "12 files that are not DICOM, 3 MR images and 1 damaged file"
std::string describeSkipped(const dicom::SkippedFiles& skipped) {
  std::vector<std::string> parts;
  const auto count = [](size_t n, const std::string& one, const std::string& many) {
    return fmt::format("{} {}", n, n == 1 ? one : many);
  };
  if (skipped.notDicom > 0) {
    parts.push_back(count(static_cast<size_t>(skipped.notDicom), "file that is not DICOM", "files that are not DICOM"));
  }
  for (const auto& [what, n] : skipped.notCtImages) parts.push_back(count(static_cast<size_t>(n), what, what + "s"));
  if (!skipped.damaged.empty()) parts.push_back(count(skipped.damaged.size(), "damaged file", "damaged files"));
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

tl::unexpected<Error> nothingFound(const fs::path& path, const Source& source, const std::vector<fs::path>& files) {
  if (source.skipped.unreadableFolders > 0 && files.empty()) {
    return makeError(ErrorCode::resource, "{}: the folder may not be read", path.string());
  }
  if (files.empty())
    return makeError(ErrorCode::badInput, "{}: the folder is empty; give one that holds a CT study", path.string());
  const auto imageFile = std::find_if(files.begin(), files.end(), isImageFileName);
  const std::string hint =
      imageFile == files.end()
          ? "; give a folder that holds a CT study"
          : fmt::format("; to read an image file give its own path, such as {}", imageFile->string());
  const std::string first =
      source.skipped.damaged.empty() ? "" : fmt::format(" ({})", source.skipped.damaged.front().reason);
  return makeError(ErrorCode::badInput, "{}: there is no CT image in it, only {}{}{}", path.string(),
                   describeSkipped(source.skipped), first, hint);
}

Expected<Source> openImageFile(const fs::path& path) {
  const auto info = readImageFileInfo(path);
  if (!info) return passError(info);
  const image::Geometry& g = info->geometry;
  Series series;
  series.identity.seriesDescription = path.filename().string();
  series.size = g.size;
  series.spacingMm = g.spacingMm;
  series.compression = fmt::format("{}, voxels of type {}", info->format, info->voxelType);
  dicom::GeometryReport& report = series.report;
  report.geometryClass = GeometryClass::regular;
  report.order.resize(static_cast<size_t>(g.size.z));
  std::iota(report.order.begin(), report.order.end(), size_t{0});
  report.normal = g.direction[2];
  report.spacingMm = g.spacingMm.z;
  report.firstMm = dot(g.originMm, report.normal);
  report.lastMm = report.firstMm + g.spacingMm.z * (g.size.z - 1);
  if (g.size.z == 1) {
    report.geometryClass = GeometryClass::notAVolume;
    report.problems.push_back(
        {GeometryClass::notAVolume, dicom::Severity::bad, {1}, 0, "a single slice is not a volume"});
  }
  Source source;
  source.path = path;
  source.isImageFile = true;
  source.series.push_back(std::move(series));
  return source;
}

Expected<Source> openFolder(const fs::path& path, const fs::path& folder, bool nested, job::Context& context) {
  Source source;
  source.path = path;
  int unreadable = 0;
  std::vector<fs::path> files = dicom::listFiles(folder, nested, unreadable);
  auto scanned = dicom::scanFiles(files, context);
  if (!scanned) return passError(scanned);
  source.series = std::move(scanned->series);
  source.skipped = std::move(scanned->skipped);
  source.skipped.unreadableFolders = unreadable;
  if (source.series.empty()) {
    const auto image = std::find_if(files.begin(), files.end(), isImageFileName);
    // A case folder of research data: one image and perhaps some text.
    if (std::count_if(image, files.end(), isImageFileName) == 1) return openImageFile(*image);
    return nothingFound(path, source, files);
  }
  return source;
}

// The series of one slice, from the folder the slice lies in.
Expected<Source> openDicomFile(const fs::path& path, job::Context& context) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const auto header = dicom::readSliceHeader(path);
  if (!header) return passError(header);
  if (const auto* other = std::get_if<dicom::OtherObject>(&*header)) {
    if (other->what == "DICOMDIR") return openFolder(path, folder, true, context);
    return makeError(ErrorCode::badInput, "{}: this is a DICOM {}, not a CT image", path.string(), other->what);
  }
  const auto* slice = std::get_if<dicom::SliceHeader>(&*header);
  if (!slice) return makeError(ErrorCode::badInput, "{}: the file is not DICOM", path.string());
  auto source = openFolder(path, folder, false, context);
  if (!source) return source;
  std::erase_if(source->series, [&](const Series& s) {
    return s.identity.seriesUid != slice->identity.seriesUid || s.identity.studyUid != slice->identity.studyUid;
  });
  return source;
}

bool startsLikeZip(const fs::path& path) {
  char head[4] = {};
  std::ifstream(path, std::ios::binary).read(head, 4);
  return std::string_view(head, 4) == std::string_view("PK\3\4", 4);
}

}  // namespace

Expected<Source> openSource(const fs::path& path, job::Context& context) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    return makeError(ErrorCode::wrongUse, "there is no file or folder {}; check the path", path.string());
  }
  if (fs::is_directory(status)) return openFolder(path, path, true, context);
  if (!fs::is_regular_file(status)) {
    return makeError(ErrorCode::wrongUse, "{} is neither a folder nor a regular file", path.string());
  }
  if (isImageFileName(path)) return openImageFile(path);
  if (dicom::mayBeDicom(path)) return openDicomFile(path, context);
  if (startsLikeZip(path)) return makeError(ErrorCode::unsupported, "{}: unpack the ZIP file first", path.string());
  return makeError(ErrorCode::badInput, "{}: the file is neither DICOM nor NIfTI, MetaImage or NRRD", path.string());
}

detect::SeriesReference describeSeries(const Source& source, size_t index) {
  const Series& series = source.series[index];
  detect::SeriesReference r;
  r.source = source.path.string();
  r.studyUid = series.identity.studyUid;
  r.seriesUid = series.identity.seriesUid;
  r.seriesDescription = series.identity.seriesDescription;
  r.patientId = series.identity.patientId;
  r.patientName = series.identity.patientName;
  r.patientBirthDate = series.identity.patientBirthDate;
  r.instancesSha256 = source.isImageFile ? sha256OfFile(source.path).value_or("") : hashOfInstances(series.instances);
  r.instanceCount = static_cast<int>(series.instances.size());
  return r;
}

Expected<size_t> chooseSeries(const Source& source, const std::string& seriesUid) {
  if (seriesUid.empty() && source.series.size() == 1) return size_t{0};
  for (size_t i = 0; i < source.series.size() && !seriesUid.empty(); ++i) {
    if (source.series[i].identity.seriesUid == seriesUid) return i;
  }
  std::string there;
  for (const Series& s : source.series) {
    there += fmt::format("{}{} ('{}', {} slices, {})", there.empty() ? "" : ", ", s.identity.seriesUid, s.name(),
                         s.instances.size(), geometryClassName(s.report.geometryClass));
  }
  if (!seriesUid.empty()) {
    return makeError(ErrorCode::wrongUse, "{}: there is no series {} in it; there are: {}", source.path.string(),
                     seriesUid, there);
  }
  return makeError(ErrorCode::wrongUse, "{}: there are {} series in it, choose one with --series UID: {}",
                   source.path.string(), source.series.size(), there);
}

}  // namespace lynceus::io
