#include "core/evaluate/match.h"

#include <algorithm>

#include <fmt/format.h>

namespace lynceus::evaluate {
namespace {

double diameterOf(const detect::Finding& f) {
  return f.measurements ? f.measurements->diameterMm : f.estimatedDiameterMm;
}

}  // namespace

int Comparison::hits() const {
  return static_cast<int>(
      std::count_if(lesions.begin(), lesions.end(), [](const Match& m) { return m.finding.has_value(); }));
}

Comparison compare(const std::vector<detect::Finding>& truth, const std::vector<detect::Finding>& found) {
  Comparison result;
  std::vector<bool> inside(found.size());
  for (size_t t = 0; t < truth.size(); ++t) {
    Match match{t, std::nullopt, 0};
    const double radius = diameterOf(truth[t]) / 2;
    for (size_t f = 0; f < found.size(); ++f) {
      const double distance = image::norm(found[f].centerMm - truth[t].centerMm);
      if (!(distance * distance < radius * radius)) continue;
      inside[f] = true;
      if (!match.finding || found[f].score > found[*match.finding].score) {
        match.finding = f;
        match.distanceMm = distance;
      }
    }
    result.lesions.push_back(match);
  }
  for (size_t f = 0; f < found.size(); ++f) {
    if (!inside[f]) result.falseMarks.push_back(f);
  }
  return result;
}

std::string comparisonTable(const std::vector<detect::Finding>& truth, const std::vector<detect::Finding>& found) {
  const Comparison c = compare(truth, found);
  std::string text =
      fmt::format("{:>6}  {:>11}  {:>26}  {}\n", "lesion", "diameter mm", "position mm (L, P, S)", "found");
  for (const Match& m : c.lesions) {
    const detect::Finding& t = truth[m.truth];
    const std::string position = fmt::format("{:.1f}, {:.1f}, {:.1f}", t.centerMm.x, t.centerMm.y, t.centerMm.z);
    text += fmt::format("{:>6}  {:>11.1f}  {:>26}  ", t.id, diameterOf(t), position);
    if (m.finding) {
      const detect::Finding& f = found[*m.finding];
      text += fmt::format("finding {}, score {:.2f}, {:.1f} mm, {:.1f} mm off\n", f.id, f.score, diameterOf(f),
                          m.distanceMm);
    } else {
      text += "MISSED\n";
    }
  }
  text += fmt::format("{} of {} lesions found, {} false marks\n", c.hits(), c.lesions.size(), c.falseMarks.size());
  return text;
}

}  // namespace lynceus::evaluate
