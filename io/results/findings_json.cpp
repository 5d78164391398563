#include "io/results/findings_json.h"

#include <array>
#include <fstream>
#include <limits>
#include <string_view>

#include "core/atomic_file.h"
#include "core/image/geometry_json.h"
#include "core/json_reader.h"
#include "core/version.h"

namespace lynceus::results {

namespace {

using detect::DetectionResult;
using detect::Finding;
using detect::Measurements;
using detect::ReviewState;
using detect::RunLengthMask;
using detect::Status;
using image::Geometry;
using nlohmann::json;

template <class Enum>
struct Name {
  Enum value;
  const char* text;
};
constexpr std::array kStatusNames{
    Name<Status>{Status::succeeded, "succeeded"}, Name<Status>{Status::partial, "partial"},
    Name<Status>{Status::rejectedInput, "rejectedInput"}, Name<Status>{Status::failed, "failed"}};
constexpr std::array kReviewNames{
    Name<ReviewState>{ReviewState::proposed, "proposed"}, Name<ReviewState>{ReviewState::accepted, "accepted"},
    Name<ReviewState>{ReviewState::rejected, "rejected"}, Name<ReviewState>{ReviewState::edited, "edited"}};

template <class Enum, size_t N>
const char* nameOf(Enum value, const std::array<Name<Enum>, N>& names) {
  for (const auto& name : names) {
    if (name.value == value) return name.text;
  }
  return "";
}

json maskJson(const RunLengthMask& mask) {
  json runs = json::array();
  for (const RunLengthMask::Run& run : mask.runs) runs.push_back({run.offset, run.length});
  return runs;
}

json findingJson(const Finding& f) {
  json out = {{"id", f.id},
              {"kind", f.kind},
              {"centerMm", image::toJson(f.centerMm)},
              {"boxMm", {{"min", image::toJson(f.boxMm.min)}, {"max", image::toJson(f.boxMm.max)}}},
              {"estimatedDiameterMm", f.estimatedDiameterMm},
              {"score", f.score},
              {"rawScore", f.rawScore},
              {"secondStageRawScore", f.secondStageRawScore ? json(*f.secondStageRawScore) : json()},
              {"review", nameOf(f.review, kReviewNames)},
              {"tags", f.tags},
              {"maskRuns", f.mask ? maskJson(*f.mask) : json()}};
  for (const char* key : {"diameterMm", "longAxisMm", "shortAxisMm", "volumeMm3", "meanHu", "sdHu", "longAxisEndsMm",
                          "shortAxisEndsMm", "maskAlgorithm"}) {
    out[key] = nullptr;
  }
  if (!f.measurements) return out;
  const Measurements& m = *f.measurements;
  out["diameterMm"] = m.diameterMm;
  out["longAxisMm"] = m.longAxisMm;
  out["shortAxisMm"] = m.shortAxisMm;
  out["volumeMm3"] = m.volumeMm3;
  out["meanHu"] = m.meanHu;
  out["sdHu"] = m.sdHu;
  out["longAxisEndsMm"] = {image::toJson(m.longAxisEndsMm[0]), image::toJson(m.longAxisEndsMm[1])};
  out["shortAxisEndsMm"] = {image::toJson(m.shortAxisEndsMm[0]), image::toJson(m.shortAxisEndsMm[1])};
  out["maskAlgorithm"] = m.algorithm;
  return out;
}

template <class Enum, size_t N>
Enum readName(JsonReader& in, const char* key, const std::array<Name<Enum>, N>& names) {
  const std::string text = in.string(key);
  std::string allowed;
  for (const auto& name : names) {
    if (text == name.text) return name.value;
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", name.text);
  }
  in.fail(key, fmt::format("must be one of {}", allowed));
  return names[0].value;
}

RunLengthMask readMask(JsonReader& in, const json& runs, const std::optional<Geometry>& geometry) {
  RunLengthMask mask;
  if (!geometry) in.fail("maskRuns", "needs the geometry of the series, which is null");
  if (!runs.is_array()) in.fail("maskRuns", "must be a list of [offset, length] or null");
  int64_t end = 0;
  for (size_t i = 0; i < runs.size() && !in.failed(); ++i) {
    const std::string where = fmt::format("maskRuns[{}]", i);
    const auto run = in.integers(&runs[i], where, 2, 0, geometry->voxelCount());
    if (in.failed()) break;
    if (run[0] < end || run[1] < 1 || run[0] + run[1] > geometry->voxelCount()) {
      in.fail(where, "must follow the run before it and stay inside the volume");
      break;
    }
    mask.runs.push_back({run[0], run[1]});
    end = run[0] + run[1];
  }
  return mask;
}

/// All of the measurements or none of them.
std::optional<Measurements> readMeasurements(JsonReader& in) {
  int nulls = 0;
  constexpr std::array kKeys{"diameterMm", "longAxisMm", "shortAxisMm", "volumeMm3", "meanHu"};
  for (const char* key : kKeys) nulls += in.member(key)->is_null() ? 1 : 0;
  if (nulls == int{kKeys.size()} || in.failed()) return std::nullopt;
  Measurements m;
  m.diameterMm = in.number("diameterMm", 0);
  m.longAxisMm = in.number("longAxisMm", 0);
  m.shortAxisMm = in.number("shortAxisMm", 0);
  m.volumeMm3 = in.number("volumeMm3", 0);
  m.meanHu = in.number("meanHu");
  if (in.has("sdHu")) m.sdHu = in.number("sdHu", 0);
  if (in.has("maskAlgorithm")) m.algorithm = in.string("maskAlgorithm");
  const auto ends = [&](const char* key, image::Point3* to) {
    if (!in.has(key)) return;
    const auto points = in.vectors(key, 2);
    if (!in.failed()) std::copy(points.begin(), points.end(), to);
  };
  ends("longAxisEndsMm", m.longAxisEndsMm);
  ends("shortAxisEndsMm", m.shortAxisEndsMm);
  return m;
}

Finding readFinding(JsonReader in, const std::optional<Geometry>& geometry) {
  Finding f;
  f.id = static_cast<int>(in.integer("id", 0, std::numeric_limits<int>::max()));
  f.kind = in.string("kind");
  f.centerMm = in.vector("centerMm");
  JsonReader box = in.object("boxMm");
  f.boxMm = {box.vector("min"), box.vector("max")};
  f.score = in.number("score", 0, 1);
  f.rawScore = in.has("rawScore") ? in.number("rawScore") : f.score;
  if (in.has("secondStageRawScore")) f.secondStageRawScore = in.number("secondStageRawScore");
  if (in.has("estimatedDiameterMm")) f.estimatedDiameterMm = in.number("estimatedDiameterMm", 0);
  if (in.has("review")) f.review = readName(in, "review", kReviewNames);
  if (in.has("tags")) f.tags = in.object("tags").strings();
  if (in.has("maskRuns")) f.mask = readMask(in, *in.member("maskRuns"), geometry);
  f.measurements = readMeasurements(in);
  return f;
}

detect::SeriesReference readSeries(JsonReader in) {
  detect::SeriesReference s;
  s.source = in.string("source");
  s.studyUid = in.string("studyUid");
  s.seriesUid = in.string("seriesUid");
  const auto optional = [&](const char* key) { return in.has(key) ? in.string(key) : std::string(); };
  s.seriesDescription = optional("seriesDescription");
  s.patientId = optional("patientId");
  s.patientName = optional("patientName");
  s.patientBirthDate = optional("patientBirthDate");
  s.instancesSha256 = optional("instancesSha256");
  if (in.has("instanceCount")) s.instanceCount = static_cast<int>(in.integer("instanceCount", 0, 1000000000));
  return s;
}

detect::Provenance readProvenance(JsonReader& top) {
  detect::Provenance p;
  JsonReader model = top.object("model");
  p.modelId = model.string("id");
  p.modelVersion = model.string("version");
  p.weightsSha256 = model.string("weightsSha256");
  if (model.has("secondStageSha256")) p.secondStageSha256 = model.string("secondStageSha256");
  p.device = top.string("device");
  p.precision = top.string("precision");
  if (!top.has("provenance")) return p;
  JsonReader in = top.object("provenance");
  const auto optional = [&](const char* key) { return in.has(key) ? in.string(key) : std::string(); };
  p.preprocessing = optional("preprocessing");
  p.createdUtc = optional("createdUtc");
  p.lynceusVersion = optional("lynceusVersion");
  p.lynceusCommit = optional("lynceusCommit");
  return p;
}

Expected<void> checkVersion(const json& document) {
  if (!document.is_object()) return makeError(ErrorCode::badInput, "the document is not a JSON object");
  std::optional<Error> error;
  JsonReader top(document, "", error);
  const int64_t version = top.integer("schemaVersion", 1, std::numeric_limits<int>::max());
  if (error) return tl::make_unexpected(*error);
  if (version > kFindingsSchemaVersion) {
    return makeError(ErrorCode::unsupported, "schemaVersion is {} and this program reads up to {}: use a newer Lynceus",
                     version, kFindingsSchemaVersion);
  }
  return {};
}

bool holdsAnObject(const json& value) {
  if (value.is_object()) return true;
  return value.is_array() && std::any_of(value.begin(), value.end(), holdsAnObject);
}

/// Indented, but with each list of numbers on one line: a mask has thousands of them.
std::string print(const json& value, int depth = 0) {
  if (!holdsAnObject(value) || value.empty()) return value.dump(-1, ' ', false, json::error_handler_t::replace);
  const std::string indent(static_cast<size_t>(depth + 1) * 2, ' ');
  std::string out;
  for (const auto& [key, member] : value.items()) {
    out += out.empty() ? "\n" : ",\n";
    out += indent;
    if (value.is_object()) out += json(key).dump(-1, ' ', false, json::error_handler_t::replace) + ": ";
    out += print(member, depth + 1);
  }
  const std::string close = "\n" + indent.substr(2);
  return value.is_object() ? "{" + out + close + "}" : "[" + out + close + "]";
}

}  // namespace

std::string_view statusName(Status status) { return nameOf(status, kStatusNames); }

json seriesToJson(const detect::SeriesReference& s) {
  return {{"source", s.source},
          {"studyUid", s.studyUid},
          {"seriesUid", s.seriesUid},
          {"seriesDescription", s.seriesDescription},
          {"patientId", s.patientId},
          {"patientName", s.patientName},
          {"patientBirthDate", s.patientBirthDate},
          {"instancesSha256", s.instancesSha256},
          {"instanceCount", s.instanceCount}};
}

Expected<detect::SeriesReference> seriesFromJson(const json& object) {
  std::optional<Error> error;
  detect::SeriesReference series = readSeries(JsonReader(object, "series", error));
  if (error) return tl::make_unexpected(*error);
  return series;
}

json toJson(const DetectionResult& r) {
  json findings = json::array();
  for (const Finding& f : r.findings) findings.push_back(findingJson(f));
  const detect::Provenance& p = r.provenance;
  return {{"schemaVersion", kFindingsSchemaVersion},
          {"status", statusName(r.status)},
          {"reason", r.reason},
          {"remarks", r.remarks},
          {"coordinateSystem", "LPS"},
          {"units", {{"length", "mm"}, {"volume", "mm3"}, {"density", "HU"}, {"time", "ms"}}},
          {"series", seriesToJson(r.series)},
          {"geometry", r.geometry ? image::toJson(*r.geometry) : json()},
          {"model",
           {{"id", p.modelId},
            {"version", p.modelVersion},
            {"weightsSha256", p.weightsSha256},
            {"secondStageSha256", p.secondStageSha256.empty() ? json() : json(p.secondStageSha256)}}},
          {"device", p.device},
          {"precision", p.precision},
          {"provenance",
           {{"preprocessing", p.preprocessing},
            {"createdUtc", p.createdUtc},
            {"lynceusVersion", p.lynceusVersion},
            {"lynceusCommit", p.lynceusCommit}}},
          {"timingsMs", r.timingsMs},
          {"findings", findings}};
}

Expected<DetectionResult> fromJson(const json& document) {
  if (const auto checked = checkVersion(document); !checked) return passError(checked);
  std::optional<Error> error;
  JsonReader top(document, "", error);
  DetectionResult r;
  r.status = readName(top, "status", kStatusNames);
  r.reason = top.string("reason");
  if (top.has("remarks")) r.remarks = top.stringList("remarks");
  if (top.has("coordinateSystem") && top.string("coordinateSystem") != "LPS")
    top.fail("coordinateSystem", "must be LPS");
  r.series = readSeries(top.object("series"));
  if (!top.member("geometry")->is_null()) r.geometry = image::readGeometry(top.object("geometry"));
  r.provenance = readProvenance(top);
  r.timingsMs = top.object("timingsMs").numbers();
  for (JsonReader& finding : top.objects("findings")) {
    if (error) break;
    r.findings.push_back(readFinding(finding, r.geometry));
  }
  if (error) return tl::make_unexpected(*error);
  return r;
}

Expected<DetectionResult> readFindingsJson(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return makeError(ErrorCode::resource, "{}: cannot be opened: check the path and its permissions", path.string());
  const json document = json::parse(file, nullptr, false);
  if (document.is_discarded()) return makeError(ErrorCode::badInput, "{}: is not valid JSON", path.string());
  auto result = fromJson(document);
  if (!result) return makeError(result.error().code, "{}: {}", path.string(), result.error().message);
  return result;
}

Expected<void> writeFindingsJson(const DetectionResult& result, const std::filesystem::path& path, const json& extra) {
  json document = extra;
  document.update(toJson(result));
  const std::string text = print(document) + "\n";
  if (const auto readable = fromJson(json::parse(text)); !readable) {
    return makeError(ErrorCode::internal, "{}: the result is not valid: {}", path.string(), readable.error().message);
  }
  return writeFileAtomically(path, text);
}

}  // namespace lynceus::results
