#include "core/detect/stages.h"

#include <algorithm>
#include <ctime>

#include "core/measure/measure.h"
#include "core/measure/nodule_mask.h"
#include "core/version.h"

namespace lynceus::detect {

double Stopwatch::lap() {
  const auto now = std::chrono::steady_clock::now();
  const double ms = std::chrono::duration<double, std::milli>(now - m_last).count();
  m_last = now;
  return ms;
}

void stamp(Provenance& provenance) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  provenance.createdUtc = text;
  provenance.lynceusVersion = kVersion;
  provenance.lynceusCommit = kCommit;
}

bool admit(const model::InputRules& rules, const image::Volume& volume, const model::SeriesFacts& facts,
           DetectionResult& result) {
  const std::string rule = model::brokenRule(rules, volume.geometry(), facts);
  if (rule.empty()) return true;
  result.status = Status::rejectedInput;
  result.reason = rule + "; choose another series or another model";
  return false;
}

std::optional<LungRegion> regionOf(const image::Volume& volume, Region region, DetectionResult& result) {
  if (region == Region::whole) return std::nullopt;
  auto lungs = findLungRegion(volume);
  if (!lungs) result.remarks.push_back("no lung found: the whole volume was searched");
  return lungs;
}

bool contains(const image::Mask& mask, const image::Point3& pointMm) {
  const image::Int3 v = mask.geometry.nearestVoxel(pointMm), size = mask.geometry.size;
  // The coarse mask ends a little before the volume.
  return mask.at(std::clamp(v.x, 0, size.x - 1), std::clamp(v.y, 0, size.y - 1), std::clamp(v.z, 0, size.z - 1)) != 0;
}

void rank(std::vector<Finding>& findings, double threshold, size_t most) {
  // Never a score that is not a number.
  std::erase_if(findings, [&](const Finding& f) { return !(f.score >= threshold); });
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.score > b.score; });
  if (findings.size() > most) findings.resize(most);
  for (size_t i = 0; i < findings.size(); ++i) findings[i].id = static_cast<int>(i) + 1;
}

tl::unexpected<Error> wasCancelled() { return makeError(ErrorCode::cancelled, "detection was cancelled"); }

Expected<void> segmentAndMeasure(const image::Volume& volume, const job::Context& context,
                                 std::vector<Finding>& findings) {
  for (size_t i = 0; i < findings.size(); ++i) {
    if (context.cancelled()) return wasCancelled();
    context.progress(static_cast<double>(i) / static_cast<double>(findings.size()), "measure");
    Finding& f = findings[i];
    auto mask = measure::segmentNodule(volume, f.centerMm, f.estimatedDiameterMm);
    if (!mask) continue;  // a finding without a mask carries no measurements, and says so by their absence
    f.measurements = measure::measure(volume, *mask);
    f.measurements->algorithm = measure::kNoduleMaskAlgorithm;
    f.mask = std::move(*mask);
  }
  return {};
}

}  // namespace lynceus::detect
