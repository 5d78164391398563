#include "app/study/requests.h"

#include <array>

#include "core/json_reader.h"
#include "io/results/findings_json.h"

namespace lynceus::study {
namespace {

using nlohmann::json;
using What = Selection::What;

template <class Enum>
struct Word {
  Enum value;
  const char* text;
};
constexpr std::array kWhats{Word<What>{What::best, "best"}, Word<What>{What::bestOfStudy, "bestOfStudy"},
                            Word<What>{What::all, "all"}, Word<What>{What::named, "named"}};
constexpr std::array kRegions{Word<detect::Region>{detect::Region::lung, "lung"},
                              Word<detect::Region>{detect::Region::whole, "whole"}};
constexpr std::array kPrecisions{Word<compute::Precision>{compute::Precision::fp32, "fp32"},
                                 Word<compute::Precision>{compute::Precision::bf16, "bf16"}};

template <class Enum, size_t N>
const char* textOf(Enum value, const std::array<Word<Enum>, N>& words) {
  for (const auto& word : words)
    if (word.value == value) return word.text;
  return "";
}

template <class Enum, size_t N>
Enum read(JsonReader& in, const char* key, const std::array<Word<Enum>, N>& words) {
  const std::string text = in.string(key);
  for (const auto& word : words)
    if (text == word.text) return word.value;
  in.fail(key, "is not a word of this version");
  return words[0].value;
}

json toJson(const model::Range& range) { return {{"min", range.min}, {"max", range.max}}; }

model::Range readRange(JsonReader in) { return {in.number("min"), in.number("max")}; }

json toJson(const model::InputRules& rules) {
  return {{"modality", rules.modality},
          {"pixelSpacingMm", toJson(rules.pixelSpacingMm)},
          {"sliceSpacingMm", toJson(rules.sliceSpacingMm)},
          {"sliceThicknessMm", toJson(rules.sliceThicknessMm)},
          {"coverageMm", toJson(rules.coverageMm)}};
}

model::InputRules readRules(JsonReader in) {
  return {in.string("modality"), readRange(in.object("pixelSpacingMm")), readRange(in.object("sliceSpacingMm")),
          readRange(in.object("sliceThicknessMm")), readRange(in.object("coverageMm"))};
}

json toJson(const model::SeriesFacts& facts) {
  return {{"modality", facts.modality}, {"sliceThicknessMm", facts.sliceThicknessMm}};
}

model::SeriesFacts readFacts(JsonReader in) { return {in.string("modality"), in.number("sliceThicknessMm", 0)}; }

/// Runs `make` on a reader of the object; what it fails on becomes the error.
template <class Make>
auto readObject(const json& object, Make make) -> Expected<decltype(make(std::declval<JsonReader&>()))> {
  std::optional<Error> error;
  JsonReader in(object, "", error);
  auto value = make(in);
  if (error) return tl::make_unexpected(*error);
  return value;
}

ModelChoice readModel(JsonReader& in, const char* key) {
  auto model = modelFromJson(*in.member(key));
  if (!model) in.fail(key, model.error().message);
  return model.value_or(ModelChoice());
}

/// A reference is read by the functions of findings.json.
detect::SeriesReference readReference(JsonReader& in, const char* key) {
  auto reference = results::seriesFromJson(*in.member(key));
  if (!reference) in.fail(key, reference.error().message);
  return reference.value_or(detect::SeriesReference());
}

}  // namespace

json toJson(const ScanRequest& r) {
  return {{"do", "scan"},
          {"path", r.path.string()},
          {"what", textOf(r.selection.what, kWhats)},
          {"seriesId", r.selection.seriesId},
          {"rules", toJson(r.selection.rules)},
          {"acceptGeometry", r.selection.acceptGeometry}};
}

Expected<ScanRequest> scanRequestFromJson(const json& object) {
  return readObject(object, [](JsonReader& in) {
    return ScanRequest{in.string("path"), Selection{read(in, "what", kWhats), in.string("seriesId"),
                                                    readRules(in.object("rules")), in.boolean("acceptGeometry")}};
  });
}

json toJson(const std::vector<ChosenSeries>& chosen) {
  json list = json::array();
  for (const ChosenSeries& c : chosen) {
    list.push_back(
        {{"index", c.index}, {"id", c.id}, {"why", c.why}, {"reference", results::seriesToJson(c.reference)}});
  }
  return {{"series", list}};
}

Expected<std::vector<ChosenSeries>> chosenFromJson(const json& object) {
  return readObject(object, [](JsonReader& in) {
    std::vector<ChosenSeries> chosen;
    for (JsonReader& c : in.objects("series")) {
      chosen.push_back({static_cast<size_t>(c.integer("index", 0, 1000000)), c.string("id"), c.string("why"),
                        readReference(c, "reference")});
    }
    return chosen;
  });
}

json toJson(const LoadRequest& r) {
  return {{"do", "load"}, {"path", r.path.string()}, {"seriesId", r.seriesId}, {"acceptGeometry", r.acceptGeometry}};
}

Expected<LoadRequest> loadRequestFromJson(const json& object) {
  return readObject(object, [](JsonReader& in) {
    return LoadRequest{in.string("path"), in.string("seriesId"), in.boolean("acceptGeometry")};
  });
}

json toJson(const LoadAnswer& a) {
  return {{"reference", results::seriesToJson(a.reference)},
          {"facts", toJson(a.facts)},
          {"remarks", a.remarks},
          {"volume", a.volume}};
}

Expected<LoadAnswer> loadAnswerFromJson(const json& object) {
  return readObject(object, [](JsonReader& in) {
    return LoadAnswer{readReference(in, "reference"), readFacts(in.object("facts")), in.stringList("remarks"),
                      *in.member("volume")};
  });
}

json toJson(const DetectRequest& r) {
  const detect::Options& d = r.options.detect;
  return {{"model", toJson(r.model)},
          {"classifier", r.classifier ? toJson(*r.classifier) : json()},
          {"device", r.options.device},
          {"region", textOf(d.region, kRegions)},
          {"threshold", d.threshold ? json(*d.threshold) : json()},
          {"precision", textOf(d.precision, kPrecisions)},
          {"tta", d.tta},
          {"facts", toJson(r.facts)},
          {"volume", r.volume}};
}

Expected<DetectRequest> detectRequestFromJson(const json& object) {
  return readObject(object, [](JsonReader& in) {
    DetectRequest r;
    r.model = readModel(in, "model");
    if (in.has("classifier")) r.classifier = readModel(in, "classifier");
    r.options.device = in.string("device");
    r.options.detect.region = read(in, "region", kRegions);
    if (in.has("threshold")) r.options.detect.threshold = in.number("threshold", 0, 1);
    r.options.detect.precision = read(in, "precision", kPrecisions);
    r.options.detect.tta = in.boolean("tta");
    r.facts = readFacts(in.object("facts"));
    r.volume = *in.member("volume");
    return r;
  });
}

}  // namespace lynceus::study
