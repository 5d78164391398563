#include "app/study/model_choice.h"

#include <algorithm>

#include "core/job/engine.h"
#include "core/json_reader.h"
#include "plugins/host/detector.h"
#include "plugins/host/registry.h"

namespace lynceus::study {
namespace {

using nlohmann::json;

/// A plugin that says nothing for so long while it is loaded hangs.
constexpr std::chrono::seconds kProbeSilence{10};

/// A model of a plugin that may be loaded.
Expected<ModelChoice> pluginModel(const std::string& id) {
  const auto trust = plugins::TrustList::read(plugins::TrustList::defaultPath());
  if (!trust) return passError(trust);
  const auto files = plugins::findPluginFiles(plugins::pluginFolders(), *trust);
  const auto found = plugins::findPluginModel(id, plugins::probePlugins(files, probePlugin));
  if (!found) return passError(found);
  return ModelChoice{
      id, found->file.path, true, found->file.sha256, found->description.input, plugins::kDefaultThreshold};
}

}  // namespace

ModelChoice choiceOf(const model::Package& package) {
  return {package.id,    std::filesystem::absolute(package.folder),
          false,         package.definitionSha256,
          package.input, package.output.threshold};
}

Expected<ModelChoice> chooseModel(const std::string& idOrFolder) {
  const auto package = model::findPackage(idOrFolder);
  if (package) return choiceOf(*package);
  if (idOrFolder.empty() || idOrFolder.find('/') != std::string::npos) return passError(package);
  auto plugin = pluginModel(idOrFolder);
  if (plugin) return plugin;
  return makeError(package.error().code, "{}; and of the plugins: {}", package.error().message, plugin.error().message);
}

Expected<ModelChoice> chooseClassifier(const std::string& id) { return pluginModel(id); }

Expected<std::vector<plugins::Description>> probePlugin(const std::filesystem::path& library) {
  job::EngineOptions options;
  options.silence = kProbeSilence;
  options.threadsPerWorker = 1;
  job::Engine engine(options);
  auto answer = engine.run({"probe", {{"library", std::filesystem::absolute(library).string()}}, {}, 0, ""}, {});
  if (!answer && answer.error().code == ErrorCode::internal)
    return makeError(ErrorCode::internal, "{}: {}", library.string(), answer.error().message);
  if (!answer) return passError(answer);
  std::optional<Error> error;
  const std::string descriptions = JsonReader(answer->body["answer"], "answer", error).string("descriptions");
  if (error) return makeError(ErrorCode::internal, "{}: {}", library.string(), error->message);
  return plugins::descriptionsFromJson(descriptions);
}

json toJson(const ModelChoice& model) {
  return {{"id", model.id}, {"path", model.path.string()}, {"isPlugin", model.isPlugin}, {"sha256", model.sha256}};
}

Expected<ModelChoice> modelFromJson(const json& object) {
  std::optional<Error> error;
  JsonReader in(object, "model", error);
  ModelChoice model;
  model.id = in.string("id");
  model.path = in.string("path");
  model.isPlugin = in.boolean("isPlugin");
  model.sha256 = in.string("sha256");
  if (error) return tl::make_unexpected(*error);
  return model;
}

}  // namespace lynceus::study
