#include "core/evaluate/report.h"

#include "core/version.h"

namespace lynceus::evaluate {
namespace {

constexpr const char* kNoProbabilities =
    "not computed: it needs marks whose scores are probabilities, all between 0 and 1";

std::string intervalText(const Estimate& e) {
  return e.interval ? fmt::format("{:.3f} to {:.3f}", e.interval->low, e.interval->high) : "too few samples";
}

std::string shortInterval(const Estimate& e) {
  return e.interval ? fmt::format("{:.2f}-{:.2f}", e.interval->low, e.interval->high) : "-";
}

std::string countsText(const Froc& froc, const LunaInput& input) {
  const Froc::Counts& c = froc.counts;
  std::string text = fmt::format(
      "{} series, {} of them with findings\n{} findings, {} excluded ones\n{} marks: {} hit, {} false\n"
      "not counted: {} marks in a finding that a stronger one hit, {} in excluded findings, {} beyond the {} "
      "strongest\n",
      c.scans, c.scansWithFindings, c.findings, c.excluded, c.marks, c.hit, c.falseMarks, c.duplicate, c.ignored,
      c.surplus, kMostMarks);
  if (froc.pseudo) text += fmt::format("not counted either: {} marks in series that are no background\n", c.outside);
  if (input.otherFindings + input.otherExcluded + input.otherMarks > 0) {
    text += fmt::format("left out, as their series are not listed: {} findings, {} excluded ones, {} marks\n",
                        input.otherFindings, input.otherExcluded, input.otherMarks);
  }
  return text;
}

std::string pointsText(const Froc& froc) {
  std::string text = fmt::format("\n{:>22}  {:>10}  {:>11}  {}\n", "false marks per series", "score from",
                                 "sensitivity", "95 % interval");
  for (const Froc::OperatingPoint& p : froc.points) {
    const std::string threshold = p.threshold ? fmt::format("{:.6f}", *p.threshold) : "none";
    text += fmt::format("{:>22}  {:>10}  {:>11.3f}  {}\n", p.rate, threshold, p.sensitivity.value,
                        intervalText(p.sensitivity));
  }
  text += fmt::format("{:>22}  {:>10}  {:>11.3f}  {}\n", "CPM, the mean", "", froc.cpm.value, intervalText(froc.cpm));
  if (froc.mostFalsePerScan < kRates.back()) {
    text += fmt::format("all marks together are {:.3f} false ones per series; beyond that the curve stays level\n",
                        froc.mostFalsePerScan);
  }
  return text;
}

std::string groupsText(const Froc& froc) {
  std::string text, column;
  for (const FrocGroup& g : froc.groups) {
    if (g.column != column) {
      column = g.column;
      text += fmt::format("\nsensitivity by {}, at the thresholds of all findings; false marks per series:\n", column);
      text += fmt::format("{:>16} {:>5}", "", "n");
      for (const double rate : kRates) text += fmt::format("  {:>9}", rate);
      text += fmt::format("  {:>9}\n", "CPM");
    }
    text += fmt::format("{:>16} {:>5}", g.value, g.findings);
    for (const Estimate& e : g.sensitivity) text += fmt::format("  {:>9.3f}", e.value);
    text += fmt::format("  {:>9.3f}\n{:>22}", g.cpm.value, "");
    for (const Estimate& e : g.sensitivity) text += fmt::format("  {:>9}", shortInterval(e));
    text += fmt::format("  {:>9}\n", shortInterval(g.cpm));
  }
  return text;
}

std::string calibrationText(const Calibration& c, const char* what) {
  std::string text = fmt::format("\ncalibration over {} {}\n{:>12}  {:>7}  {:>10}  {:>10}  {}\n", c.count, what,
                                 "score", "n", "mean score", "true share", "95 % interval");
  for (const Calibration::Bin& bin : c.bins) {
    text += fmt::format("{:>5.1f} to {:.1f}  {:>7}", bin.low, bin.low + 0.1, bin.count);
    text += bin.count == 0 ? fmt::format("  {:>10}  {:>10}\n", "-", "-")
                           : fmt::format("  {:>10.3f}  {:>10.3f}  {}\n", bin.meanProbability, bin.observed.value,
                                         intervalText(bin.observed));
  }
  text += fmt::format("expected calibration error {:.4f} ({}), Brier score {:.4f} ({})\n", c.expectedError.value,
                      intervalText(c.expectedError), c.brier.value, intervalText(c.brier));
  return text;
}

nlohmann::json intervalJson(const std::optional<Interval>& interval) {
  if (!interval) return nullptr;
  return {interval->low, interval->high};
}

nlohmann::json estimateJson(const Estimate& e) { return {{"value", e.value}, {"interval", intervalJson(e.interval)}}; }

nlohmann::json calibrationJson(const Calibration& c, const char* bins) {
  nlohmann::json json = {{"count", c.count},
                         {"expectedCalibrationError", estimateJson(c.expectedError)},
                         {"brierScore", estimateJson(c.brier)},
                         {"over", bins},
                         {"bins", nlohmann::json::array()}};
  for (const Calibration::Bin& bin : c.bins) {
    json["bins"].push_back({{"from", bin.low},
                            {"to", bin.low + 0.1},
                            {"count", bin.count},
                            {"meanScore", bin.meanProbability},
                            {"trueShare", estimateJson(bin.observed)}});
  }
  return json;
}

nlohmann::json documentOf(const char* kind, const std::string& headline, const char* unit, const Origin& origin) {
  return {{"schemaVersion", kEvaluationSchemaVersion},
          {"kind", kind},
          {"headline", headline},
          {"lynceus", {{"version", kVersion}, {"commit", kCommit}}},
          {"inputs", origin.inputs},
          {"bootstrap",
           {{"replicates", origin.bootstrap.replicates},
            {"seed", origin.bootstrap.seed},
            {"drawn", unit},
            {"interval", "middle 95 % of the replicates"}}}};
}

nlohmann::json countsJson(const Froc& froc, const LunaInput& input) {
  const Froc::Counts& c = froc.counts;
  return {
      {"series", c.scans},
      {"seriesWithFindings", c.scansWithFindings},
      {"seriesForFalseMarks", c.scansForFalseMarks},
      {"findings", c.findings},
      {"excludedFindings", c.excluded},
      {"marks", c.marks},
      {"hits", c.hit},
      {"falseMarks", c.falseMarks},
      {"duplicates", c.duplicate},
      {"ignored", c.ignored},
      {"surplus", c.surplus},
      {"outsideOfBackground", c.outside},
      {"leftOut",
       {{"findings", input.otherFindings}, {"excludedFindings", input.otherExcluded}, {"marks", input.otherMarks}}}};
}

nlohmann::json groupsJson(const Froc& froc) {
  nlohmann::json json = nlohmann::json::array();
  for (const FrocGroup& g : froc.groups) {
    nlohmann::json sensitivity = nlohmann::json::array();
    for (const Estimate& e : g.sensitivity) sensitivity.push_back(estimateJson(e));
    json.push_back({{"column", g.column},
                    {"value", g.value},
                    {"findings", g.findings},
                    {"sensitivity", std::move(sensitivity)},
                    {"cpm", estimateJson(g.cpm)}});
  }
  return json;
}

nlohmann::json findingsJson(const Froc& froc, const FrocInput& input) {
  nlohmann::json json = nlohmann::json::array();
  for (const Froc::FindingScore& f : froc.findings) {
    const Scan& scan = input.scans[f.scan];
    const KnownFinding& known = scan.findings[f.finding];
    const image::Point3& c = known.ball.centerMm;
    nlohmann::json groups = nlohmann::json::object();
    for (size_t i = 0; i < input.groupColumns.size(); ++i) groups[input.groupColumns[i]] = known.groups[i];
    json.push_back({{"series", scan.name},
                    {"place", known.place},
                    {"centerMm", {c.x, c.y, c.z}},
                    {"diameterMm", known.ball.diameterMm},
                    {"groups", std::move(groups)},
                    {"score", f.score ? nlohmann::json(*f.score) : nlohmann::json()}});
  }
  return json;
}

}  // namespace

std::string headlineOf(const Froc& froc) {
  const Froc::Counts& c = froc.counts;
  if (froc.pseudo)
    return fmt::format("pseudo-FROC: findings from {} series, false marks from {}", c.scansWithFindings,
                       c.scansForFalseMarks);
  return fmt::format("FROC: {} findings and {} false marks in {} series", c.findings, c.falseMarks, c.scans);
}

std::string headlineOf(const Patches& p) {
  return fmt::format("ROC: {} patches of {} patients, {} with label 1", p.patches, p.patients, p.positives);
}

std::string tableOf(const Froc& froc, const LunaInput& input) {
  std::string text = headlineOf(froc) + "\n" + countsText(froc, input) + pointsText(froc) + groupsText(froc);
  if (froc.calibration) {
    text += calibrationText(*froc.calibration, "marks, hit or false");
    if (froc.pseudo)
      text += "as findings and false marks come from different scans, the shares are those of the choice\n";
    return text;
  }
  return text + fmt::format("\ncalibration {}\n", kNoProbabilities);
}

std::string tableOf(const Patches& p) {
  std::string text = headlineOf(p) + "\n\n";
  text += fmt::format("{:>22}  {:>6}  {}\n", "", "", "95 % interval");
  const auto add = [&](const char* name, const Estimate& e) {
    text += fmt::format("{:>22}  {:>6.3f}  {}\n", name, e.value, intervalText(e));
  };
  add("accuracy at 0.5", p.accuracy);
  add("sensitivity at 0.5", p.sensitivity);
  add("specificity at 0.5", p.specificity);
  add("area under the ROC", p.rocArea);
  return text + calibrationText(p.calibration, "patches");
}

nlohmann::json jsonOf(const Froc& froc, const LunaInput& input, const Origin& origin) {
  nlohmann::json json = documentOf(froc.pseudo ? "pseudo-froc" : "froc", headlineOf(froc), "series", origin);
  json["units"] = {{"falseMarksPerSeries", "false marks divided by the series that count them"},
                   {"sensitivity", "share of the findings, 0 to 1; in groups one for each operating point"},
                   {"centerMm", "DICOM LPS, millimetres"},
                   {"diameterMm", "millimetres"},
                   {"threshold", "marks count from this score"}};
  json["counts"] = countsJson(froc, input);
  json["mostFalseMarksPerSeries"] = froc.mostFalsePerScan;
  json["operatingPoints"] = nlohmann::json::array();
  for (const Froc::OperatingPoint& p : froc.points) {
    json["operatingPoints"].push_back({{"falseMarksPerSeries", p.rate},
                                       {"threshold", p.threshold ? nlohmann::json(*p.threshold) : nlohmann::json()},
                                       {"sensitivity", estimateJson(p.sensitivity)}});
  }
  json["cpm"] = estimateJson(froc.cpm);
  json["curve"] = nlohmann::json::array();
  for (const Froc::CurvePoint& p : froc.curve) {
    json["curve"].push_back({{"falseMarksPerSeries", p.rate},
                             {"sensitivity", p.sensitivity},
                             {"bootstrapMean", p.spread.mean},
                             {"interval", intervalJson(p.spread.interval)}});
  }
  json["groups"] = groupsJson(froc);
  json["calibration"] =
      froc.calibration ? calibrationJson(*froc.calibration, "marks, hit or false") : nlohmann::json(kNoProbabilities);
  json["findings"] = findingsJson(froc, input.input);
  return json;
}

nlohmann::json jsonOf(const Patches& p, const Origin& origin) {
  nlohmann::json json = documentOf("patches", headlineOf(p), "patients", origin);
  json["units"] = {{"accuracy", "share, 0 to 1"}, {"rocArea", "0 to 1"}};
  json["counts"] = {{"patches", p.patches}, {"positives", p.positives}, {"patients", p.patients}};
  json["threshold"] = kPatchThreshold;
  json["accuracy"] = estimateJson(p.accuracy);
  json["sensitivity"] = estimateJson(p.sensitivity);
  json["specificity"] = estimateJson(p.specificity);
  json["rocArea"] = estimateJson(p.rocArea);
  json["roc"] = nlohmann::json::array();
  for (const Patches::RocPoint& point : p.roc) json["roc"].push_back({point.falsePositiveRate, point.truePositiveRate});
  json["calibration"] = calibrationJson(p.calibration, "patches");
  return json;
}

}  // namespace lynceus::evaluate
