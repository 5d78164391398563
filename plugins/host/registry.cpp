#include "plugins/host/registry.h"

#include <algorithm>
#include <cstdlib>

#include "core/sha256.h"

namespace lynceus::plugins {
namespace {

namespace fs = std::filesystem;

Standing standingOf(const PluginFile& file, bool shipped, const TrustList& trust) {
  const TrustEntry* entry = trust.find(file.sha256);
  const TrustEntry* before = trust.findPath(file.path);
  if (shipped) {  // an update does not switch on what the user switched off
    if (!entry) entry = before;
    return entry && entry->state == TrustState::disabled ? Standing::disabled : Standing::shipped;
  }
  if (entry) return entry->state == TrustState::disabled ? Standing::disabled : Standing::trusted;
  return before ? Standing::changed : Standing::unknown;
}

/// What may be a plugin in a folder: links are followed to files, not to folders.
std::vector<fs::path> librariesIn(const fs::path& folder, bool alsoBelow) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    std::error_code ignored;
    if (entry->path().extension() == ".so" && entry->is_regular_file(ignored)) found.push_back(entry->path());
    if (!alsoBelow || !fs::is_directory(entry->symlink_status(ignored))) continue;
    const std::vector<fs::path> below = librariesIn(entry->path(), false);
    found.insert(found.end(), below.begin(), below.end());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool isWithin(const fs::path& file, const fs::path& folder) {
  std::error_code failed;
  const fs::path root = fs::canonical(folder, failed);
  return !failed && std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end();
}

std::string whyNot(const PluginFile& file) {
  switch (file.standing) {
    case Standing::disabled: return "it is disabled: 'lynceus plugins enable' switches it on";
    case Standing::changed:
      return "the file has changed since it was trusted: 'lynceus plugins trust' trusts it as it is now";
    case Standing::unknown: return "nobody trusts it yet: 'lynceus plugins trust' does";
    default: return {};
  }
}

}  // namespace

std::vector<PluginFolder> pluginFolders() {
  std::vector<PluginFolder> folders;
  if (const char* set = std::getenv("LYNCEUS_PLUGINS")) {
    std::string_view rest = set;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(':'), rest.size());
      if (end > 0) folders.push_back({fs::path(rest.substr(0, end)), false});
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  const char* data = std::getenv("XDG_DATA_HOME");
  const char* home = std::getenv("HOME");
  if (data && *data)
    folders.push_back({fs::path(data) / "lynceus/plugins", false});
  else if (home && *home)
    folders.push_back({fs::path(home) / ".local/share/lynceus/plugins", false});
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed).parent_path();
  folders.push_back({(program / LYNCEUS_INSTALLED_PLUGINS).lexically_normal(), true});
  // Only a build tree: a folder "plugins" that happens to stand beside the program is not ours.
  if (const fs::path tree = program.parent_path(); fs::exists(tree / "CMakeCache.txt", failed))
    folders.push_back({tree / "plugins", true});
  return folders;
}

std::vector<PluginFile> findPluginFiles(const std::vector<PluginFolder>& folders, const TrustList& trust) {
  std::vector<PluginFile> files;
  for (const PluginFolder& folder : folders) {
    for (const fs::path& path : librariesIn(folder.path, true)) {
      auto file = inspectPluginFile(path, folders, trust);
      if (!file) continue;  // gone since, or not for this user
      const bool known =
          std::any_of(files.begin(), files.end(), [&](const PluginFile& f) { return f.path == file->path; });
      if (!known) files.push_back(std::move(*file));
    }
  }
  return files;
}

Expected<PluginFile> inspectPluginFile(const fs::path& name, const std::vector<PluginFolder>& folders,
                                       const TrustList& trust) {
  PluginFile file;
  std::error_code failed;
  file.path = fs::canonical(name, failed);
  if (failed || !fs::is_regular_file(file.path, failed))
    return makeError(ErrorCode::resource, "{}: there is no such file", name.string());
  auto hash = sha256OfFile(file.path);
  if (!hash) return passError(hash);
  file.sha256 = std::move(*hash);
  const bool shipped = std::any_of(folders.begin(), folders.end(), [&](const PluginFolder& folder) {
    return folder.shipped && isWithin(file.path, folder.path);
  });
  file.standing = standingOf(file, shipped, trust);
  return file;
}

std::vector<Plugin> probePlugins(const std::vector<PluginFile>& files, const Probe& probe) {
  std::vector<Plugin> plugins;
  for (const PluginFile& file : files) {
    Plugin plugin{file, {}, whyNot(file)};
    if (file.mayLoad()) {
      auto models = probe(file.path);
      if (models)
        plugin.models = std::move(*models);
      else
        plugin.problem = models.error().message;
    }
    plugins.push_back(std::move(plugin));
  }
  return plugins;
}

Expected<PluginModel> findPluginModel(const std::string& id, const std::vector<Plugin>& plugins) {
  std::string known, problems;
  for (const Plugin& plugin : plugins) {
    for (const Description& model : plugin.models) {
      if (model.id == id) return PluginModel{plugin.file, model};
      known += (known.empty() ? "" : ", ") + model.id;
    }
    if (!plugin.problem.empty())
      problems += fmt::format("; {} was not asked: {}", plugin.file.path.filename().string(), plugin.problem);
  }
  return makeError(ErrorCode::resource, "there is no plugin model '{}'; there are: {}{}", id,
                   known.empty() ? "none" : known, problems);
}

}  // namespace lynceus::plugins
