// Which packages there are in the model folders, and which of them a name stands for.
#include <algorithm>
#include <cstdlib>

#include "core/model/package.h"

namespace lynceus::model {
namespace {

namespace fs = std::filesystem;

struct ModelFolder {
  fs::path path;
  std::string origin;
};

constexpr const char* kFromEnvironment = "$LYNCEUS_MODELS";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// In the order of the search; a folder that is named twice counts once.
std::vector<ModelFolder> modelFolders() {
  std::vector<ModelFolder> folders;
  const auto add = [&](const fs::path& path, const char* origin) {
    std::error_code ignored;
    const bool known = std::any_of(folders.begin(), folders.end(),
                                   [&](const ModelFolder& f) { return fs::equivalent(f.path, path, ignored); });
    if (!known) folders.push_back({path, origin});
  };
  const std::string named = environment("LYNCEUS_MODELS");
  for (size_t from = 0; from < named.size();) {
    const size_t colon = std::min(named.find(':', from), named.size());
    if (colon > from) add(named.substr(from, colon - from), kFromEnvironment);
    from = colon + 1;
  }
  // The XDG Base Directory Specification: relative paths do not count.
  if (const fs::path data = environment("XDG_DATA_HOME"); data.is_absolute())
    add(data / "lynceus/models", "user");
  else if (const fs::path home = environment("HOME"); home.is_absolute())
    add(home / ".local/share/lynceus/models", "user");
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  add(program.parent_path() / "share/lynceus/models", "installed");
  add(program.parent_path().parent_path().parent_path() / "resources/models", "source tree");  // build/<preset>/bin
  return folders;
}

/// The folders below it that have a model.toml, by name. A folder that is not there has none, unless a user named it.
Expected<std::vector<fs::path>> packageFolders(const ModelFolder& folder) {
  std::vector<fs::path> found;
  std::error_code failed, ignored;
  for (fs::directory_iterator entry(folder.path, failed), end; !failed && entry != end; entry.increment(failed)) {
    if (fs::exists(entry->path() / "model.toml", ignored)) found.push_back(entry->path());
  }
  if (failed && (folder.origin == kFromEnvironment || failed != std::errc::no_such_file_or_directory)) {
    return makeError(ErrorCode::resource, "{}: this model folder ({}) cannot be read: {}", folder.path.string(),
                     folder.origin, failed.message());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool sameModel(const Package& a, const Package& b) { return a.id == b.id && a.version == b.version; }

/// By id, then the highest version first.
bool comesBefore(const FoundPackage& a, const FoundPackage& b) {
  if (a.package.id != b.package.id) return a.package.id < b.package.id;
  return parseVersion(a.package.version) > parseVersion(b.package.version);
}

/// The broken package that the name would stand for if it could be read: with `version` that one, else one that may be
/// newer than what was found.
const BrokenPackage* brokenInstead(const PackageSearch& search, const std::string& id, const std::string& version,
                                   const FoundPackage* found) {
  for (const BrokenPackage& b : search.broken) {
    if (b.id != id || id.empty()) continue;
    const auto stated = parseVersion(b.version);
    const bool meant = version.empty() ? !found || !stated || *stated > parseVersion(found->package.version)
                                       : !found && b.version == version;
    if (meant) return &b;
  }
  return nullptr;
}

std::string knownText(const PackageSearch& search) {
  std::string text;
  for (const FoundPackage& f : search.packages) {
    if (f.hiddenBy.empty()) text += fmt::format("{}{}@{}", text.empty() ? "" : ", ", f.package.id, f.package.version);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

const FoundPackage* PackageSearch::standard() const {
  const auto first = std::find_if(packages.begin(), packages.end(),
                                  [](const FoundPackage& f) { return f.isDefault && f.package.task == "lung-nodule"; });
  return first == packages.end() ? nullptr : &*first;
}

PackageSearch findPackages() {
  PackageSearch search;
  for (const ModelFolder& folder : modelFolders()) {
    const auto below = packageFolders(folder);
    if (!below) search.broken.push_back({folder.path, {}, {}, below.error()});
    for (const fs::path& path : below.value_or(std::vector<fs::path>{})) {
      auto package = readPackage(path);
      if (!package) {
        search.broken.push_back(describeBroken(path, package.error()));
        continue;
      }
      FoundPackage found{std::move(*package), folder.origin, false, {}};
      for (const FoundPackage& earlier : search.packages) {
        if (found.hiddenBy.empty() && sameModel(earlier.package, found.package))
          found.hiddenBy = earlier.package.folder;
      }
      search.packages.push_back(std::move(found));
    }
  }
  std::stable_sort(search.packages.begin(), search.packages.end(), comesBefore);
  for (size_t i = 0; i < search.packages.size(); ++i)
    search.packages[i].isDefault = i == 0 || search.packages[i - 1].package.id != search.packages[i].package.id;
  return search;
}

Expected<Package> findPackage(const std::string& name) {
  std::error_code ignored;
  if (!name.empty() && fs::is_directory(name, ignored)) return readPackage(name);
  const PackageSearch search = findPackages();
  const size_t at = std::min(name.find('@'), name.size());
  const std::string version = at < name.size() ? name.substr(at + 1) : "";
  const FoundPackage* found = name.empty() ? search.standard() : nullptr;
  for (const FoundPackage& f : search.packages) {
    const bool meant =
        f.package.id == name.substr(0, at) && (at == name.size() ? f.isDefault : f.package.version == version);
    if (!found && meant) found = &f;
  }
  const std::string id = found ? found->package.id : name.substr(0, at);
  if (const BrokenPackage* broken = brokenInstead(search, id, version, found)) {
    return makeError(ErrorCode::resource, "{}; mend or remove this package{}", broken->error.message,
                     found ? fmt::format(", or name another version: {}@{}", id, found->package.version) : "");
  }
  if (found) return found->package;
  return makeError(ErrorCode::resource,
                   "there is no model '{}'; there are: {}; set LYNCEUS_MODELS or give the folder of a package",
                   name.empty() ? "lung-nodule" : name, knownText(search));
}

}  // namespace lynceus::model
