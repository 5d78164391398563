// lynceus plugins: which ones there are, and which of them may be loaded.
#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "app/study/model_choice.h"
#include "plugins/host/registry.h"
#include "plugins/host/text.h"

namespace lynceus::cli {
namespace {

using plugins::Description;
using plugins::Plugin;
using plugins::PluginFile;
using plugins::TrustList;
using plugins::TrustState;

const char* wordOf(plugins::Standing standing) {
  switch (standing) {
    case plugins::Standing::shipped: return "shipped";
    case plugins::Standing::trusted: return "trusted";
    case plugins::Standing::disabled: return "disabled";
    case plugins::Standing::changed: return "changed";
    default: return "not trusted";
  }
}

void print(const PluginFile& file, const std::vector<Description>& models) {
  for (const Description& d : models) {
    fmt::print("{:<28} {:<10} {:<22} {:<11} {}\n", d.id, d.version, d.interfaceId, wordOf(file.standing), d.summary);
  }
}

int list(const plugins::Probe& probePlugin) {
  const auto trust = TrustList::read(TrustList::defaultPath());
  if (!trust) return reportError(trust.error());
  for (const Plugin& plugin : probePlugins(findPluginFiles(plugins::pluginFolders(), *trust), probePlugin)) {
    print(plugin.file, plugin.models);
    if (!plugin.problem.empty()) {
      fmt::print("{:<28} {:<10} {:<22} {:<11} {}\n", plugins::logLine(plugin.file.path.filename().c_str()), "", "",
                 wordOf(plugin.file.standing), plugin.problem);
    }
  }
  return kExitOk;
}

int write(TrustList& trust, const PluginFile& file, TrustState state) {
  trust.set({file.sha256, file.path, state});
  if (const auto written = trust.write(TrustList::defaultPath()); !written) return reportError(written.error());
  return kExitOk;
}

int trustFile(const std::string& path, const plugins::Probe& probePlugin) {
  auto trust = TrustList::read(TrustList::defaultPath());
  if (!trust) return reportError(trust.error());
  const auto folders = plugins::pluginFolders();
  auto file = inspectPluginFile(path, folders, *trust);
  if (!file) return reportError(file.error());
  const auto models = probePlugin(file->path);
  if (!models) return reportError(models.error());
  if (file->standing != plugins::Standing::shipped) file->standing = plugins::Standing::trusted;
  print(*file, *models);
  const auto found = findPluginFiles(folders, *trust);
  const bool lies = std::any_of(found.begin(), found.end(), [&](const PluginFile& f) { return f.path == file->path; });
  if (!lies)
    fmt::print(stderr, "lynceus: {} lies in no plugin folder: put it into {}, or name its folder in LYNCEUS_PLUGINS\n",
               file->path.string(), folders.front().path.string());
  return write(*trust, *file, TrustState::trusted);
}

/// The plugin that a file name or the id of one of its models stands for. Disabled ones are asked for their ids, too:
/// they were trusted before.
Expected<PluginFile> resolve(const std::string& idOrFile, const TrustList& trust, const plugins::Probe& probePlugin) {
  const auto folders = plugins::pluginFolders();
  std::error_code ignored;
  if (std::filesystem::is_regular_file(idOrFile, ignored)) return inspectPluginFile(idOrFile, folders, trust);
  std::vector<PluginFile> files = findPluginFiles(folders, trust), askable = files;
  for (PluginFile& file : askable)
    if (file.standing == plugins::Standing::disabled) file.standing = plugins::Standing::trusted;
  const auto model = findPluginModel(idOrFile, probePlugins(askable, probePlugin));
  if (!model) return passError(model);
  return inspectPluginFile(model->file.path, folders, trust);
}

int enable(const std::string& idOrFile, bool on, const plugins::Probe& probePlugin) {
  auto trust = TrustList::read(TrustList::defaultPath());
  if (!trust) return reportError(trust.error());
  const auto file = resolve(idOrFile, *trust, probePlugin);
  if (!file) return reportError(file.error());
  if (!file->mayLoad() && file->standing != plugins::Standing::disabled) {
    return reportError({ErrorCode::wrongUse,
                        fmt::format("{} is not trusted: 'lynceus plugins trust' trusts it", file->path.string())});
  }
  return write(*trust, *file, on ? TrustState::trusted : TrustState::disabled);
}

}  // namespace

void addPlugins(CLI::App& app, int& exitCode) {
  CLI::App* command = app.add_subcommand("plugins", "List, trust, enable and disable models in shared libraries");
  command->require_subcommand(1);
  auto name = std::make_shared<std::string>();
  command->add_subcommand("list", "Every plugin in the plugin folders, and why some are not used")
      ->callback([&exitCode] { exitCode = list(study::probePlugin); });
  CLI::App* trust = command->add_subcommand("trust", "Let programs load this file, as long as it does not change");
  trust->add_option("file", *name, "shared library")->required();
  trust->callback([name, &exitCode] { exitCode = trustFile(*name, study::probePlugin); });
  for (const bool on : {true, false}) {
    CLI::App* change = command->add_subcommand(on ? "enable" : "disable",
                                               on ? "Use a disabled plugin again" : "Keep a plugin, but do not use it");
    change->add_option("plugin", *name, "id of a model, or file")->required();
    change->callback([name, on, &exitCode] { exitCode = enable(*name, on, study::probePlugin); });
  }
}

}  // namespace lynceus::cli
