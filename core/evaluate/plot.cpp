#include "core/evaluate/plot.h"

#include <vector>

#include <fmt/format.h>

namespace lynceus::evaluate {
namespace {

constexpr double kSide = 400, kTop = 100, kLeft = 80, kGap = 120;

struct At {
  double x = 0, y = 0;
};

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

/// A square of axes; coordinates from 0 to 1 on both.
class Panel {
 public:
  /// @param figure  the one number that sums the panel up, below its title.
  Panel(double left, const std::string& title, const std::string& figure, const std::string& xName, const char* yName)
      : m_left(left) {
    m_svg += fmt::format("<rect x='{}' y='{}' width='{}' height='{}' fill='none' stroke='black'/>\n", left, kTop, kSide,
                         kSide);
    text({0.5, 1.12}, title, "middle", 14);
    text({0.5, 1.07}, figure, "middle", 14);
    text({0.5, -0.12}, xName, "middle", 14);
    const At y = place({-0.13, 0.5});
    m_svg += fmt::format(
        "<text x='{0:.1f}' y='{1:.1f}' font-size='14' text-anchor='middle' transform='rotate(-90 "
        "{0:.1f} {1:.1f})'>{2}</text>\n",
        y.x, y.y, yName);
  }

  void tickX(double x, const std::string& name) {
    if (x > 0 && x < 1) line({x, 0}, {x, 1}, "stroke='#ddd'");
    text({x, -0.05}, name, "middle", 12);
  }
  void tickY(double y, const std::string& name) {
    if (y > 0 && y < 1) line({0, y}, {1, y}, "stroke='#ddd'");
    text({-0.02, y - 0.01}, name, "end", 12);
  }
  void tenthsX() {
    for (int i = 0; i <= 5; ++i) tickX(i / 5.0, fmt::format("{:.1f}", i / 5.0));
  }
  void tenthsY() {
    for (int i = 0; i <= 5; ++i) tickY(i / 5.0, fmt::format("{:.1f}", i / 5.0));
  }

  void line(At from, At to, const char* style) {
    const At a = place(from), b = place(to);
    m_svg += fmt::format("<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' {}/>\n", a.x, a.y, b.x, b.y, style);
  }
  void shape(const char* kind, const std::vector<At>& points, const char* style) {
    m_svg += fmt::format("<{} points='", kind);
    for (const At& point : points) m_svg += fmt::format("{:.1f},{:.1f} ", place(point).x, place(point).y);
    m_svg += fmt::format("' {}/>\n", style);
  }
  void dot(At at) {
    m_svg += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='4' fill='white' stroke='black' stroke-width='1.5'/>\n",
                         place(at).x, place(at).y);
  }
  void text(At at, const std::string& what, const char* anchor, int size) {
    m_svg += fmt::format("<text x='{:.1f}' y='{:.1f}' font-size='{}' text-anchor='{}'>{}</text>\n", place(at).x,
                         place(at).y, size, anchor, escape(what));
  }
  const std::string& svg() const { return m_svg; }

 private:
  At place(At at) const { return {m_left + at.x * kSide, kTop + (1 - at.y) * kSide}; }

  double m_left;
  std::string m_svg;
};

constexpr const char* kDiagonal = "stroke='black' stroke-dasharray='5 4'";
constexpr const char* kCurve = "fill='none' stroke='black' stroke-width='2' stroke-linejoin='round'";

std::string shortEstimate(const Estimate& e) {
  if (!e.interval) return fmt::format("{:.3f}", e.value);
  return fmt::format("{:.3f} ({:.3f} to {:.3f})", e.value, e.interval->low, e.interval->high);
}

std::string page(const std::string& title, const Panel& left, const Panel& right, const char* caption) {
  const double width = kLeft + 2 * kSide + kGap + 40, height = kTop + kSide + 90;
  return fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}' "
      "font-family='DejaVu Sans, Arial, sans-serif'>\n<rect width='{0}' height='{1}' fill='white'/>\n"
      "<text x='{2}' y='28' font-size='16' text-anchor='middle'>{3}</text>\n{4}{5}"
      "<text x='{2}' y='{6}' font-size='12' text-anchor='middle'>{7}</text>\n</svg>\n",
      width, height, width / 2, escape(title), left.svg(), right.svg(), height - 12, caption);
}

Panel reliability(const Calibration* c) {
  Panel panel(kLeft + kSide + kGap, c ? fmt::format("Reliability, n = {}", c->count) : "Reliability",
              c ? "ECE " + shortEstimate(c->expectedError) : "", "mean score", "share that is true");
  panel.tenthsX();
  panel.tenthsY();
  if (!c) {
    panel.text({0.5, 0.5}, "scores are not all between 0 and 1", "middle", 14);
    return panel;
  }
  panel.line({0, 0}, {1, 1}, kDiagonal);
  std::vector<At> points;
  for (const Calibration::Bin& bin : c->bins) {
    panel.text({bin.low + 0.05, 1.02}, fmt::format("{}", bin.count), "middle", 11);
    if (bin.count == 0) continue;
    const double x = bin.meanProbability;
    if (bin.observed.interval) panel.line({x, bin.observed.interval->low}, {x, bin.observed.interval->high}, kCurve);
    points.push_back({x, bin.observed.value});
  }
  panel.shape("polyline", points, kCurve);
  for (const At& point : points) panel.dot(point);
  return panel;
}

}  // namespace

std::string plotOf(const Froc& froc, const std::string& title) {
  const Froc::Counts& c = froc.counts;
  Panel panel(kLeft,
              froc.pseudo ? fmt::format("Pseudo-FROC, n = {} findings of {} series", c.findings, c.scansWithFindings)
                          : fmt::format("FROC, n = {} findings in {} series", c.findings, c.scans),
              "CPM " + shortEstimate(froc.cpm),
              froc.pseudo ? fmt::format("false marks per series, in {} series", c.scansForFalseMarks)
                          : "false marks per series",
              "sensitivity");
  const char* const names[] = {"1/8", "1/4", "1/2", "1", "2", "4", "8"};
  for (size_t i = 0; i < kRates.size(); ++i) panel.tickX(static_cast<double>(i) / 6, names[i]);
  panel.tenthsY();
  std::vector<At> curve, band;
  const auto x = [](size_t step) { return static_cast<double>(step) / (kCurveSteps - 1); };
  for (size_t i = 0; i < kCurveSteps; ++i) {
    curve.push_back({x(i), froc.curve[i].sensitivity});
    if (froc.curve[i].spread.interval) band.push_back({x(i), froc.curve[i].spread.interval->low});
  }
  for (size_t i = kCurveSteps; i-- > 0;)
    if (froc.curve[i].spread.interval) band.push_back({x(i), froc.curve[i].spread.interval->high});
  panel.shape("polygon", band, "fill='#000' fill-opacity='0.15'");
  panel.shape("polyline", curve, kCurve);
  for (size_t i = 0; i < kRates.size(); ++i) {
    const At at{static_cast<double>(i) / 6, froc.points[i].sensitivity.value};
    panel.dot(at);
    panel.text({at.x, 1.02}, fmt::format("{:.3f}", at.y), "middle", 11);
  }
  return page(
      title, panel, reliability(froc.calibration ? &*froc.calibration : nullptr),
      "Band and bars: 95 % bootstrap interval. Above the frames: sensitivity at each rate; n of each bin. Dashed: "
      "perfect.");
}

std::string plotOf(const Patches& p, const std::string& title) {
  Panel panel(kLeft, fmt::format("ROC, n = {} patches of {} patients", p.patches, p.patients),
              "area " + shortEstimate(p.rocArea), "1 - specificity", "sensitivity");
  panel.tenthsX();
  panel.tenthsY();
  panel.line({0, 0}, {1, 1}, kDiagonal);
  std::vector<At> curve;
  for (const Patches::RocPoint& point : p.roc) curve.push_back({point.falsePositiveRate, point.truePositiveRate});
  panel.shape("polyline", curve, kCurve);
  panel.dot({1 - p.specificity.value, p.sensitivity.value});
  return page(
      title, panel, reliability(&p.calibration),
      "Circle: score 0.5. Bars: 95 % bootstrap interval. Above the frame: n of each bin. Dashed: chance; perfect.");
}

}  // namespace lynceus::evaluate
