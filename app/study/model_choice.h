// The models that studies can be searched with: packages, and detectors of plugins.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/model/package.h"
#include "plugins/host/description.h"

namespace lynceus::study {

/// A model by what a worker needs to run it and a program needs to know of it.
struct ModelChoice {
  std::string id;
  std::filesystem::path path;  ///< folder of the package, or the plugin's library
  bool isPlugin = false;
  std::string sha256;       ///< of the package's model.toml, which names all other files, or of the library
  model::InputRules input;  ///< which series it takes
  double threshold = 0;     ///< its operating point
};

ModelChoice choiceOf(const model::Package& package);

/// @param idOrFolder  of a package, else the id of a detector in a plugin; empty: the shipped package.
/// @return an error that names the models that there are.
Expected<ModelChoice> chooseModel(const std::string& idOrFolder);

/// A classifier of a plugin.
Expected<ModelChoice> chooseClassifier(const std::string& id);

/// Asks a library what it holds, in a worker of its own: whatever the library does ends there.
/// @return an error that names the file and says how that went wrong.
Expected<std::vector<plugins::Description>> probePlugin(const std::filesystem::path& library);

nlohmann::json toJson(const ModelChoice& model);
/// Only what a worker needs: id, path, isPlugin, sha256.
Expected<ModelChoice> modelFromJson(const nlohmann::json& object);

}  // namespace lynceus::study
