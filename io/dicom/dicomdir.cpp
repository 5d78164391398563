#include "io/dicom/dicomdir.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "io/dicom/dataset.h"

namespace lynceus::io::dicom {
namespace {

namespace fs = std::filesystem;

constexpr DataSet::Tag kRecords = 0x00041220, kInUse = 0x00041410, kRecordType = 0x00041430, kFileId = 0x00041500;
constexpr const char* kMediaStorageDirectory = "1.2.840.10008.1.3.10";

// What is left of a file's name when case, version and a dot at the end do not count.
std::string looseName(std::string name) {
  const size_t version = name.find(';');
  if (version != std::string::npos && name.find_first_not_of("0123456789", version + 1) == std::string::npos) {
    name.resize(version);
  }
  while (!name.empty() && name.back() == '.') name.pop_back();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return name;
}

// The components of a file ID; none where one of them is no plain name.
std::vector<std::string> componentsOf(const std::string& fileId) {
  std::vector<std::string> components;
  for (size_t from = 0; from <= fileId.size();) {
    const size_t to = std::min(fileId.find('\\', from), fileId.size());
    std::string name = fileId.substr(from, to - from);
    name.erase(name.find_last_not_of(' ') + 1);
    const bool plain = !looseName(name).empty() && name.find_first_of(std::string_view("/\0", 2)) == std::string::npos;
    if (!plain) return {};  // "." and ".." are among them
    components.push_back(std::move(name));
    from = to + 1;
  }
  return components;
}

class NameFinder {
 public:
  std::optional<fs::path> find(const fs::path& root, const std::vector<std::string>& components) {
    fs::path exact = root;
    for (const std::string& name : components) exact /= name;
    std::error_code error;
    if (fs::is_regular_file(exact, error)) return exact;
    fs::path path = root;
    for (const std::string& name : components) {
      const auto& names = namesIn(path);
      const auto found = names.find(looseName(name));
      if (found == names.end()) return {};
      path /= found->second;
    }
    if (!fs::is_regular_file(path, error)) return {};
    return path;
  }

 private:
  // Loose name to name; of several the first.
  const std::map<std::string, std::string>& namesIn(const fs::path& folder) {
    const auto [entry, isNew] = m_folders.try_emplace(folder.native());
    if (!isNew) return entry->second;
    std::error_code error;
    for (fs::directory_iterator i(folder, error), end; !error && i != end; i.increment(error)) {
      const std::string name = i->path().filename().string();
      const auto [known, first] = entry->second.try_emplace(looseName(name), name);
      if (!first) known->second = std::min(known->second, name);
    }
    return entry->second;
  }

  std::map<std::string, std::map<std::string, std::string>> m_folders;
};

}  // namespace

Expected<DicomdirFiles> readDicomdir(const fs::path& path) {
  auto reader = ByteReader::open({path, nullptr, 0});
  if (!reader) return passError(reader);
  const auto set = DataSet::read(*reader);
  if (!set) return passError(set);
  if (!*set || (*set)->mediaStorageSopClassUid() != kMediaStorageDirectory) {
    return makeError(ErrorCode::badInput, "{}: this is not a DICOMDIR", path.string());
  }
  const fs::path root = path.has_parent_path() ? path.parent_path() : fs::path(".");
  DicomdirFiles result;
  NameFinder finder;
  for (const int record : (*set)->items(kRecords)) {
    if ((*set)->text(kRecordType, record) != "IMAGE" || (*set)->integer(kInUse, 0, record) == 0) continue;
    const std::string fileId = (*set)->text(kFileId, record);
    if (fileId.empty()) continue;
    ++result.named;
    const std::vector<std::string> components = componentsOf(fileId);
    if (components.empty()) {
      ++result.refused;
    } else if (auto file = finder.find(root, components)) {
      result.files.push_back(std::move(*file));
    } else {
      ++result.missing;
    }
  }
  std::sort(result.files.begin(), result.files.end());
  result.files.erase(std::unique(result.files.begin(), result.files.end()), result.files.end());
  return result;
}

}  // namespace lynceus::io::dicom
