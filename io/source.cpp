#include "io/source.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <system_error>
#include <tuple>

#include "core/sha256.h"
#include "io/byte_reader.h"
#include "io/dicom/dicomdir.h"
#include "io/dicom/slice.h"
#include "io/formats/image_file.h"
#include "io/list_files.h"
#include "io/zip_file.h"

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

std::string count(int64_t n, const std::string& one, const std::string& many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

tl::unexpected<Error> nothingFound(const Source& source, const std::string& hint) {
  const std::string what = describeSkipped(source.skipped);
  std::error_code ignored;
  const bool isFolder = fs::is_directory(source.path, ignored);
  if (what.empty()) {
    return makeError(ErrorCode::badInput, "{}: the {} is empty; give one that holds a CT study", source.path.string(),
                     isFolder ? "folder" : "ZIP file");
  }
  const auto& damaged = source.skipped.damaged;
  return makeError(ErrorCode::badInput, "{}: there is no CT image in it, only {}{}{}", source.path.string(), what,
                   damaged.empty() ? "" : fmt::format(" ({})", damaged.front().reason), hint);
}

// By its content: a ZIP file, perhaps an empty one.
bool isZipFile(const Location& file) {
  auto reader = ByteReader::open(file);
  if (!reader) return false;
  const auto head = reader->view(0, 4);
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  return text == std::string_view("PK\3\4", 4) || text == std::string_view("PK\5\6", 4);
}

bool hasZipName(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](char c) { return c | 0x20; });
  return extension == ".zip";
}

// Takes ZIP files out of the files of a folder or of another ZIP file. Only names that say so are looked into.
std::vector<Location> takeOutZipFiles(std::vector<Location>& files) {
  const auto first = std::stable_partition(files.begin(), files.end(),
                                           [](const Location& f) { return !hasZipName(f.path) || !isZipFile(f); });
  std::vector<Location> zipFiles(first, files.end());
  files.erase(first, files.end());
  return zipFiles;
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

// What is in these files.
Expected<Source> scan(const fs::path& path, const std::vector<Location>& files, job::Context& context) {
  auto scanned = dicom::scanFiles(files, context);
  if (!scanned) return passError(scanned);
  Source source;
  source.path = path;
  source.series = std::move(scanned->series);
  source.skipped = std::move(scanned->skipped);
  return source;
}

Expected<Source> openFolder(const fs::path& path, const fs::path& folder, bool nested, job::Context& context) {
  FolderListing listing = listFiles(folder, nested, context);
  if (listing.files.empty() && listing.unreadableFolders > 0) {
    return makeError(ErrorCode::resource, "{}: the folder may not be read", folder.string());
  }
  std::vector<Location> files;
  for (const fs::path& file : listing.files) files.push_back({file, nullptr, 0});
  const std::vector<Location> zipFiles = takeOutZipFiles(files);
  auto source = scan(path, files, context);
  if (!source) return source;
  source->skipped.unreadableFolders = listing.unreadableFolders;
  source->skipped.danglingLinks = listing.danglingLinks;
  source->skipped.otherFiles = listing.otherFiles;
  source->skipped.zipFiles = static_cast<int>(zipFiles.size());
  if (!source->series.empty()) return source;
  const auto image = std::find_if(listing.files.begin(), listing.files.end(), isImageFileName);
  // A case folder of research data: one image and perhaps some text.
  if (std::count_if(image, listing.files.end(), isImageFileName) == 1) return openImageFile(*image);
  std::string hint = "; give a folder that holds a CT study";
  if (!zipFiles.empty())
    hint = fmt::format("; to read a ZIP file give its own path, such as {}", zipFiles[0].path.string());
  if (image != listing.files.end()) {
    hint = fmt::format("; to read an image file give its own path, such as {}", image->string());
  }
  return nothingFound(*source, hint);
}

Expected<Source> openZipFile(const fs::path& path, job::Context& context) {
  const auto zip = ZipFile::open(path);
  if (!zip) return passError(zip);
  std::vector<Location> files;
  for (size_t i = 0; i < (*zip)->members().size(); ++i) {
    const ZipFile::Member& member = (*zip)->members()[i];
    if (!member.isFolder) files.push_back({path.string() + "/" + member.name, *zip, i});
  }
  std::sort(files.begin(), files.end(), [](const Location& a, const Location& b) {
    return std::tie(a.path.native(), a.member) < std::tie(b.path.native(), b.member);
  });
  const size_t zipFiles = takeOutZipFiles(files).size();
  auto source = scan(path, files, context);
  if (!source) return source;
  source->skipped.zipFiles = static_cast<int>(zipFiles);
  if (!source->series.empty()) return source;
  const auto image =
      std::find_if(files.begin(), files.end(), [](const Location& f) { return isImageFileName(f.path); });
  if (image != files.end()) {
    return nothingFound(*source, fmt::format("; unpack the ZIP file to read the image {}", image->path.string()));
  }
  return nothingFound(
      *source, zipFiles > 0 ? "; unpack it and give the ZIP file in it" : "; give a ZIP file that holds a CT study");
}

// Where the DICOMDIR is of no use, all of its folder is searched instead.
Expected<Source> openDicomdir(const fs::path& path, const fs::path& folder, job::Context& context) {
  const auto named = dicom::readDicomdir(path);
  std::string remark;
  if (!named) {
    remark = named.error().message + "; its folder was searched instead";
  } else if (named->files.empty()) {
    remark = fmt::format("{}: none of the {} images that the DICOMDIR names is there; its folder was searched instead",
                         path.string(), named->named);
  }
  if (!remark.empty()) {
    auto source = openFolder(path, folder, true, context);
    if (source) source->remarks.push_back(remark);
    if (source && named) source->skipped.missing = named->missing;
    return source;
  }
  std::vector<Location> files;
  for (const fs::path& file : named->files) files.push_back({file, nullptr, 0});
  auto source = scan(path, files, context);
  if (!source) return source;
  source->skipped.missing = named->missing;
  if (named->missing > 0) {
    source->remarks.push_back(
        fmt::format("{}: the DICOMDIR names {} images, {} of them are not there; copy the whole disc", path.string(),
                    named->named, named->missing));
  }
  if (named->refused > 0) {
    source->remarks.push_back(
        fmt::format("{}: the DICOMDIR names {} with a path out of its folder; give the folder to "
                    "search it whatever the DICOMDIR says",
                    path.string(), count(named->refused, "image", "images")));
  }
  if (source->series.empty()) return nothingFound(*source, "; give a folder that holds a CT study");
  return source;
}

Expected<Source> openFile(const fs::path& path, job::Context& context) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const auto headers = dicom::readSliceHeaders({path, nullptr, 0});
  if (!headers) return passError(headers);
  if (const auto* other = std::get_if<dicom::OtherObject>(&*headers)) {
    if (other->what == "DICOMDIR") return openDicomdir(path, folder, context);
    return makeError(ErrorCode::badInput, "{}: this is a DICOM {}, not a CT image", path.string(), other->what);
  }
  const auto* slice = std::get_if<dicom::SliceHeaders>(&*headers);
  if (!slice && isZipFile({path, nullptr, 0})) return openZipFile(path, context);
  if (!slice) {
    return makeError(ErrorCode::badInput, "{}: the file is neither DICOM nor NIfTI, MetaImage, NRRD or ZIP",
                     path.string());
  }
  // The series of one slice, from the folder the slice lies in.
  auto source = openFolder(path, folder, false, context);
  if (!source) return source;
  std::erase_if(source->series, [&](const Series& s) {
    return s.identity.seriesUid != slice->identity->seriesUid || s.identity.studyUid != slice->identity->studyUid ||
           s.identity.patientId != slice->identity->patientId;
  });
  return source;
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
  return isImageFileName(path) ? openImageFile(path) : openFile(path, context);
}

std::string describeSkipped(const dicom::SkippedFiles& skipped) {
  std::vector<std::string> parts;
  if (skipped.notDicom > 0)
    parts.push_back(count(skipped.notDicom, "file that is not DICOM", "files that are not DICOM"));
  for (const auto& [what, n] : skipped.notCtImages) parts.push_back(count(n, what, what + "s"));
  if (skipped.zipFiles > 0) parts.push_back(count(skipped.zipFiles, "ZIP file", "ZIP files"));
  if (skipped.danglingLinks > 0) parts.push_back(count(skipped.danglingLinks, "link to nothing", "links to nothing"));
  if (skipped.otherFiles > 0) parts.push_back(count(skipped.otherFiles, "pipe or device", "pipes or devices"));
  if (skipped.unreadableFolders > 0) {
    parts.push_back(count(skipped.unreadableFolders, "folder that may not be read", "folders that may not be read"));
  }
  if (skipped.copies > 0) parts.push_back(count(skipped.copies, "second copy", "second copies"));
  if (skipped.missing > 0) {
    parts.push_back(count(skipped.missing, "image that the DICOMDIR names and that is missing",
                          "images that the DICOMDIR names and that are missing"));
  }
  if (!skipped.damaged.empty()) {
    parts.push_back(count(static_cast<int64_t>(skipped.damaged.size()), "damaged file", "damaged files"));
  }
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
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
    if (source.series[i].id() == seriesUid) return i;
  }
  std::string there;
  for (const Series& s : source.series) {
    there += fmt::format("{}{} ('{}', {} slices, {})", there.empty() ? "" : ", ", s.id(), s.name(), s.instances.size(),
                         geometryClassName(s.report.geometryClass));
  }
  if (!seriesUid.empty()) {
    return makeError(ErrorCode::wrongUse, "{}: there is no series {} in it; there are: {}", source.path.string(),
                     seriesUid, there);
  }
  return makeError(ErrorCode::wrongUse, "{}: there are {} series in it, choose one with --series UID: {}",
                   source.path.string(), source.series.size(), there);
}

}  // namespace lynceus::io
