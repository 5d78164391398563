// What an evaluation says: a table for a person, JSON for programs.
#pragma once

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "core/evaluate/luna_lists.h"
#include "core/evaluate/patches.h"

namespace lynceus::evaluate {

inline constexpr int kEvaluationSchemaVersion = 1;

/// What the figures were computed from; goes into the JSON.
struct Origin {
  std::map<std::string, std::string> inputs;  ///< option and file or folder
  BootstrapOptions bootstrap;
};

/// "FROC: 1186 findings and false marks from 888 series", or for a pseudo-FROC where which came from.
std::string headlineOf(const Froc& froc);
std::string headlineOf(const Patches& patches);

std::string tableOf(const Froc& froc, const LunaInput& input);
std::string tableOf(const Patches& patches);

/// Every figure with its interval and unit, and each finding with its score or null, so that misses can be looked up.
nlohmann::json jsonOf(const Froc& froc, const LunaInput& input, const Origin& origin);
nlohmann::json jsonOf(const Patches& patches, const Origin& origin);

}  // namespace lynceus::evaluate
