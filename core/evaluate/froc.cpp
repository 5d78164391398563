#include "core/evaluate/froc.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lynceus::evaluate {
namespace {

constexpr size_t kStepsPerRate = (kCurveSteps - 1) / (kRates.size() - 1);
constexpr size_t kMostValues = 50;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct SizeGroup {
  double fromMm;
  const char* name;
};
constexpr SizeGroup kSizes[] = {{0, "under 3 mm"}, {3, "3 to 5 mm"},    {5, "5 to 6 mm"},     {6, "6 to 8 mm"},
                                {8, "8 to 10 mm"}, {10, "10 to 20 mm"}, {20, "20 mm or more"}};

// What moves the curve when the threshold falls to its score.
struct Event {
  double score;
  uint32_t scan;
  int64_t finding;  // found; -1: a false mark
};

// The curve of any sample of the scans. Group 0 holds all findings.
class Curve {
 public:
  std::vector<Event> events;                    // highest score first
  std::vector<std::vector<uint32_t>> groupsOf;  // of each finding
  std::vector<uint32_t> scanOf;                 // of each finding
  std::vector<uint32_t> background;             // scans that count false marks
  size_t groups = 1;

  // Figures: the sensitivity of all at each step, then of each group but the first at each of kRates, then the CPM of
  // each group.
  size_t figures() const { return kCurveSteps + (groups - 1) * kRates.size() + groups; }
  size_t groupFigure(size_t group, size_t rate) const {
    return group == 0 ? rate * kStepsPerRate : kCurveSteps + (group - 1) * kRates.size() + rate;
  }
  size_t cpmFigure(size_t group) const { return kCurveSteps + (groups - 1) * kRates.size() + group; }

  void compute(Bootstrap::Weights weights, std::span<double> out) const;

 private:
  void write(size_t step, const std::vector<double>& hits, const std::vector<double>& totals,
             std::span<double> out) const;
};

void Curve::write(size_t step, const std::vector<double>& hits, const std::vector<double>& totals,
                  std::span<double> out) const {
  out[step] = totals[0] > 0 ? hits[0] / totals[0] : kNone;
  if (step % kStepsPerRate != 0) return;
  for (size_t g = 1; g < groups; ++g)
    out[groupFigure(g, step / kStepsPerRate)] = totals[g] > 0 ? hits[g] / totals[g] : kNone;
}

void Curve::compute(Bootstrap::Weights weights, std::span<double> out) const {
  double scans = 0;
  for (const uint32_t s : background) scans += weights[s];
  std::vector<double> totals(groups), hits(groups), after(groups), between(groups);
  const auto add = [&](size_t finding, std::vector<double>& sums) {
    for (const uint32_t g : groupsOf[finding]) sums[g] += weights[scanOf[finding]];
  };
  for (size_t f = 0; f < groupsOf.size(); ++f) add(f, totals);
  size_t step = 0;
  double falseMarks = 0, target = curveRate(0) * scans;  // false marks at `step`
  for (size_t i = 0; i < events.size() && step < kCurveSteps;) {
    size_t end = i;
    double more = 0;
    for (; end < events.size() && events[end].score == events[i].score; ++end)
      if (events[end].finding < 0) more += weights[events[end].scan];
    const bool reaches = target < falseMarks + more;
    if (reaches) after = hits;
    for (; i < end; ++i)
      if (events[i].finding >= 0) add(static_cast<size_t>(events[i].finding), reaches ? after : hits);
    if (!reaches) {
      falseMarks += more;
      continue;
    }
    for (; step < kCurveSteps && target < falseMarks + more; target = curveRate(++step) * scans) {
      const double share = (target - falseMarks) / more;
      for (size_t g = 0; g < groups; ++g) between[g] = hits[g] + share * (after[g] - hits[g]);
      write(step, between, totals, out);
    }
    hits = after;
    falseMarks += more;
  }
  for (; step < kCurveSteps; ++step) write(step, hits, totals, out);
  for (size_t g = 0; g < groups; ++g) {
    double sum = 0;
    for (size_t r = 0; r < kRates.size(); ++r) sum += out[groupFigure(g, r)];
    out[cpmFigure(g)] = sum / static_cast<double>(kRates.size());
  }
}

// Everything that is counted once, before any sample is drawn.
class Evaluation {
 public:
  explicit Evaluation(const FrocInput& input) : m_input(&input) {}

  Expected<void> prepare();
  Froc finish(const BootstrapOptions& options);

 private:
  void matchScan(uint32_t scan, const Matching& matching);
  Expected<void> formGroups();
  void addGroups(const std::string& column, const std::vector<std::string>& values,
                 const std::vector<std::string>& order);
  void findThresholds();
  Bootstrap makeBootstrap(const BootstrapOptions& options) const;

  const FrocInput* m_input;
  Froc m_froc;
  Curve m_curve;
  std::vector<Outcome> m_outcomes;
};

Expected<void> Evaluation::prepare() {
  for (uint32_t s = 0; s < m_input->scans.size(); ++s) {
    const Scan& scan = m_input->scans[s];
    std::vector<Ball> balls;
    for (const KnownFinding& f : scan.findings) balls.push_back(f.ball);
    matchScan(s, match(balls, scan.excluded, scan.marks));
    if (scan.countsFalseMarks) m_curve.background.push_back(s);
  }
  Froc::Counts& counts = m_froc.counts;
  counts.scans = m_input->scans.size();
  counts.scansForFalseMarks = m_curve.background.size();
  counts.findings = m_froc.findings.size();
  m_froc.pseudo = counts.scansForFalseMarks < counts.scans;
  if (counts.findings == 0) {
    return makeError(ErrorCode::badInput,
                     "none of the {} series has a finding: sensitivity needs one, so check that the annotations belong "
                     "to these series",
                     counts.scans);
  }
  if (counts.scansForFalseMarks == 0)
    return makeError(ErrorCode::badInput, "no series counts false marks: name one as background");
  std::stable_sort(m_curve.events.begin(), m_curve.events.end(),
                   [](const Event& a, const Event& b) { return a.score > b.score; });
  m_froc.mostFalsePerScan = static_cast<double>(counts.falseMarks) / static_cast<double>(counts.scansForFalseMarks);
  return formGroups();
}

void Evaluation::matchScan(uint32_t s, const Matching& matching) {
  const Scan& scan = m_input->scans[s];
  Froc::Counts& counts = m_froc.counts;
  for (size_t f = 0; f < scan.findings.size(); ++f) {
    const auto& strongest = matching.strongest[f];
    if (strongest)
      m_curve.events.push_back({scan.marks[*strongest].score, s, static_cast<int64_t>(m_froc.findings.size())});
    m_froc.findings.push_back({s, f, strongest ? std::optional<double>(scan.marks[*strongest].score) : std::nullopt});
    m_curve.scanOf.push_back(s);
  }
  counts.scansWithFindings += scan.findings.empty() ? 0 : 1;
  counts.excluded += scan.excluded.size();
  counts.marks += scan.marks.size();
  for (size_t m = 0; m < scan.marks.size(); ++m) {
    const double score = scan.marks[m].score;
    const Fate fate = matching.fates[m];
    if (fate == Fate::duplicate) ++counts.duplicate;
    if (fate == Fate::ignored) ++counts.ignored;
    if (fate == Fate::surplus) ++counts.surplus;
    if (fate == Fate::falseMark && !scan.countsFalseMarks) ++counts.outside;
    const bool isFalse = fate == Fate::falseMark && scan.countsFalseMarks;
    if (!isFalse && fate != Fate::hit) continue;
    ++(isFalse ? counts.falseMarks : counts.hit);
    if (isFalse) m_curve.events.push_back({score, s, -1});
    m_outcomes.push_back({score, !isFalse, s});
  }
}

// A group for each of `order` that some finding has; `values` are those of the findings.
void Evaluation::addGroups(const std::string& column, const std::vector<std::string>& values,
                           const std::vector<std::string>& order) {
  for (const std::string& value : order) {
    const auto count = static_cast<size_t>(std::count(values.begin(), values.end(), value));
    if (count == 0) continue;
    const auto group = static_cast<uint32_t>(m_curve.groups++);
    m_froc.groups.push_back({column, value, count, {}, {}});
    for (size_t f = 0; f < values.size(); ++f)
      if (values[f] == value) m_curve.groupsOf[f].push_back(group);
  }
}

Expected<void> Evaluation::formGroups() {
  m_curve.groupsOf.assign(m_froc.findings.size(), {0});
  std::vector<const KnownFinding*> known;
  for (const Froc::FindingScore& f : m_froc.findings) known.push_back(&m_input->scans[f.scan].findings[f.finding]);
  std::vector<std::string> values, order;
  for (const SizeGroup& size : kSizes) order.emplace_back(size.name);
  for (const KnownFinding* f : known) {
    size_t size = 0;
    while (size + 1 < std::size(kSizes) && f->ball.diameterMm >= kSizes[size + 1].fromMm) ++size;
    values.emplace_back(kSizes[size].name);
  }
  addGroups("diameter", values, order);
  for (size_t c = 0; c < m_input->groupColumns.size(); ++c) {
    values.clear();
    for (const KnownFinding* f : known) values.push_back(f->groups[c]);
    order = values;
    std::sort(order.begin(), order.end());
    order.erase(std::unique(order.begin(), order.end()), order.end());
    if (order.size() > kMostValues) {
      return makeError(ErrorCode::badInput, "{} has {} different values, the most is {}: group by a column with fewer",
                       m_input->groupColumns[c], order.size(), kMostValues);
    }
    addGroups(m_input->groupColumns[c], values, order);
  }
  return {};
}

void Evaluation::findThresholds() {
  const std::vector<Event>& events = m_curve.events;
  double falseMarks = 0;
  for (size_t i = 0; i < events.size();) {
    const double score = events[i].score;
    for (; i < events.size() && events[i].score == score; ++i) falseMarks += events[i].finding < 0 ? 1 : 0;
    for (Froc::OperatingPoint& point : m_froc.points)
      if (falseMarks <= point.rate * static_cast<double>(m_curve.background.size())) point.threshold = score;
  }
}

Bootstrap Evaluation::makeBootstrap(const BootstrapOptions& options) const {
  std::vector<std::vector<uint32_t>> strata{m_curve.background, {}};
  for (uint32_t s = 0; s < m_input->scans.size(); ++s)
    if (!m_input->scans[s].countsFalseMarks) strata[1].push_back(s);
  return {std::move(strata), options};
}

Froc Evaluation::finish(const BootstrapOptions& options) {
  const Bootstrap bootstrap = makeBootstrap(options);
  const auto spreads = bootstrap.run(
      m_curve.figures(), [this](Bootstrap::Weights weights, std::span<double> out) { m_curve.compute(weights, out); });
  std::vector<double> whole(m_curve.figures());
  m_curve.compute(bootstrap.once(), whole);
  const auto estimate = [&](size_t figure) { return Estimate{whole[figure], spreads[figure].interval}; };
  for (size_t r = 0; r < kRates.size(); ++r)
    m_froc.points[r] = {kRates[r], std::nullopt, estimate(m_curve.groupFigure(0, r))};
  findThresholds();
  m_froc.cpm = estimate(m_curve.cpmFigure(0));
  for (size_t step = 0; step < kCurveSteps; ++step)
    m_froc.curve.push_back({curveRate(step), whole[step], spreads[step]});
  for (size_t g = 0; g < m_froc.groups.size(); ++g) {
    for (size_t r = 0; r < kRates.size(); ++r)
      m_froc.groups[g].sensitivity[r] = estimate(m_curve.groupFigure(g + 1, r));
    m_froc.groups[g].cpm = estimate(m_curve.cpmFigure(g + 1));
  }
  const bool areProbabilities = std::all_of(m_outcomes.begin(), m_outcomes.end(),
                                            [](const Outcome& o) { return o.probability >= 0 && o.probability <= 1; });
  if (areProbabilities && !m_outcomes.empty()) m_froc.calibration = calibrate(m_outcomes, bootstrap);
  return std::move(m_froc);
}

}  // namespace

double curveRate(size_t step) {
  const auto octaves = static_cast<double>(step) / static_cast<double>(kStepsPerRate);
  return kRates[0] * std::exp2(octaves);  // exact at kRates, which are powers of two
}

Expected<Froc> computeFroc(const FrocInput& input, const BootstrapOptions& options) {
  Evaluation evaluation(input);
  if (auto prepared = evaluation.prepare(); !prepared) return passError(prepared);
  return evaluation.finish(options);
}

}  // namespace lynceus::evaluate
