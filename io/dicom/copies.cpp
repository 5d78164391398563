#include "io/dicom/copies.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "core/parallel.h"
#include "io/byte_reader.h"

namespace lynceus::io::dicom {
namespace {

constexpr size_t kPieceBytes = 64 << 10;
constexpr size_t kMaxVersions = 8;  // that a file is compared with; so many different ones are refused anyway

bool sameBytes(const Location& a, const Location& b) {
  auto first = ByteReader::open(a), second = ByteReader::open(b);
  if (!first || !second || first->size() != second->size()) return false;
  for (uint64_t at = 0; at < first->size(); at += kPieceBytes) {
    const auto x = first->view(at, kPieceBytes), y = second->view(at, kPieceBytes);
    // A piece that cannot be read is equal to nothing.
    if (x.size() != std::min<uint64_t>(kPieceBytes, first->size() - at)) return false;
    if (!std::equal(x.begin(), x.end(), y.begin(), y.end())) return false;
  }
  return true;
}

}  // namespace

size_t removeCopies(std::vector<SliceHeaders>& files) {
  std::map<std::array<std::string, 4>, std::vector<size_t>> byUid;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string& uid = files[i].instances.front().sopInstanceUid;
    const SeriesIdentity& identity = *files[i].identity;
    if (!uid.empty()) byUid[{identity.studyUid, identity.seriesUid, identity.patientId, uid}].push_back(i);
  }
  std::vector<std::vector<size_t>> groups;
  for (auto& [uid, members] : byUid) {
    if (members.size() > 1) groups.push_back(std::move(members));
  }
  std::vector<char> isCopy(files.size(), 0);
  parallelFor(static_cast<int64_t>(groups.size()), [&](int64_t g) {
    std::vector<size_t> versions;
    for (const size_t i : groups[static_cast<size_t>(g)]) {
      const Instance& file = files[i].instances.front();
      isCopy[i] = std::any_of(versions.begin(), versions.end(), [&](size_t v) {
        const Instance& version = files[v].instances.front();
        return version.fileSize == file.fileSize && sameBytes(version.file, file.file);
      });
      if (isCopy[i] == 0 && versions.size() < kMaxVersions) versions.push_back(i);
    }
  });
  size_t kept = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    if (isCopy[i] != 0) continue;
    if (kept != i) files[kept] = std::move(files[i]);
    ++kept;
  }
  const size_t removed = files.size() - kept;
  files.resize(kept);
  return removed;
}

}  // namespace lynceus::io::dicom
