// Which plugins there are, which of them may be loaded, and what they say of themselves. Nothing here loads one.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "plugins/host/description.h"
#include "plugins/host/trust_list.h"

namespace lynceus::plugins {

struct PluginFolder {
  std::filesystem::path path;
  bool shipped = false;  ///< came with this program: what lies in it is trusted
};

enum class Standing {
  shipped,   ///< came with this program
  trusted,   ///< the user trusts this file
  disabled,  ///< the user switched it off
  changed,   ///< another file was trusted at this path
  unknown,   ///< nobody trusts it
};

/// A shared library in a plugin folder.
struct PluginFile {
  std::filesystem::path path;  ///< canonical
  std::string sha256;
  Standing standing = Standing::unknown;
  bool mayLoad() const { return standing == Standing::shipped || standing == Standing::trusted; }
};

/// $LYNCEUS_PLUGINS (folders with ':' between them), $XDG_DATA_HOME or ~/.local/share with lynceus/plugins, the
/// installed folder beside the program, and plugins of the build tree that the program was built in.
std::vector<PluginFolder> pluginFolders();

/// Every *.so in these folders and in their folders, in this order and sorted by path within each; each file once.
/// Folders that are not there are no error. Reads every file for its hash.
std::vector<PluginFile> findPluginFiles(const std::vector<PluginFolder>& folders, const TrustList& trust);

/// A file outside the plugin folders, or any of them.
/// @return an error where it cannot be read.
Expected<PluginFile> inspectPluginFile(const std::filesystem::path& name, const std::vector<PluginFolder>& folders,
                                       const TrustList& trust);

/// Loads a library where it can do no harm, in a process of its own, and returns what it says of itself.
using Probe = std::function<Expected<std::vector<Description>>(const std::filesystem::path&)>;

/// A plugin with its models; `problem` says why it has none: it may not be loaded, or probing failed.
struct Plugin {
  PluginFile file;
  std::vector<Description> models;
  std::string problem;
};

/// Probes what may be loaded.
std::vector<Plugin> probePlugins(const std::vector<PluginFile>& files, const Probe& probe);

/// A model that is ready for Library::open(file.path, file.sha256).
struct PluginModel {
  PluginFile file;
  Description description;
};

/// The first model of this id in plugins that may be loaded.
/// @return an error that names the ids that there are, and the plugins that could not be probed.
Expected<PluginModel> findPluginModel(const std::string& id, const std::vector<Plugin>& plugins);

}  // namespace lynceus::plugins
