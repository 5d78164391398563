// What programs ask of lynceus-worker and what it answers, as JSON: one pair of functions for each, used by both sides.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/study/detect_study.h"

namespace lynceus::study {

/// Mode parse: which series are there. Answer: chosenToJson().
struct ScanRequest {
  std::filesystem::path path;
  Selection selection;
};
nlohmann::json toJson(const ScanRequest& request);

/// Mode parse: the volume of one series. Answer: toJson(LoadAnswer), and the memory of the volume.
struct LoadRequest {
  std::filesystem::path path;
  std::string seriesId;
  bool acceptGeometry = false;
};
nlohmann::json toJson(const LoadRequest& request);

struct LoadAnswer {
  detect::SeriesReference reference;
  model::SeriesFacts facts;
  std::vector<std::string> remarks;
  nlohmann::json volume;  ///< job::describeVolume()
};
nlohmann::json toJson(const LoadAnswer& answer);
Expected<LoadAnswer> loadAnswerFromJson(const nlohmann::json& object);

/// Mode detect: the findings in the volume that comes beside it. Answer: findings.json without the series.
struct DetectRequest {
  ModelChoice model;
  std::optional<ModelChoice> classifier;  ///< of a plugin: judges what the model finds
  DetectOptions options;
  model::SeriesFacts facts;
  nlohmann::json volume;  ///< job::describeVolume()
};
nlohmann::json toJson(const DetectRequest& request);

nlohmann::json toJson(const std::vector<ChosenSeries>& chosen);
Expected<std::vector<ChosenSeries>> chosenFromJson(const nlohmann::json& object);

/// The readers of the worker's side.
Expected<ScanRequest> scanRequestFromJson(const nlohmann::json& object);
Expected<LoadRequest> loadRequestFromJson(const nlohmann::json& object);
Expected<DetectRequest> detectRequestFromJson(const nlohmann::json& object);

}  // namespace lynceus::study
