#include "io/dicom/series_split.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace lynceus::io::dicom {
namespace {

using Members = std::vector<size_t>;

// A try costs a sort; hostile headers could ask for 2^9 of them. Real series need less than ten.
constexpr size_t kMostWork = 64;   // gate checks of the whole series
constexpr size_t kMostForms = 64;  // sizes and orientations; what has more is no set of stacks

std::optional<double> numberOf(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
  return whole ? std::optional(value) : std::nullopt;
}

// Values of a key in the order a person expects: 2 before 10, numbers before words.
struct ByValue {
  bool operator()(const std::string& a, const std::string& b) const {
    const auto x = numberOf(a), y = numberOf(b);
    if (x && y && *x != *y) return *x < *y;
    if (x.has_value() != y.has_value()) return x.has_value();
    return a < b;
  }
};

// Some slices, what the gate says of them, and what sets them apart.
struct Part {
  Members members;
  GeometryReport report;
  std::string name;

  bool onePlace() const { return report.lastMm - report.firstMm <= kNoNoticeMm; }
  bool mixed() const {
    return std::any_of(report.problems.begin(), report.problems.end(), [](const GeometryProblem& p) {
      return p.severity == Severity::bad && p.kind < GeometryClass::duplicate;
    });
  }
  /// Slices that share their place with another.
  size_t doubles() const {
    size_t n = 0;
    for (const GeometryProblem& p : report.problems) {
      if (p.kind == GeometryClass::duplicate) n += p.slices.size() - 1;
    }
    return n;
  }
};

std::string joined(const std::string& a, const std::string& b) { return a.empty() || b.empty() ? a + b : a + ", " + b; }

// "20240131123005.25+0100" and "123005.25" as "12:30:05"
std::string timeText(const std::string& value) {
  const size_t digits = std::min(value.find_first_not_of("0123456789"), value.size());
  const size_t start = digits >= 14 ? 8 : 0;
  if (digits < start + 6) return value;
  return fmt::format("{}:{}:{}", value.substr(start, 2), value.substr(start + 2, 2), value.substr(start + 4, 2));
}

std::string classText(const std::string& uid) {
  if (uid == "1.2.840.10008.5.1.4.1.1.2") return "CT images";
  if (uid == "1.2.840.10008.5.1.4.1.1.2.1") return "enhanced CT images";
  if (uid == "1.2.840.10008.5.1.4.1.1.2.2") return "legacy converted CT images";
  return fmt::format("images of class {}", uid);
}

std::string keyText(StackKey key, std::string value, size_t number) {
  const auto named = [&](std::string_view what) {
    return value.empty() ? fmt::format("no {} named", what) : fmt::format("{} {}", what, value);
  };
  switch (key) {
    case StackKey::sopClass: return classText(value);
    case StackKey::imageType: std::replace(value.begin(), value.end(), '\\', ' '); return named("image type");
    case StackKey::kernel: std::replace(value.begin(), value.end(), '\\', ' '); return named("kernel");
    case StackKey::acquisitionNumber: return named("acquisition");
    case StackKey::contrast: return value.empty() ? "without contrast" : fmt::format("contrast {}", value);
    case StackKey::temporalPosition: return named("temporal position");
    case StackKey::cardiacPhase: return named("cardiac phase");
    case StackKey::acquisitionTime: value = value.empty() ? value : timeText(value); return named("time");
    case StackKey::frameOfReference: break;
  }
  return fmt::format("frame of reference {}", number);
}

class Splitter {
 public:
  explicit Splitter(const std::vector<Instance>& instances)
      : m_instances(instances), m_workLeft(kMostWork * instances.size()) {}

  std::vector<Part> splitWhole(Members all) {
    Part whole = check(std::move(all), "");
    if (whole.report.usable()) return one(std::move(whole));
    return whole.mixed() ? splitMixture(whole) : splitByKeys(whole, 0);
  }

 private:
  static std::vector<Part> one(Part part) {
    std::vector<Part> parts;
    parts.push_back(std::move(part));
    return parts;
  }

  const std::string& value(size_t member, size_t key) const { return m_instances[member].stackKeys[key]; }

  Part check(Members members, std::string name) {
    m_workLeft -= std::min(m_workLeft, members.size());
    std::vector<const SlicePlane*> planes;
    for (const size_t i : members) planes.push_back(&m_instances[i].plane);
    return {std::move(members), checkPlanes(planes), std::move(name)};
  }

  bool togetherUsable(const Part& a, const Part& b) {
    Members both = a.members;
    both.insert(both.end(), b.members.begin(), b.members.end());
    return check(std::move(both), "").report.usable();
  }

  std::vector<Part> splitMixture(const Part& whole);
  std::vector<Part> splitByKeys(const Part& whole, size_t firstKey);
  std::vector<Part> partsByValue(const Part& whole, size_t key);
  std::vector<Part> partsByTravel(const Part& whole, size_t key);
  bool explains(const Part& whole, const std::vector<Part>& parts);

  const std::vector<Instance>& m_instances;
  size_t m_workLeft;
};

// What no stack can hold together: survey images, slices of another size or orientation.
struct Form {
  bool localizer = false;
  const SlicePlane* plane = nullptr;  // the first of its kind

  static bool near(double a, double b) { return std::abs(a - b) <= 1e-3 * std::max(std::abs(a), std::abs(b)); }
  static bool near(const std::optional<image::Vec3>& a, const std::optional<image::Vec3>& b) {
    if (!a || !b) return a.has_value() == b.has_value();
    return std::max({std::abs(a->x - b->x), std::abs(a->y - b->y), std::abs(a->z - b->z)}) <= 1e-3;
  }
  bool sameSize(const SlicePlane& p) const { return plane->columns == p.columns && plane->rows == p.rows; }
  bool sameSpacing(const SlicePlane& p) const {
    return near(plane->pixelSpacingXMm, p.pixelSpacingXMm) && near(plane->pixelSpacingYMm, p.pixelSpacingYMm);
  }
  bool sameOrientation(const SlicePlane& p) const {
    return near(plane->rowDirection, p.rowDirection) && near(plane->columnDirection, p.columnDirection);
  }
  bool holds(const SlicePlane& p) const {
    return localizer == p.localizer && (localizer || (sameSize(p) && sameSpacing(p) && sameOrientation(p)));
  }
};

std::string planeText(const SlicePlane& p) {
  if (!p.rowDirection || !p.columnDirection) return "slices without orientation";
  const image::Vec3 n = cross(*p.rowDirection, *p.columnDirection);
  const auto along = [](double component) { return std::abs(component) > 0.8; };
  return along(n.z) ? "axial" : along(n.y) ? "coronal" : along(n.x) ? "sagittal" : "oblique";
}

// Says only what differs among the forms of the series: nothing where all but survey images are alike.
std::string formText(const Form& form, const std::vector<Form>& forms) {
  if (form.localizer) return "survey images";
  const auto any = [&](bool (Form::*same)(const SlicePlane&) const) {
    return std::any_of(forms.begin(), forms.end(),
                       [&](const Form& f) { return !f.localizer && !(form.*same)(*f.plane); });
  };
  const SlicePlane& p = *form.plane;
  std::string text;
  if (any(&Form::sameOrientation)) text = planeText(p);
  if (any(&Form::sameSize)) text = joined(text, fmt::format("{} x {} pixels", p.columns, p.rows));
  if (any(&Form::sameSpacing)) {
    text = joined(text, fmt::format("pixels of {:.4g} x {:.4g} mm", p.pixelSpacingXMm, p.pixelSpacingYMm));
  }
  return text;
}

// A slice that does not say where it lies and has the matrix of slices that do may be one of them, damaged: then the
// series stays whole, for the rest of it would look complete.
bool maybeDamaged(const std::vector<Form>& forms) {
  const auto lost = [](const Form& f) { return !f.localizer && !saysWhereItLies(*f.plane); };
  return std::any_of(forms.begin(), forms.end(), [&](const Form& f) {
    return lost(f) && std::any_of(forms.begin(), forms.end(),
                                  [&](const Form& g) { return !g.localizer && !lost(g) && g.sameSize(*f.plane); });
  });
}

std::vector<Part> Splitter::splitMixture(const Part& whole) {
  std::vector<Form> forms;
  std::vector<Members> groups;
  for (const size_t i : whole.members) {
    const SlicePlane& plane = m_instances[i].plane;
    size_t f = 0;
    while (f < forms.size() && !forms[f].holds(plane)) ++f;
    if (f == kMostForms) return one(whole);
    if (f == forms.size()) {
      forms.push_back({plane.localizer, &plane});
      groups.emplace_back();
    }
    groups[f].push_back(i);
  }
  if (forms.size() < 2 || maybeDamaged(forms)) return one(whole);
  std::vector<Part> parts;
  for (size_t f = 0; f < forms.size(); ++f) {
    const Part part = check(std::move(groups[f]), formText(forms[f], forms));
    const bool stays = part.report.usable() || part.mixed() || part.onePlace();
    for (Part& p : stays ? one(part) : splitByKeys(part, 0)) {
      if (p.name.empty()) p.name = "slices";
      parts.push_back(std::move(p));
    }
  }
  const auto stack = [](const Part& p) { return p.report.resamplable(); };
  return std::any_of(parts.begin(), parts.end(), stack) ? parts : one(whole);
}

// The first key that explains why the slices do not form one stack; its parts may need the keys after it.
std::vector<Part> Splitter::splitByKeys(const Part& whole, size_t firstKey) {
  const auto distinct = [&](size_t key) {
    return std::any_of(whole.members.begin(), whole.members.end(),
                       [&](size_t i) { return value(i, key) != value(whole.members[0], key); });
  };
  for (size_t key = firstKey; key < kStackKeys; ++key) {
    if (m_workLeft == 0) break;
    if (!distinct(key)) continue;
    std::vector<Part> parts = partsByValue(whole, key);
    if (explains(whole, parts)) return parts;
    const auto k = static_cast<StackKey>(key);
    if (k != StackKey::acquisitionNumber && k != StackKey::acquisitionTime) continue;
    parts = partsByTravel(whole, key);
    const auto usable = [](const Part& p) { return p.report.usable(); };
    if (parts.size() > 1 && std::all_of(parts.begin(), parts.end(), usable) && explains(whole, parts)) return parts;
  }
  return one(whole);
}

std::vector<Part> Splitter::partsByValue(const Part& whole, size_t key) {
  std::map<std::string, Members, ByValue> groups;
  for (const size_t i : whole.members) groups[value(i, key)].push_back(i);
  std::vector<Part> parts;
  size_t number = 0;
  for (auto& [text, members] : groups) {
    Part part = check(std::move(members), joined(whole.name, keyText(static_cast<StackKey>(key), text, ++number)));
    const bool stays = part.report.usable() || part.onePlace();
    for (Part& p : stays ? one(std::move(part)) : splitByKeys(part, key + 1)) parts.push_back(std::move(p));
  }
  return parts;
}

// Acquisitions shorter than a pass over the patient (a number or a time for each slice or block): a pass ends where the
// table turns back. Each block must lie beyond the one before, in the direction of its pass.
std::vector<Part> Splitter::partsByTravel(const Part& whole, size_t key) {
  if (whole.doubles() == 0) return {};
  struct Block {
    Members members;
    double lowMm = 0, highMm = 0;
  };
  std::map<std::string, Block, ByValue> blocks;
  for (const size_t i : whole.members) {
    const double mm = dot(m_instances[i].plane.positionMm.value_or(image::Point3{}), whole.report.normal);
    Block& block = blocks[value(i, key)];
    block.lowMm = block.members.empty() ? mm : std::min(block.lowMm, mm);
    block.highMm = block.members.empty() ? mm : std::max(block.highMm, mm);
    block.members.push_back(i);
  }
  std::vector<Part> parts;
  Block pass;
  std::string first;
  int direction = 0;
  const auto finish = [&] {
    if (pass.members.empty()) return;
    parts.push_back(check(std::move(pass.members), joined(whole.name, "from " + first)));
  };
  for (auto& [text, block] : blocks) {
    const int step = block.lowMm > pass.highMm + kNoNoticeMm ? 1 : block.highMm < pass.lowMm - kNoNoticeMm ? -1 : 0;
    if (pass.members.empty() || step == 0 || (direction != 0 && step != direction)) {
      finish();
      pass = std::move(block);
      first = keyText(static_cast<StackKey>(key), text, 0);
      direction = 0;
      continue;
    }
    direction = step;
    pass.lowMm = std::min(pass.lowMm, block.lowMm);
    pass.highMm = std::max(pass.highMm, block.highMm);
    pass.members.insert(pass.members.end(), block.members.begin(), block.members.end());
  }
  finish();
  return parts;
}

// Does the split remove what was wrong, and nothing else? At least one part passes. Where slices shared their places,
// most of them no longer do; a phase with a gap of its own may remain, and cine images at one place. Where slices only
// lay unevenly, every part passes but single slices, and has three slices: any two are even. And no two neighbours
// would pass together: then their border is not where the stack breaks.
bool Splitter::explains(const Part& whole, const std::vector<Part>& parts) {
  const auto usable = [](const Part& p) { return p.report.usable(); };
  if (parts.size() < 2 || std::none_of(parts.begin(), parts.end(), usable)) return false;
  size_t doubles = 0;
  for (const Part& p : parts) doubles += p.onePlace() ? 0 : p.doubles();
  if (whole.doubles() > 0 && 2 * doubles >= whole.doubles()) return false;
  const auto passes = [](const Part& p) { return (p.report.usable() && p.members.size() > 2) || p.onePlace(); };
  if (whole.doubles() == 0 && !std::all_of(parts.begin(), parts.end(), passes)) return false;
  std::vector<const Part*> sorted;
  for (const Part& p : parts) sorted.push_back(&p);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Part* a, const Part* b) {
    return std::pair(a->report.firstMm, a->report.lastMm) < std::pair(b->report.firstMm, b->report.lastMm);
  });
  for (size_t i = 1; i < sorted.size(); ++i) {
    const bool anyTwoFit = sorted[i - 1]->onePlace() && sorted[i]->onePlace();
    if (!anyTwoFit && togetherUsable(*sorted[i - 1], *sorted[i])) return false;
  }
  return true;
}

}  // namespace

std::vector<StackPart> splitSeries(const std::vector<Instance>& instances) {
  Members all(instances.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  std::stable_sort(all.begin(), all.end(), [&](size_t a, size_t b) {
    const Instance &x = instances[a], &y = instances[b];
    return std::tie(x.instanceNumber, x.sopInstanceUid, x.frame) <
           std::tie(y.instanceNumber, y.sopInstanceUid, y.frame);
  });
  std::vector<Part> parts = Splitter(instances).splitWhole(std::move(all));
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return a.members.size() > b.members.size(); });
  std::vector<StackPart> result;
  std::map<std::string, int> seen;
  for (Part& p : parts) {
    const int n = ++seen[p.name];
    result.push_back({std::move(p.members), n == 1 ? p.name : fmt::format("{} ({})", p.name, n)});
  }
  return result;
}

}  // namespace lynceus::io::dicom
