#include "io/dicom/scan.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cstring>
#include <fstream>
#include <system_error>
#include <tuple>

#include <omp.h>

#include "core/parallel.h"
#include "io/dicom/library.h"
#include "io/dicom/slice.h"

namespace lynceus::io::dicom {
namespace {

namespace fs = std::filesystem;

using HeaderResult = Expected<std::variant<SliceHeader, OtherObject, NotDicom>>;

std::string compressionOf(const std::vector<Instance>& instances) {
  const std::string& uid = instances.front().transferSyntaxUid;
  const bool same =
      std::all_of(instances.begin(), instances.end(), [&](const Instance& i) { return i.transferSyntaxUid == uid; });
  if (!same) return "several compressions";
  return transferSyntaxName(uid) + (canDecode(uid) ? "" : ", which cannot be decoded");
}

Series buildSeries(std::vector<SliceHeader> headers) {
  std::vector<SlicePlane> planes;
  for (const SliceHeader& h : headers) planes.push_back(h.instance.plane);
  Series series;
  series.report = checkGeometry(planes);
  for (const size_t i : series.report.order) series.instances.push_back(headers[i].instance);
  const SliceHeader& first = headers[series.report.order.front()];
  series.identity = first.identity;
  series.size = {first.instance.columns, first.instance.rows, static_cast<int>(headers.size())};
  series.spacingMm = {first.instance.plane.pixelSpacingXMm, first.instance.plane.pixelSpacingYMm,
                      series.report.spacingMm};
  series.compression = compressionOf(series.instances);
  return series;
}

// Files come sorted by path, so headers do too, and the result does not depend on threads.
std::vector<Series> groupIntoSeries(std::vector<SliceHeader> headers) {
  std::map<std::pair<std::string, std::string>, std::vector<SliceHeader>> groups;
  for (SliceHeader& h : headers) {
    auto& group = groups[{h.identity.studyUid, h.identity.seriesUid}];
    group.push_back(std::move(h));
  }
  std::vector<Series> series;
  for (auto& [uid, group] : groups) series.push_back(buildSeries(std::move(group)));
  const auto key = [](const Series& s) {
    return std::tie(s.identity.studyDate, s.identity.studyUid, s.identity.seriesNumber, s.identity.seriesUid);
  };
  std::sort(series.begin(), series.end(), [&](const Series& a, const Series& b) { return key(a) < key(b); });
  return series;
}

}  // namespace

std::string Series::name() const {
  if (!identity.seriesDescription.empty()) return identity.seriesDescription;
  if (identity.seriesNumber != 0) return fmt::format("number {}", identity.seriesNumber);
  return identity.seriesUid.empty() ? "without UID" : identity.seriesUid;
}

std::vector<fs::path> listFiles(const fs::path& folder, bool nested, int& unreadableFolders) {
  std::vector<fs::path> files, folders{folder};
  while (!folders.empty()) {
    const fs::path current = std::move(folders.back());
    folders.pop_back();
    std::error_code error;
    for (fs::directory_iterator i(current, error), end; !error && i != end; i.increment(error)) {
      std::error_code ignored;
      if (i->is_regular_file(ignored)) {
        files.push_back(i->path());
      } else if (nested && i->is_directory(ignored) && !i->is_symlink(ignored)) {
        folders.push_back(i->path());
      }
    }
    if (error) ++unreadableFolders;
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool mayBeDicom(const fs::path& file) {
  std::array<unsigned char, 140> head{};
  std::ifstream in(file, std::ios::binary);
  in.read(reinterpret_cast<char*>(head.data()), head.size());
  const auto count = static_cast<size_t>(in.gcount());
  if (count >= 132 && std::memcmp(&head[128], "DICM", 4) == 0) return true;
  if (count < 16) return false;
  // Without preamble a data set starts with group 2 or 8, a low element number and a short value.
  const bool little = (head[0] == 8 || head[0] == 2) && head[1] == 0 && head[3] == 0;
  const bool big = head[0] == 0 && head[1] == 8 && head[2] == 0;
  const bool explicitVr = std::isupper(head[4]) && std::isupper(head[5]);
  const bool shortImplicit = head[5] == 0 && head[6] == 0 && head[7] == 0;
  return little ? explicitVr || shortImplicit : big && explicitVr;
}

Expected<ScanResult> scanFiles(std::vector<fs::path> files, job::Context& context) {
  prepareLibrary();
  std::sort(files.begin(), files.end());
  const auto count = static_cast<int64_t>(files.size());
  std::vector<HeaderResult> found(files.size(), HeaderResult{NotDicom{}});
  std::atomic<int64_t> done = 0;
  parallelFor(count, [&](int64_t i) {
    if (context.cancelled()) return;
    const auto k = static_cast<size_t>(i);
    if (mayBeDicom(files[k])) found[k] = readSliceHeader(files[k]);
    const int64_t n = ++done;
    if (omp_get_thread_num() == 0)
      context.progress(static_cast<double>(n) / static_cast<double>(count), "reading headers");
  });
  if (context.cancelled()) return makeError(ErrorCode::cancelled, "stopped while reading headers");
  ScanResult result;
  std::vector<SliceHeader> headers;
  for (size_t k = 0; k < files.size(); ++k) {
    if (!found[k]) {
      result.skipped.damaged.push_back({files[k], found[k].error().message});
    } else if (const auto* other = std::get_if<OtherObject>(&*found[k])) {
      ++result.skipped.notCtImages[other->what];
    } else if (auto* header = std::get_if<SliceHeader>(&*found[k])) {
      if (!header->instance.damage.empty()) result.skipped.damaged.push_back({files[k], header->instance.damage});
      headers.push_back(std::move(*header));
    } else {
      ++result.skipped.notDicom;
    }
  }
  result.series = groupIntoSeries(std::move(headers));
  return result;
}

}  // namespace lynceus::io::dicom
