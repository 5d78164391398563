#include "io/dicom/scan.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <mutex>
#include <system_error>
#include <tuple>

#include "core/parallel.h"
#include "io/dicom/copies.h"
#include "io/dicom/library.h"
#include "io/dicom/series_split.h"
#include "io/dicom/slice.h"

namespace lynceus::io::dicom {
namespace {

using HeaderResult = Expected<std::variant<SliceHeaders, OtherObject, NotDicom>>;

std::string nameOfWhole(const SeriesIdentity& identity) {
  if (!identity.seriesDescription.empty()) return identity.seriesDescription;
  if (identity.seriesNumber != 0) return fmt::format("number {}", identity.seriesNumber);
  return identity.seriesUid.empty() ? "without UID" : identity.seriesUid;
}

std::string compressionOf(const std::vector<Instance>& instances) {
  const std::string& uid = instances.front().transferSyntaxUid;
  const bool same =
      std::all_of(instances.begin(), instances.end(), [&](const Instance& i) { return i.transferSyntaxUid == uid; });
  if (!same) return "several compressions";
  return transferSyntaxName(uid) + (canDecode(uid) ? "" : ", which cannot be decoded");
}

// One copy in memory for all slices that say the same: of 100,000 files it is the largest part.
class SharedIdentities {
 public:
  void share(std::shared_ptr<const SeriesIdentity>& identity) {
    const std::lock_guard lock(m_mutex);
    auto& known = m_bySeries[identity->seriesUid];
    if (known && *known == *identity) {
      identity = known;
    } else {
      known = identity;
    }
  }

 private:
  std::mutex m_mutex;
  std::map<std::string, std::shared_ptr<const SeriesIdentity>> m_bySeries;
};

// Instances of one Series Instance UID, and the identity of the first file by path.
struct Group {
  SeriesIdentity identity;
  std::vector<Instance> instances;
};

Series buildSeries(const SeriesIdentity& identity, std::vector<Instance> instances) {
  std::vector<SlicePlane> planes;
  for (const Instance& i : instances) planes.push_back(i.plane);
  Series series;
  series.report = checkGeometry(planes);
  for (const size_t i : series.report.order) series.instances.push_back(std::move(instances[i]));
  const Instance& first = series.instances.front();
  series.identity = identity;
  series.size = {first.columns, first.rows, static_cast<int>(series.instances.size())};
  series.spacingMm = {first.plane.pixelSpacingXMm, first.plane.pixelSpacingYMm, series.report.spacingMm};
  series.compression = compressionOf(series.instances);
  return series;
}

void addParts(Group group, std::vector<Series>& series) {
  const std::vector<StackPart> parts = splitSeries(group.instances);
  for (size_t p = 0; p < parts.size(); ++p) {
    std::vector<Instance> members;
    for (const size_t i : parts[p].members) members.push_back(std::move(group.instances[i]));
    series.push_back(buildSeries(group.identity, std::move(members)));
    series.back().part = parts[p].name;
    series.back().partNumber = parts.size() > 1 ? static_cast<int>(p) + 1 : 0;
  }
}

// Files come sorted by path, so headers do too, and the result does not depend on threads. A series of one UID with
// two patients or two studies in it is two series.
std::vector<Series> groupIntoSeries(std::vector<SliceHeaders> headers) {
  std::map<std::array<std::string, 3>, Group> groups;
  for (SliceHeaders& h : headers) {
    Group& group = groups[{h.identity->studyUid, h.identity->seriesUid, h.identity->patientId}];
    if (group.instances.empty()) group.identity = *h.identity;
    std::move(h.instances.begin(), h.instances.end(), std::back_inserter(group.instances));
  }
  std::vector<Series> series;
  for (auto& [key, group] : groups) addParts(std::move(group), series);
  const auto key = [](const Series& s) {
    return std::tie(s.identity.studyDate, s.identity.studyUid, s.identity.seriesNumber, s.identity.seriesUid,
                    s.partNumber);
  };
  std::stable_sort(series.begin(), series.end(), [&](const Series& a, const Series& b) { return key(a) < key(b); });
  return series;
}

}  // namespace

std::string Series::id() const {
  return partNumber == 0 ? identity.seriesUid : fmt::format("{}#{}", identity.seriesUid, partNumber);
}

std::string Series::name() const {
  const std::string whole = nameOfWhole(identity);
  return part.empty() ? whole : fmt::format("{}, {}", whole, part);
}

Expected<ScanResult> scanFiles(const std::vector<Location>& files, job::Context& context) {
  prepareLibrary();
  const auto count = static_cast<int64_t>(files.size());
  std::vector<HeaderResult> found(files.size(), HeaderResult{NotDicom{}});
  SharedIdentities identities;
  std::mutex progress;
  int64_t done = 0;
  parallelFor(count, [&](int64_t i) {
    if (context.cancelled()) return;
    const auto k = static_cast<size_t>(i);
    found[k] = readSliceHeaders(files[k]);
    if (auto* header = found[k] ? std::get_if<SliceHeaders>(&*found[k]) : nullptr) identities.share(header->identity);
    const std::lock_guard lock(progress);
    context.progress(static_cast<double>(++done) / static_cast<double>(count), "reading headers");
  });
  if (context.cancelled()) return makeError(ErrorCode::cancelled, "stopped while reading headers");
  ScanResult result;
  std::vector<SliceHeaders> headers;
  for (size_t k = 0; k < files.size(); ++k) {
    if (!found[k]) {
      result.skipped.damaged.push_back({files[k].path, found[k].error().message});
    } else if (const auto* other = std::get_if<OtherObject>(&*found[k])) {
      ++result.skipped.notCtImages[other->what];
    } else if (auto* header = std::get_if<SliceHeaders>(&*found[k])) {
      const std::string& damage = header->instances.front().damage;
      if (!damage.empty()) result.skipped.damaged.push_back({files[k].path, damage});
      headers.push_back(std::move(*header));
    } else {
      ++result.skipped.notDicom;
    }
  }
  result.skipped.copies = static_cast<int>(removeCopies(headers));
  result.series = groupIntoSeries(std::move(headers));
  return result;
}

}  // namespace lynceus::io::dicom
