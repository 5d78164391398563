// lynceus models: what is installed, what a model says of itself, and whether its files are whole.
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "core/model/package.h"

namespace lynceus::cli {
namespace {

/// Which networks the package runs on what.
std::string networksText(const model::Package& p) {
  std::string text = fmt::format("{} searches tiles of voxels of {:.2f} mm", p.network, p.preprocessing.spacingMm);
  if (const auto& second = p.secondStage) {
    text += fmt::format(
        "; {} judges crops of {} voxels of {:.2f} mm around the {} strongest candidates, all others are dropped",
        second->network, second->cropVoxels, second->spacingMm, second->candidates);
  }
  return text;
}

int list() {
  const auto packages = model::findPackages();
  if (!packages) return reportError(packages.error());
  for (const model::Package& p : *packages) {
    fmt::print("{:<28} {:<10} {:<14} {}{}\n", p.id, p.version, p.task, p.summary, p.secondStage ? " (two stages)" : "");
  }
  return kExitOk;
}

int show(const std::string& id) {
  const auto package = model::findPackage(id);
  if (!package) return reportError(package.error());
  const std::filesystem::path card = package->folder / "MODEL_CARD.md";
  std::ifstream file(card);
  if (!file) {
    return reportError({ErrorCode::resource, fmt::format("{}: the model has no card there", card.string())});
  }
  fmt::print("{} {}: {}\n\n", package->id, package->version, networksText(*package));
  std::fflush(stdout);  // before the stream below
  std::cout << file.rdbuf();
  return kExitOk;
}

int verify(const std::string& id) {
  const auto package = model::findPackage(id);
  if (!package) return reportError(package.error());
  if (const auto verified = model::verifyPackage(*package); !verified) return reportError(verified.error());
  fmt::print("{} {}: {} files are whole\n", package->id, package->version, package->sha256.size());
  return kExitOk;
}

}  // namespace

void addModels(CLI::App& app, int& exitCode) {
  CLI::App* command = app.add_subcommand("models", "List, show and verify model packages; check networks");
  command->require_subcommand(1);
  auto id = std::make_shared<std::string>();
  command->add_subcommand("list", "Installed packages")->callback([&exitCode] { exitCode = list(); });
  CLI::App* showOne = command->add_subcommand("show", "The model card: what was measured, and where it fails");
  showOne->add_option("model", *id, "id or folder")->required();
  showOne->callback([id, &exitCode] { exitCode = show(*id); });
  CLI::App* verifyOne = command->add_subcommand("verify", "Compare the files with their hashes");
  verifyOne->add_option("model", *id, "id or folder")->required();
  verifyOne->callback([id, &exitCode] { exitCode = verify(*id); });
  addModelsCheck(*command, exitCode);
}

}  // namespace lynceus::cli
