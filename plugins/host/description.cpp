#include "plugins/host/description.h"

#include <algorithm>
#include <set>

#include <lynceus/plugin.h>

#include "core/json_reader.h"
#include "plugins/host/text.h"

namespace lynceus::plugins {
namespace {

using nlohmann::json;

constexpr int kSchemaVersion = 1;
constexpr double kLargestMm = 1e6;

/// Letters, digits and what else stands in ids and versions; begins with a letter or digit.
bool isCode(std::string_view text, std::string_view marks) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 128 && plain(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return plain(c) || marks.find(c) != std::string_view::npos;
  });
}

bool isRange(const model::Range& r) { return r.min >= 0 && r.min <= r.max && r.max <= kLargestMm; }

json rangeJson(const model::Range& r) { return {r.min, r.max}; }

model::Range readRange(JsonReader& in, const char* key) {
  const json& pair = *in.member(key);
  if (pair.is_array() && pair.size() == 2 && pair[0].is_number() && pair[1].is_number())
    return {pair[0].get<double>(), pair[1].get<double>()};
  in.fail(key, "must be two numbers");
  return {};
}

Description readDescription(JsonReader& in) {
  Description d;
  d.id = in.string("id");
  d.version = in.string("version");
  d.summary = in.string("summary");
  d.licence = in.string("licence");
  d.interfaceId = in.string("interface");
  d.kinds = in.stringList("kinds");
  const model::Range pixel = readRange(in, "pixelSpacingMm"), slice = readRange(in, "sliceSpacingMm");
  d.input = inputRules(pixel, slice, readRange(in, "coverageMm"));
  return d;
}

}  // namespace

bool Description::isDetector() const { return interfaceId == LYNCEUS_DETECTOR; }
bool Description::isClassifier() const { return interfaceId == LYNCEUS_CLASSIFIER; }

model::InputRules inputRules(const model::Range& pixelSpacingMm, const model::Range& sliceSpacingMm,
                             const model::Range& coverageMm) {
  return {"CT", pixelSpacingMm, sliceSpacingMm, {0, kLargestMm}, coverageMm};
}

Expected<void> checkDescription(const Description& d) {
  const auto bad = [](std::string_view member, std::string_view rule) {
    return makeError(ErrorCode::badInput, "{} of the model's description {}", member, rule);
  };
  constexpr std::string_view kCode = "must be 1 to 128 letters, digits, '.', '-' or '_'";
  if (!isCode(d.id, "._-")) return bad("id", kCode);
  if (!isCode(d.version, "._-+")) return bad("version", "must be 1 to 128 letters, digits, '.', '-', '_' or '+'");
  if (d.summary.size() > kMostBytes || !isPrintable(d.summary))
    return bad("summary", "must be one line of UTF-8 of at most 500 bytes");
  if (d.licence.empty() || d.licence.size() > kMostBytes || !isPrintable(d.licence))
    return bad("licence", "must be an SPDX identifier of at most 500 bytes");
  if (!isCode(d.interfaceId, "._-/")) return bad("interface_id", "must be an id such as \"lynceus.detector/1\"");
  if (d.kinds.empty() || d.kinds.size() > kMostKinds) return bad("kinds", "must hold 1 to 64 codes");
  for (const std::string& kind : d.kinds)
    if (!isCode(kind, "._-")) return bad("each of kinds", kCode);
  constexpr std::string_view kRange = "must be two numbers of millimetres, the smaller one first, up to 1000000";
  if (!isRange(d.input.pixelSpacingMm)) return bad("pixel_spacing_mm", kRange);
  if (!isRange(d.input.sliceSpacingMm)) return bad("slice_spacing_mm", kRange);
  if (!isRange(d.input.coverageMm)) return bad("coverage_mm", kRange);
  return {};
}

std::string toJson(const std::vector<Description>& models) {
  json list = json::array();
  for (const Description& d : models) {
    list.push_back({{"id", d.id},
                    {"version", d.version},
                    {"summary", d.summary},
                    {"licence", d.licence},
                    {"interface", d.interfaceId},
                    {"kinds", d.kinds},
                    {"pixelSpacingMm", rangeJson(d.input.pixelSpacingMm)},
                    {"sliceSpacingMm", rangeJson(d.input.sliceSpacingMm)},
                    {"coverageMm", rangeJson(d.input.coverageMm)}});
  }
  return json{{"schemaVersion", kSchemaVersion}, {"models", std::move(list)}}.dump();
}

Expected<std::vector<Description>> descriptionsFromJson(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return makeError(ErrorCode::badInput, "the descriptions of a plugin are no JSON");
  std::optional<Error> error;
  JsonReader in(document, "", error);
  in.integer("schemaVersion", kSchemaVersion, kSchemaVersion);
  std::vector<JsonReader> list = in.objects("models");
  if (list.empty() || list.size() > kMostModels) in.fail("models", "must hold 1 to 64 models");
  if (error) return tl::make_unexpected(*error);
  std::vector<Description> models;
  std::set<std::string> ids;
  for (JsonReader& one : list) {
    models.push_back(readDescription(one));
    if (error) return tl::make_unexpected(*error);
    if (const auto checked = checkDescription(models.back()); !checked) return passError(checked);
    if (!ids.insert(models.back().id).second)
      return makeError(ErrorCode::badInput, "two models have the id {}", models.back().id);
  }
  return models;
}

}  // namespace lynceus::plugins
