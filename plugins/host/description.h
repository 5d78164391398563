// What a model of a plugin says of itself: checked once, then plain values that travel between processes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/model/package.h"

namespace lynceus::plugins {

struct Description {
  std::string id, version;  ///< such as "org.example.blobs" and "1.2.0"
  std::string summary;      ///< one line, UTF-8
  std::string licence;
  std::string interfaceId;         ///< "lynceus.detector/1"; one that this version does not know is listed, not run
  std::vector<std::string> kinds;  ///< codes of what it finds, at least one
  model::InputRules input;

  bool isDetector() const;
  bool isClassifier() const;
};

inline constexpr size_t kMostModels = 64;  ///< of one library
inline constexpr size_t kMostKinds = 64;   ///< of one model
inline constexpr size_t kMostBytes = 500;  ///< of one text

/// Rules for a CT of such spacing and coverage; of the slice thickness a plugin says nothing.
model::InputRules inputRules(const model::Range& pixelSpacingMm, const model::Range& sliceSpacingMm,
                             const model::Range& coverageMm);

/// Every rule for the description of one model.
/// @return an error that says which member breaks which rule; it names no file.
Expected<void> checkDescription(const Description& description);

/// Descriptions of one library for another process: {"schemaVersion": 1, "models": [{…}]}.
std::string toJson(const std::vector<Description>& models);
/// Reads what toJson() wrote. The text may come from anywhere: it is checked like the library itself.
Expected<std::vector<Description>> descriptionsFromJson(std::string_view text);

}  // namespace lynceus::plugins
