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
using Planes = std::span<const SlicePlane* const>;

constexpr double kUnitTolerance = 1e-2;          // how far a direction may be from unit length before it is garbage
constexpr double kParallelTolerance = 1e-3;      // of direction cosines: 0.06 degrees
constexpr double kPixelSpacingTolerance = 1e-3;  // relative
constexpr double kGapRatio = 1.75;               // a step this much longer than the others has lost slices

constexpr double kSmallestPixelMm = 1e-3;  // no scanner of patients comes near; smaller is a damaged number
constexpr double kFarthestMm = 1e6;        // from the origin: beyond it a position is garbage
constexpr size_t kMostOrientations = 64;   // told apart; a series of more is no stack, whatever they are
constexpr int kMostMissing = 10000;        // slices of one gap that are counted

// Written so that NaN fails.
bool isPlace(const Point3& p) {
  return std::abs(p.x) < kFarthestMm && std::abs(p.y) < kFarthestMm && std::abs(p.z) < kFarthestMm;
}

bool isUnit(const Vec3& v) { return std::abs(norm(v) - 1) < kUnitTolerance; }

Vec3 unit(const Vec3& v) { return v * (1 / norm(v)); }

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
  Vec3 normal, row, column;   // orthonormal

  double halfPixelMm() const { return std::min(planes[0]->pixelSpacingXMm, planes[0]->pixelSpacingYMm) / 2; }

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
    const double steps = std::clamp(std::round((above - below) / nominal), 2.0, double{kMostMissing});
    const int missing = static_cast<int>(steps) - 1;
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

// The step that differs most from the others, gaps and duplicates aside. @return how bad that is, if it is worth a
// word.
std::optional<Severity> findUnevenSteps(const Stack& stack, double nominal, const std::vector<size_t>& gaps,
                                        std::vector<GeometryProblem>& problems) {
  double worst = 0;
  size_t at = 0, count = 0;
  for (size_t i = 1; i < stack.along.size(); ++i) {
    const double step = stack.along[i] - stack.along[i - 1], deviation = std::abs(step - nominal);
    if (step <= kNoNoticeMm || std::binary_search(gaps.begin(), gaps.end(), i)) continue;
    if (worthNotice(deviation, nominal)) ++count;
    if (deviation > worst) worst = deviation, at = i;
  }
  if (!worthNotice(worst, nominal)) return std::nullopt;
  const int n = static_cast<int>(at);
  problems.push_back({GeometryClass::uneven,
                      severityOf(worst, nominal),
                      {n, n + 1},
                      worst,
                      fmt::format("{} from the usual {:.4g} mm, most of all slices {} and {} ({}), which are {:.4g} mm "
                                  "apart at {}",
                                  countOf(count, "slice distance differs", "slice distances differ"), nominal, n, n + 1,
                                  stack.images(at - 1, at), stack.along[at] - stack.along[at - 1], stack.place(at))});
  return problems.back().severity;
}

// Small differences of one sign add up: what counts for a measurement is the distance from the regular place.
double findDrift(const Stack& stack, double spacing, std::optional<Severity> uneven,
                 std::vector<GeometryProblem>& problems) {
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < stack.along.size(); ++i) {
    const double deviation = std::abs(stack.along[i] - (stack.along.front() + spacing * static_cast<double>(i)));
    if (deviation > worst) worst = deviation, at = i;
  }
  const bool known = uneven && (*uneven == Severity::bad || severityOf(worst, spacing) == Severity::notice);
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

double medianOf(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return values.size() % 2 == 1 ? *middle : (*std::max_element(values.begin(), middle) + *middle) / 2;
}

// Sideways place of every slice, along the rows (x) and columns (y) of the first, and the straight line that most of
// them follow. Medians, so that a few slices out of line neither make a tilt nor bend one.
struct Sideways {
  std::vector<double> x, y;  // mm, 0 for the first slice
  double slopeX = 0, slopeY = 0, startX = 0, startY = 0;

  double bend(const Stack& stack, size_t i) const {
    const double t = stack.along[i] - stack.along[0];
    return std::hypot(x[i] - startX - slopeX * t, y[i] - startY - slopeY * t);
  }
};

void fitLine(const std::vector<double>& along, const std::vector<double>& side, double& slope, double& start) {
  std::vector<double> values;
  const size_t lag = std::max<size_t>(1, side.size() / 2);  // far apart, so that rounded positions matter little
  for (size_t i = 0; i + lag < side.size(); ++i) {
    const double length = along[i + lag] - along[i];
    if (length > kNoNoticeMm) values.push_back((side[i + lag] - side[i]) / length);
  }
  slope = medianOf(values);
  values = side;
  for (size_t i = 0; i < side.size(); ++i) values[i] -= slope * (along[i] - along[0]);
  start = medianOf(std::move(values));
}

Sideways measureSideways(const Stack& stack) {
  Sideways s;
  for (const SlicePlane* plane : stack.planes) {
    const Vec3 d = *plane->positionMm - *stack.planes[0]->positionMm;
    s.x.push_back(dot(d, stack.row));
    s.y.push_back(dot(d, stack.column));
  }
  fitLine(stack.along, s.x, s.slopeX, s.startX);
  fitLine(stack.along, s.y, s.slopeY, s.startY);
  return s;
}

Severity sidewaysSeverity(const Stack& stack, double mm, double spacing) {
  return mm > stack.halfPixelMm() ? severityOf(mm, spacing) : Severity::notice;
}

// Slices beside the line of the others; one problem for the worst.
void findShiftedSlices(const Stack& stack, const Sideways& sideways, double spacing,
                       std::vector<GeometryProblem>& problems) {
  double worst = 0;
  size_t at = 0, count = 0;
  for (size_t i = 0; i < stack.planes.size(); ++i) {
    const double bend = sideways.bend(stack, i);
    if (sidewaysSeverity(stack, bend, spacing) == Severity::bad) ++count;
    if (bend > worst) worst = bend, at = i;
  }
  if (!worthNotice(worst, spacing)) return;
  const std::string more = count > 1 ? fmt::format(", the most of {} such slices", count) : "";
  problems.push_back(
      {GeometryClass::uneven,
       sidewaysSeverity(stack, worst, spacing),
       {static_cast<int>(at) + 1},
       worst,
       fmt::format("slice {} at {} is shifted sideways by {:.2f} mm{}", at + 1, stack.place(at), worst, more)});
}

// Sideways shift that grows evenly from slice to slice. @return its angle, 0 where it is no tilt.
double findTilt(const Stack& stack, const Sideways& sideways, double spacing, std::vector<GeometryProblem>& problems) {
  const double slope = std::hypot(sideways.slopeX, sideways.slopeY);
  const double shift = slope * (stack.along.back() - stack.along.front());
  if (!worthNotice(shift, spacing)) return 0;
  const bool aboutRow = std::abs(sideways.slopeY) >= std::abs(sideways.slopeX);
  const double side = (aboutRow ? sideways.slopeY : sideways.slopeX) < 0 ? -1 : 1;
  const double degrees = side * std::atan(slope) * 180 / std::numbers::pi;
  const bool steep = std::abs(degrees) > kSteepestTiltDegrees;
  const bool noise = std::abs(degrees) < kSmallestTiltDegrees;
  const Severity severity = noise ? sidewaysSeverity(stack, shift, spacing) : severityOf(shift, spacing);
  problems.push_back({steep ? GeometryClass::uneven : GeometryClass::tilted,
                      severity,
                      {static_cast<int>(stack.planes.size())},
                      shift,
                      fmt::format("the slices are shifted sideways, by {:.2f} mm each and {:.1f} mm in all: a tilt of "
                                  "{:.2f} degrees{}",
                                  slope * spacing, shift, std::abs(degrees), steep ? ", more than any gantry's" : "")});
  return severity == Severity::bad && !steep ? degrees : 0;
}

// Slices that pass as parallel and yet are turned a little, or whose rows and columns are not at right angles: how far
// the pixel in the last row and column lies from where the grid of the stack puts it.
void findTurnedSlices(const Stack& stack, double spacing, std::vector<GeometryProblem>& problems) {
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < stack.planes.size(); ++i) {
    const SlicePlane& s = *stack.planes[i];
    const Vec3 alongRow = (unit(*s.rowDirection) - stack.row) * ((s.columns - 1) * s.pixelSpacingXMm);
    const Vec3 alongColumn = (unit(*s.columnDirection) - stack.column) * ((s.rows - 1) * s.pixelSpacingYMm);
    const double mm = std::max({norm(alongRow), norm(alongColumn), norm(alongRow + alongColumn)});
    if (mm > worst) worst = mm, at = i;
  }
  if (!worthNotice(worst, spacing)) return;
  problems.push_back({GeometryClass::mixedOrientation,
                      sidewaysSeverity(stack, worst, spacing),
                      {static_cast<int>(at) + 1},
                      worst,
                      fmt::format("the rows and columns of slice {} at {} are turned against the grid: {:.2f} mm at "
                                  "the far corner",
                                  at + 1, stack.place(at), worst)});
}

void findFramesOfReference(const Stack& stack, std::vector<GeometryProblem>& problems) {
  GeometryProblem problem{GeometryClass::regular, Severity::notice, {}, 0, ""};
  for (size_t i = 1; i < stack.planes.size(); ++i) {
    if (stack.planes[i]->frameOfReferenceUid == stack.planes[i - 1]->frameOfReferenceUid) continue;
    problem.slices = {static_cast<int>(i), static_cast<int>(i) + 1};
    break;
  }
  if (problem.slices.empty()) return;
  problem.sentence = fmt::format(
      "the Frame of Reference (0020,0052) changes between slices {} and {}: their positions may not belong together",
      problem.slices[0], problem.slices[1]);
  problems.push_back(std::move(problem));
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
  const Sideways sideways = measureSideways(stack);
  report.tiltDegrees = findTilt(stack, sideways, report.spacingMm, report.problems);
  findShiftedSlices(stack, sideways, report.spacingMm, report.problems);
  findTurnedSlices(stack, report.spacingMm, report.problems);
  describeGaps(stack, nominal, gaps, report.problems);
  const auto uneven = findUnevenSteps(stack, nominal, gaps, report.problems);
  if (holds) report.largestDeviationMm = findDrift(stack, report.spacingMm, uneven, report.problems);
  findFramesOfReference(stack, report.problems);
}

// The largest set of parallel slices; of equal ones the first.
std::vector<size_t> mainOrientation(Planes slices, const std::vector<size_t>& candidates) {
  std::vector<std::vector<size_t>> groups;
  for (const size_t i : candidates) {
    const auto fits = [&](const std::vector<size_t>& g) { return parallel(*slices[g.front()], *slices[i]); };
    const auto group = std::find_if(groups.begin(), groups.end(), fits);
    if (group == groups.end()) {
      if (groups.size() < kMostOrientations) groups.push_back({i});
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

Sorted sortOut(Planes slices) {
  Sorted s;
  std::vector<size_t> candidates;
  for (size_t i = 0; i < slices.size(); ++i) {
    (slices[i]->localizer ? s.localizers : saysWhereItLies(*slices[i]) ? candidates : s.unplaced).push_back(i);
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

Stack buildStack(Planes slices, std::vector<size_t>& members) {
  Stack stack;
  const SlicePlane& reference = *slices[members.front()];
  stack.normal = unit(cross(*reference.rowDirection, *reference.columnDirection));
  stack.row = unit(*reference.rowDirection);
  stack.column = unit(cross(stack.normal, stack.row));
  std::vector<std::pair<double, size_t>> places;
  for (const size_t i : members) places.emplace_back(dot(*slices[i]->positionMm, stack.normal), i);
  std::stable_sort(places.begin(), places.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : slices[a.second]->instanceNumber < slices[b.second]->instanceNumber;
  });
  for (size_t k = 0; k < places.size(); ++k) {
    members[k] = places[k].second;
    stack.planes.push_back(slices[members[k]]);
    stack.along.push_back(places[k].first);
  }
  return stack;
}

}  // namespace

bool saysWhereItLies(const SlicePlane& s) {
  return s.positionMm && s.rowDirection && s.columnDirection && s.rows > 0 && s.columns > 0 &&
         s.pixelSpacingXMm >= kSmallestPixelMm && s.pixelSpacingYMm >= kSmallestPixelMm &&
         s.pixelSpacingXMm < kFarthestMm && s.pixelSpacingYMm < kFarthestMm && isPlace(*s.positionMm) &&
         isUnit(*s.rowDirection) && isUnit(*s.columnDirection) &&
         std::abs(dot(*s.rowDirection, *s.columnDirection)) < kUnitTolerance;
}

GeometryReport checkGeometry(const std::vector<SlicePlane>& slices) {
  std::vector<const SlicePlane*> planes;
  for (const SlicePlane& s : slices) planes.push_back(&s);
  return checkPlanes(planes);
}

GeometryReport checkPlanes(Planes slices) {
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
  if (geometryClass == GeometryClass::tilted) return first->sentence + "; loading shears them straight";
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
