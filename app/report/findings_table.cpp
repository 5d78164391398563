#include "app/report/findings_table.h"

#include <fmt/format.h>

namespace lynceus::report {

namespace {

using detect::DetectionResult;
using detect::Finding;
using detect::Status;

std::string count(const DetectionResult& r) {
  if (r.findings.empty()) return "no findings";
  return r.findings.size() == 1 ? "1 finding" : fmt::format("{} findings", r.findings.size());
}

std::string headline(const DetectionResult& r) {
  const std::string because = r.reason.empty() ? "no reason was given" : r.reason;
  switch (r.status) {
    case Status::succeeded: {
      std::string text = count(r);
      text[0] = text[0] == 'n' ? 'N' : text[0];
      return r.reason.empty() ? text : fmt::format("{} ({})", text, r.reason);
    }
    case Status::partial:
      // "No findings" must not be read off a search that did not see everything.
      return fmt::format("PARTIAL RESULT, {} in the part searched: {}", r.findings.empty() ? "nothing found" : count(r),
                         because);
    case Status::rejectedInput: return fmt::format("INPUT REJECTED, not searched: {}", because);
    case Status::failed: return fmt::format("FAILED, no result: {}", because);
  }
  return {};
}

std::string row(const Finding& f, const DetectionResult& r) {
  // A tilde marks what the network estimates where no mask could be measured.
  std::string diameter = fmt::format("~{:.1f}", f.estimatedDiameterMm), axes = "-", volume = "-", mean = "-",
              slice = "-";
  if (f.measurements) {
    diameter = fmt::format("{:.1f}", f.measurements->diameterMm);
    axes = fmt::format("{:.1f} x {:.1f}", f.measurements->longAxisMm, f.measurements->shortAxisMm);
    volume = fmt::format("{:.0f}", f.measurements->volumeMm3);
    mean = fmt::format("{:.0f}", f.measurements->meanHu);
  }
  if (r.geometry) slice = fmt::format("{}", r.geometry->nearestVoxel(f.centerMm).z + 1);
  const std::string position = fmt::format("{:.1f}, {:.1f}, {:.1f}", f.centerMm.x, f.centerMm.y, f.centerMm.z);
  return fmt::format("{:>3}  {:>5.2f}  {:>11}  {:>13}  {:>10}  {:>7}  {:>23}  {:>5}  {}\n", f.id, f.score, diameter,
                     axes, volume, mean, position, slice, f.kind);
}

}  // namespace

std::string findingsTable(const DetectionResult& result) {
  std::string out = headline(result) + "\n";
  for (const std::string& remark : result.remarks) out += fmt::format("note: {}\n", remark);
  if (result.findings.empty()) return out;
  out += fmt::format("{:>3}  {:>5}  {:>11}  {:>13}  {:>10}  {:>7}  {:>23}  {:>5}  {}\n", "#", "score", "diameter mm",
                     "long x short", "volume mm3", "mean HU", "position (LPS mm)", "slice", "kind");
  for (const Finding& f : result.findings) out += row(f, result);
  return out;
}

}  // namespace lynceus::report
