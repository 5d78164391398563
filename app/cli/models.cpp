// lynceus models: what is installed, what a model says of itself, and whether its files are whole.
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "core/detect/pipeline.h"

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

/// Which of several it is, and where.
std::string placeText(const model::FoundPackage& f, bool standard) {
  std::string use;
  if (!f.hiddenBy.empty()) use = fmt::format("hidden by {}, the same id and version; ", f.hiddenBy.string());
  if (f.isDefault) use = standard ? "default, and what runs without --model; " : "default; ";
  return fmt::format("{}{}: {}", use, f.origin, f.package.folder.string());
}

int list() {
  const model::PackageSearch search = model::findPackages();
  for (const model::FoundPackage& f : search.packages) {
    const model::Package& p = f.package;
    fmt::print("{:<28} {:<10} {:<14} {}{}\n", p.id, p.version, p.task, p.summary, p.secondStage ? " (two stages)" : "");
    fmt::print("    {}\n", placeText(f, &f == search.standard()));
  }
  for (const model::BrokenPackage& b : search.broken) fmt::print(stderr, "lynceus: {}\n", b.error.message);
  return search.broken.empty() ? kExitOk : kExitSomeFailed;
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
  auto device = compute::openDevice("cpu");
  if (!device) return reportError(device.error());
  // What detection refuses, without a study.
  const auto pipeline = detect::Pipeline::create(*package, std::move(*device));
  if (!pipeline) return reportError(pipeline.error());
  fmt::print("{} {}: {} files are whole, and the networks are those that model.toml describes\n", package->id,
             package->version, package->sha256.size());
  return kExitOk;
}

}  // namespace

void addModels(CLI::App& app, int& exitCode) {
  CLI::App* command = app.add_subcommand("models", "List, show and verify model packages; check networks");
  command->require_subcommand(1);
  auto id = std::make_shared<std::string>();
  command->add_subcommand("list", "The packages in the model folders, every version")->callback([&exitCode] {
    exitCode = list();
  });
  CLI::App* showOne = command->add_subcommand("show", "The model card: what was measured, and where it fails");
  showOne->add_option("model", *id, "id, id@version or folder")->required();
  showOne->callback([id, &exitCode] { exitCode = show(*id); });
  CLI::App* verifyOne =
      command->add_subcommand("verify", "Compare the files with their hashes and the networks with model.toml");
  verifyOne->add_option("model", *id, "id, id@version or folder")->required();
  verifyOne->callback([id, &exitCode] { exitCode = verify(*id); });
  addModelsCheck(*command, exitCode);
}

}  // namespace lynceus::cli
