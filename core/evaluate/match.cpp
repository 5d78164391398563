#include "core/evaluate/match.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

namespace lynceus::evaluate {
namespace {

bool inside(const image::Point3& point, const Ball& ball) {
  const image::Vec3 offset = point - ball.centerMm;
  const double radius = ball.diameterMm / 2;
  return dot(offset, offset) < radius * radius;
}

void dropSurplus(std::span<const Mark> marks, size_t most, std::vector<Fate>& fates) {
  if (marks.size() <= most) return;
  std::vector<double> scores;
  for (const Mark& m : marks) scores.push_back(m.score);
  const auto next = scores.begin() + static_cast<std::ptrdiff_t>(most);
  std::nth_element(scores.begin(), next, scores.end(), std::greater<>());
  for (size_t m = 0; m < marks.size(); ++m) {
    if (!(marks[m].score > *next)) fates[m] = Fate::surplus;
  }
}

}  // namespace

Matching match(std::span<const Ball> findings, std::span<const Ball> excluded, std::span<const Mark> marks,
               size_t mostMarks) {
  Matching result{std::vector<std::optional<size_t>>(findings.size()),
                  std::vector<Fate>(marks.size(), Fate::falseMark)};
  dropSurplus(marks, mostMarks, result.fates);
  for (size_t f = 0; f < findings.size(); ++f) {
    std::optional<size_t>& strongest = result.strongest[f];
    for (size_t m = 0; m < marks.size(); ++m) {
      if (result.fates[m] == Fate::surplus || !inside(marks[m].centerMm, findings[f])) continue;
      if (result.fates[m] == Fate::falseMark) result.fates[m] = Fate::duplicate;
      if (!strongest || marks[m].score > marks[*strongest].score) strongest = m;
    }
    if (strongest) result.fates[*strongest] = Fate::hit;
  }
  for (size_t m = 0; m < marks.size(); ++m) {
    if (result.fates[m] != Fate::falseMark) continue;
    const auto holds = [&](const Ball& ball) { return inside(marks[m].centerMm, ball); };
    if (std::any_of(excluded.begin(), excluded.end(), holds)) result.fates[m] = Fate::ignored;
  }
  return result;
}

double diameterOf(const detect::Finding& finding) {
  return finding.measurements ? finding.measurements->diameterMm : finding.estimatedDiameterMm;
}

std::string comparisonTable(const std::vector<detect::Finding>& truth, const std::vector<detect::Finding>& found) {
  std::vector<Ball> balls;
  for (const detect::Finding& t : truth) balls.push_back({t.centerMm, diameterOf(t)});
  std::vector<Mark> marks;
  for (const detect::Finding& f : found) marks.push_back({f.centerMm, f.score});
  const Matching matching = match(balls, {}, marks, marks.size());
  std::string text =
      fmt::format("{:>6}  {:>11}  {:>26}  {}\n", "lesion", "diameter mm", "position mm (L, P, S)", "found");
  size_t hits = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const detect::Finding& t = truth[i];
    const std::string position = fmt::format("{:.1f}, {:.1f}, {:.1f}", t.centerMm.x, t.centerMm.y, t.centerMm.z);
    text += fmt::format("{:>6}  {:>11.1f}  {:>26}  ", t.id, diameterOf(t), position);
    if (!matching.strongest[i]) {
      text += "MISSED\n";
      continue;
    }
    ++hits;
    const detect::Finding& f = found[*matching.strongest[i]];
    text += fmt::format("finding {}, score {:.2f}, {:.1f} mm, {:.1f} mm off\n", f.id, f.score, diameterOf(f),
                        norm(f.centerMm - t.centerMm));
  }
  const auto falseMarks = std::count(matching.fates.begin(), matching.fates.end(), Fate::falseMark);
  text += fmt::format("{} of {} lesions found, {} false marks\n", hits, truth.size(), falseMarks);
  return text;
}

}  // namespace lynceus::evaluate
