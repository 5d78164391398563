#include "io/dicom/geometry_gate.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include <fmt/format.h>

namespace lynceus::io::dicom {
namespace {

using image::Point3;
using image::Vec3;

constexpr double kUnitTolerance = 1e-2;          // how far a direction may be from unit length before it is garbage
constexpr double kParallelTolerance = 1e-3;      // of direction cosines: 0.06 degrees
constexpr double kPixelSpacingTolerance = 1e-3;  // relative
constexpr double kGapRatio = 1.75;               // a step this much longer than the others has lost slices

double orthonormalError(const Vec3& row, const Vec3& column) {
  return std::max({std::abs(norm(row) - 1), std::abs(norm(column) - 1), std::abs(dot(row, column))});
}

bool sayWhereTheyLie(const SlicePlane& s) {
  return s.positionMm && s.rowDirection && s.columnDirection && s.rows > 0 && s.columns > 0 && s.pixelSpacingXMm > 0 &&
         s.pixelSpacingYMm > 0 && std::isfinite(dot(*s.positionMm, *s.positionMm)) &&
         orthonormalError(*s.rowDirection, *s.columnDirection) < kUnitTolerance;
}

bool parallel(const SlicePlane& a, const SlicePlane& b) {
  const auto near = [](const Vec3& u, const Vec3& v) {
    return std::max({std::abs(u.x - v.x), std::abs(u.y - v.y), std::abs(u.z - v.z)}) <= kParallelTolerance;
  };
  return near(*a.rowDirection, *b.rowDirection) && near(*a.columnDirection, *b.columnDirection);
}

bool sameGrid(const SlicePlane& a, const SlicePlane& b) {
  const auto near = [](double u, double v) { return std::abs(u - v) <= kPixelSpacingTolerance * std::max(u, v); };
  return a.rows == b.rows && a.columns == b.columns && near(a.pixelSpacingXMm, b.pixelSpacingXMm) &&
         near(a.pixelSpacingYMm, b.pixelSpacingYMm);
}

std::string countOf(size_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

// The slices that form the stack, in order along the normal, and what can be said of it. Numbers are indices into
// `planes`; a person counts from 1.
struct Stack {
  std::vector<const SlicePlane*> planes;
  std::vector<double> along;  // mm along the normal, ascending
  Vec3 normal;

  // The coordinate that a PACS shows for the slice: "z = 12.5 mm" in axial and tilted stacks.
  std::string place(size_t i) const {
    const Vec3& p = *planes[i]->positionMm;
    const double nx = std::abs(normal.x), ny = std::abs(normal.y), nz = std::abs(normal.z);
    if (nz >= std::max(nx, ny)) return fmt::format("z = {:.1f} mm", p.z);
    return ny >= nx ? fmt::format("y = {:.1f} mm", p.y) : fmt::format("x = {:.1f} mm", p.x);
  }
  std::string images(size_t a, size_t b) const {
    return fmt::format("images {} and {}", planes[a]->instanceNumber, planes[b]->instanceNumber);
  }
};

// One problem for each place that holds more than one slice.
void findDuplicates(const Stack& stack, std::vector<GeometryProblem>& problems) {
  const auto same = [&](size_t i) {
    return i < stack.along.size() && stack.along[i] - stack.along[i - 1] <= kNoNoticeMm;
  };
  for (size_t i = 1; i < stack.along.size(); ++i) {
    if (!same(i)) continue;
    const size_t first = i - 1;
    while (same(i + 1)) ++i;
    GeometryProblem problem{GeometryClass::duplicate, Severity::bad, {}, stack.along[i] - stack.along[first], ""};
    for (size_t k = first; k <= i; ++k) problem.slices.push_back(static_cast<int>(k) + 1);
    problem.sentence = fmt::format("slices {} {} {} ({}) lie at the same place, {}", first + 1,
                                   i - first == 1 ? "and" : "to", i + 1, stack.images(first, i), stack.place(first));
    problems.push_back(std::move(problem));
  }
}

double medianStep(const Stack& stack) {
  std::vector<double> steps;
  for (size_t i = 1; i < stack.along.size(); ++i) {
    const double step = stack.along[i] - stack.along[i - 1];
    if (step > kNoNoticeMm) steps.push_back(step);
  }
  if (steps.empty()) return 0;
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>((steps.size() - 1) / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return *middle;
}

// A few long steps among many equal ones are gaps; many different steps are an uneven series.
std::vector<size_t> longSteps(const Stack& stack, double nominal) {
  std::vector<size_t> found;
  for (size_t i = 1; i < stack.along.size(); ++i) {
    if (stack.along[i] - stack.along[i - 1] >= kGapRatio * nominal) found.push_back(i);
  }
  const size_t steps = stack.along.size() - 1;
  if (found.size() > 1 && found.size() * 4 > steps) found.clear();
  return steps >= 2 ? found : std::vector<size_t>{};
}

void describeGaps(const Stack& stack, double nominal, const std::vector<size_t>& gaps,
                  std::vector<GeometryProblem>& problems) {
  int restored = 0;  // slices missing further down: they count when a missing slice gets its number
  for (const size_t i : gaps) {
    const double below = stack.along[i - 1], above = stack.along[i];
    const int missing = std::max(1, static_cast<int>(std::lround((above - below) / nominal)) - 1);
    const int n = static_cast<int>(i), first = n + 1 + restored;
    const std::string which = missing == 1 ? fmt::format("slice {} is missing", first)
                                           : fmt::format("slices {} to {} are missing", first, first + missing - 1);
    problems.push_back({GeometryClass::gap,
                        Severity::bad,
                        {n, n + 1},
                        above - below - nominal,
                        fmt::format("{} between {} and {} ({}; the others are {:.3g} mm apart)", which,
                                    stack.place(i - 1), stack.place(i), stack.images(i - 1, i), nominal)});
    restored += missing;
  }
}

Severity severityOf(double mm, double spacingMm) {
  return mm > kBadFraction * spacingMm ? Severity::bad : Severity::notice;
}

bool worthNotice(double mm, double spacingMm) { return mm > std::max(kNoNoticeMm, kNoticeFraction * spacingMm); }

// The step that differs most from the others, gaps and duplicates aside.
void findUnevenSteps(const Stack& stack, double nominal, const std::vector<size_t>& gaps,
                     std::vector<GeometryProblem>& problems) {
  double worst = 0;
  size_t at = 0, count = 0;
  for (size_t i = 1; i < stack.along.size(); ++i) {
    const double step = stack.along[i] - stack.along[i - 1], deviation = std::abs(step - nominal);
    if (step <= kNoNoticeMm || std::binary_search(gaps.begin(), gaps.end(), i)) continue;
    if (worthNotice(deviation, nominal)) ++count;
    if (deviation > worst) worst = deviation, at = i;
  }
  if (!worthNotice(worst, nominal)) return;
  const int n = static_cast<int>(at);
  problems.push_back({GeometryClass::uneven,
                      severityOf(worst, nominal),
                      {n, n + 1},
                      worst,
                      fmt::format("{} from the usual {:.4g} mm, most of all slices {} and {} ({}), which are {:.4g} mm "
                                  "apart at {}",
                                  countOf(count, "slice distance differs", "slice distances differ"), nominal, n, n + 1,
                                  stack.images(at - 1, at), stack.along[at] - stack.along[at - 1], stack.place(at))});
}

// Small differences of one sign add up: what counts for a measurement is the distance from the regular place.
double findDrift(const Stack& stack, double spacing, std::vector<GeometryProblem>& problems) {
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < stack.along.size(); ++i) {
    const double deviation = std::abs(stack.along[i] - (stack.along.front() + spacing * static_cast<double>(i)));
    if (deviation > worst) worst = deviation, at = i;
  }
  const bool known = !problems.empty() && problems.back().kind == GeometryClass::uneven &&
                     (problems.back().severity == Severity::bad || severityOf(worst, spacing) == Severity::notice);
  if (worthNotice(worst, spacing) && !known) {
    problems.push_back({GeometryClass::uneven,
                        severityOf(worst, spacing),
                        {static_cast<int>(at) + 1},
                        worst,
                        fmt::format("slice {} at {} lies {:.2f} mm from its place in an even stack of {:.4g} mm",
                                    at + 1, stack.place(at), worst, spacing)});
  }
  return worst;
}

// Sideways shift of every slice against the first: none in an upright stack, growing evenly under gantry tilt.
double findTilt(const Stack& stack, double spacing, std::vector<GeometryProblem>& problems) {
  const auto sideways = [&](size_t i) {
    const Vec3 d = *stack.planes[i]->positionMm - *stack.planes[0]->positionMm;
    return d - stack.normal * dot(d, stack.normal);
  };
  const size_t last = stack.planes.size() - 1;
  const double length = stack.along[last] - stack.along[0];
  if (!(length > 0)) return 0;
  const Vec3 slope = sideways(last) * (1 / length);
  double worst = 0, worstBend = 0;
  size_t at = 0, bendAt = 0;
  for (size_t i = 0; i <= last; ++i) {
    const Vec3 s = sideways(i);
    const double shift = norm(s), bend = norm(s - slope * (stack.along[i] - stack.along[0]));
    if (shift > worst) worst = shift, at = i;
    if (bend > worstBend) worstBend = bend, bendAt = i;
  }
  if (!worthNotice(worst, spacing)) return 0;
  const SlicePlane& first = *stack.planes[0];
  const double halfPixel = std::min(first.pixelSpacingXMm, first.pixelSpacingYMm) / 2;
  const Severity severity = worst > halfPixel ? severityOf(worst, spacing) : Severity::notice;
  if (worstBend > worst / 2) {
    problems.push_back(
        {GeometryClass::uneven,
         severity,
         {static_cast<int>(bendAt) + 1},
         worstBend,
         fmt::format("slice {} at {} is shifted sideways by {:.2f} mm", bendAt + 1, stack.place(bendAt), worstBend)});
    return 0;
  }
  const double side = dot(slope, *first.columnDirection) < 0 ? -1 : 1;
  const double degrees = side * std::atan(norm(slope)) * 180 / std::numbers::pi;
  problems.push_back({GeometryClass::tilted,
                      severity,
                      {static_cast<int>(at) + 1},
                      worst,
                      fmt::format("the slices are shifted sideways, by {:.2f} mm each and {:.1f} mm in all: a tilt of "
                                  "{:.2f} degrees",
                                  norm(slope) * spacing, worst, std::abs(degrees))});
  return severity == Severity::bad ? degrees : 0;
}

void checkStack(const Stack& stack, GeometryReport& report) {
  const size_t n = stack.along.size();
  report.firstMm = stack.along.front();
  report.lastMm = stack.along.back();
  if (n < 2) return;
  findDuplicates(stack, report.problems);
  const bool duplicates = !report.problems.empty() && report.problems.back().kind == GeometryClass::duplicate;
  const double nominal = medianStep(stack);
  if (nominal <= 0) return;
  const std::vector<size_t> gaps = longSteps(stack, nominal);
  const bool holds = gaps.empty() && !duplicates;
  report.spacingMm = holds ? (report.lastMm - report.firstMm) / static_cast<double>(n - 1) : nominal;
  report.tiltDegrees = findTilt(stack, report.spacingMm, report.problems);
  describeGaps(stack, nominal, gaps, report.problems);
  findUnevenSteps(stack, nominal, gaps, report.problems);
  if (holds) report.largestDeviationMm = findDrift(stack, report.spacingMm, report.problems);
}

// The largest set of parallel slices; of equal ones the first.
std::vector<size_t> mainOrientation(const std::vector<SlicePlane>& slices, const std::vector<size_t>& candidates) {
  std::vector<std::vector<size_t>> groups;
  for (const size_t i : candidates) {
    const auto fits = [&](const std::vector<size_t>& g) { return parallel(slices[g.front()], slices[i]); };
    const auto group = std::find_if(groups.begin(), groups.end(), fits);
    if (group == groups.end()) {
      groups.push_back({i});
    } else {
      group->push_back(i);
    }
  }
  const auto smaller = [](const auto& a, const auto& b) { return a.size() < b.size(); };
  return groups.empty() ? std::vector<size_t>{} : *std::max_element(groups.begin(), groups.end(), smaller);
}

// Which slices cannot be part of the stack, and why. They come last in the order, in the order given.
struct Sorted {
  std::vector<size_t> stack, unplaced, localizers, otherOrientation;
};

Sorted sortOut(const std::vector<SlicePlane>& slices) {
  Sorted s;
  std::vector<size_t> candidates;
  for (size_t i = 0; i < slices.size(); ++i) {
    (slices[i].localizer ? s.localizers : sayWhereTheyLie(slices[i]) ? candidates : s.unplaced).push_back(i);
  }
  s.stack = mainOrientation(slices, candidates);
  std::set_difference(candidates.begin(), candidates.end(), s.stack.begin(), s.stack.end(),
                      std::back_inserter(s.otherOrientation));
  return s;
}

void addOutsiders(GeometryReport& report, GeometryClass kind, const std::vector<size_t>& outsiders, std::string text) {
  if (outsiders.empty()) return;
  GeometryProblem problem{kind, Severity::bad, {}, 0, std::move(text)};
  for (const size_t i : outsiders) {
    report.order.push_back(i);
    problem.slices.push_back(static_cast<int>(report.order.size()));
  }
  report.problems.push_back(std::move(problem));
}

void findMixedSizes(const Stack& stack, std::vector<GeometryProblem>& problems) {
  GeometryProblem problem{GeometryClass::mixedSize, Severity::bad, {}, 0, ""};
  const SlicePlane& a = *stack.planes.front();
  const SlicePlane* other = nullptr;
  for (size_t i = 0; i < stack.planes.size(); ++i) {
    if (sameGrid(a, *stack.planes[i])) continue;
    if (!other) other = stack.planes[i];
    problem.slices.push_back(static_cast<int>(i) + 1);
  }
  if (!other) return;
  problem.sentence = fmt::format(
      "slices differ in size: {} x {} pixels of {:.4g} x {:.4g} mm in slice 1, {} x {} of "
      "{:.4g} x {:.4g} mm in slice {}",
      a.columns, a.rows, a.pixelSpacingXMm, a.pixelSpacingYMm, other->columns, other->rows, other->pixelSpacingXMm,
      other->pixelSpacingYMm, problem.slices.front());
  problems.push_back(std::move(problem));
}

Stack buildStack(const std::vector<SlicePlane>& slices, std::vector<size_t>& members) {
  Stack stack;
  const SlicePlane& reference = slices[members.front()];
  const Vec3 n = cross(*reference.rowDirection, *reference.columnDirection);
  stack.normal = n * (1 / norm(n));
  const auto along = [&](size_t i) { return dot(*slices[i].positionMm, stack.normal); };
  std::stable_sort(members.begin(), members.end(), [&](size_t a, size_t b) {
    const double pa = along(a), pb = along(b);
    return pa != pb ? pa < pb : slices[a].instanceNumber < slices[b].instanceNumber;
  });
  for (const size_t i : members) {
    stack.planes.push_back(&slices[i]);
    stack.along.push_back(along(i));
  }
  return stack;
}

}  // namespace

GeometryReport checkGeometry(const std::vector<SlicePlane>& slices) {
  GeometryReport report;
  Sorted sorted = sortOut(slices);
  if (!sorted.stack.empty()) {
    const Stack stack = buildStack(slices, sorted.stack);
    report.normal = stack.normal;
    report.order = sorted.stack;
    findMixedSizes(stack, report.problems);
    checkStack(stack, report);
  }
  const size_t localizers = sorted.localizers.size();
  addOutsiders(report, GeometryClass::localizer, sorted.localizers,
               localizers == slices.size()
                   ? fmt::format("{}, not slices of a volume", countOf(localizers, "survey image", "survey images"))
                   : fmt::format("{} among the slices", countOf(localizers, "survey image lies", "survey images lie")));
  addOutsiders(
      report, GeometryClass::mixedOrientation, sorted.otherOrientation,
      fmt::format("{} parallel to the other {}",
                  countOf(sorted.otherOrientation.size(), "slice is not", "slices are not"), sorted.stack.size()));
  addOutsiders(
      report, GeometryClass::notAVolume, sorted.unplaced,
      fmt::format("{} where in the patient: Image Position (0020,0032), Image Orientation (0020,0037) or Pixel "
                  "Spacing (0028,0030) is absent or not valid",
                  countOf(sorted.unplaced.size(), "slice does not say", "slices do not say")));
  if (slices.size() == 1 && sorted.stack.size() == 1) {
    report.problems.push_back({GeometryClass::notAVolume, Severity::bad, {1}, 0, "a single slice is not a volume"});
  } else if (slices.empty()) {
    report.problems.push_back({GeometryClass::notAVolume, Severity::bad, {}, 0, "there are no slices"});
  }
  report.geometryClass = GeometryClass::regular;
  for (const GeometryProblem& p : report.problems) {
    if (p.severity == Severity::bad) report.geometryClass = std::min(report.geometryClass, p.kind);
  }
  return report;
}

std::string GeometryReport::verdict() const {
  const auto decisive = [&](const GeometryProblem& p) {
    return p.severity == Severity::bad && p.kind == geometryClass;
  };
  const auto first = std::find_if(problems.begin(), problems.end(), decisive);
  if (first == problems.end()) {
    return fmt::format("regular: {} slices every {:.4g} mm; slices missing beyond either end cannot be known",
                       order.size(), spacingMm);
  }
  const auto more = std::count_if(first + 1, problems.end(), decisive);
  return more == 0 ? first->sentence : fmt::format("{}, and {} more such", first->sentence, more);
}

std::string_view geometryClassName(GeometryClass c) {
  switch (c) {
    case GeometryClass::notAVolume: return "not a volume";
    case GeometryClass::localizer: return "localizer";
    case GeometryClass::mixedOrientation: return "mixed orientation";
    case GeometryClass::mixedSize: return "mixed size";
    case GeometryClass::duplicate: return "duplicate";
    case GeometryClass::tilted: return "tilted";
    case GeometryClass::gap: return "gap";
    case GeometryClass::uneven: return "uneven";
    case GeometryClass::regular: break;
  }
  return "regular";
}

}  // namespace lynceus::io::dicom
