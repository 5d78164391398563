// findings.json: what detection says about a study, for programs. The shape is in
// resources/schemas/findings-1.schema.json.
#pragma once

#include <filesystem>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/detect/finding.h"
#include "core/error.h"

namespace lynceus::results {

/// "succeeded", "partial", "rejectedInput" or "failed".
std::string_view statusName(detect::Status status);

/// What a result says of the series, and back. The reader takes anything.
nlohmann::json seriesToJson(const detect::SeriesReference& series);
Expected<detect::SeriesReference> seriesFromJson(const nlohmann::json& object);

/// Positions are LPS in mm; what needs a mask (diameterMm, volumeMm3, …) is null where there is none.
nlohmann::json toJson(const detect::DetectionResult& result);

/// Checks everything, so the input may come from anywhere; unknown keys are ignored.
/// @return ErrorCode::badInput naming the missing or wrong key, ErrorCode::unsupported for a newer schema version.
Expected<detect::DetectionResult> fromJson(const nlohmann::json& document);

/// As fromJson; the error names the file too. ErrorCode::resource where it cannot be opened.
Expected<detect::DetectionResult> readFindingsJson(const std::filesystem::path& path);

/// The file is complete or not there, and readFindingsJson accepts it (ErrorCode::internal for a result it would not,
/// such as one with a measurement that is not a number). ErrorCode::resource where the disk says no.
/// @param extra  further members of the document, such as what a phantom says about itself; readers ignore them.
Expected<void> writeFindingsJson(const detect::DetectionResult& result, const std::filesystem::path& path,
                                 const nlohmann::json& extra = nlohmann::json::object());

}  // namespace lynceus::results
