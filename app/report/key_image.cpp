#include "app/report/key_image.h"

#include <cairo.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include "core/atomic_file.h"

namespace lynceus::report {

namespace {

using detect::Finding;
using image::Geometry;
using image::Int3;
using image::Point3;
using image::Vec3;

constexpr int kWidth = 1100, kHeight = 620;

struct Colour {
  double r, g, b;
};
constexpr Colour kText{0.82, 0.84, 0.86}, kDim{0.55, 0.58, 0.61}, kMark{1.0, 0.80, 0.30}, kOutline{0.25, 0.85, 0.95},
    kFrame{0.22, 0.24, 0.26};

using Surface = std::unique_ptr<cairo_surface_t, decltype(&cairo_surface_destroy)>;
using Canvas = std::unique_ptr<cairo_t, decltype(&cairo_destroy)>;

void setColour(cairo_t* c, const Colour& colour) { cairo_set_source_rgb(c, colour.r, colour.g, colour.b); }

enum class Align { left, centre, right };

/// Text with a thin dark rim, so that it can be read on any tissue.
void drawText(cairo_t* c, double x, double y, const std::string& text, double size, const Colour& colour,
              Align align = Align::left) {
  cairo_set_font_size(c, size);
  cairo_text_extents_t box;
  cairo_text_extents(c, text.c_str(), &box);
  if (align == Align::centre) x -= box.x_advance / 2;
  if (align == Align::right) x -= box.x_advance;
  cairo_move_to(c, std::round(x), std::round(y));
  cairo_text_path(c, text.c_str());
  cairo_set_source_rgba(c, 0, 0, 0, 0.8);
  cairo_set_line_width(c, 2.5);
  cairo_set_line_join(c, CAIRO_LINE_JOIN_ROUND);
  cairo_stroke(c);
  cairo_move_to(c, std::round(x), std::round(y));
  setColour(c, colour);
  cairo_show_text(c, text.c_str());
}

/// The axes of the volume that lie nearest to left, posterior and head, in that sense.
struct Anatomy {
  Vec3 left, posterior, head;
};

Anatomy anatomyOf(const Geometry& g) {
  const std::array<Vec3, 3> wanted{Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  // Of the six ways to pair the axes the one that fits best as a whole, so that no axis is used twice.
  constexpr int kOrders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  double best = -1;
  std::array<Vec3, 3> found;
  for (const auto& order : kOrders) {
    double fit = 0;
    for (size_t i = 0; i < 3; ++i) fit += std::abs(dot(g.direction[static_cast<size_t>(order[i])], wanted[i]));
    if (fit <= best) continue;
    best = fit;
    for (size_t i = 0; i < 3; ++i) {
      const Vec3& axis = g.direction[static_cast<size_t>(order[i])];
      found[i] = axis * (dot(axis, wanted[i]) < 0 ? -1 : 1);
    }
  }
  return {found[0], found[1], found[2]};
}

/// R, L, A, P, H or F for the anatomical direction nearest to `v`.
const char* letter(const Vec3& v) {
  if (std::abs(v.x) >= std::abs(v.y) && std::abs(v.x) >= std::abs(v.z)) return v.x > 0 ? "L" : "R";
  if (std::abs(v.y) >= std::abs(v.z)) return v.y > 0 ? "P" : "A";
  return v.z > 0 ? "H" : "F";
}

/// A rectangle of the picture that shows a plane of the patient.
struct Panel {
  std::string name;
  int x = 0, y = 0, width = 0, height = 0;
  Point3 centerMm;     ///< shown in the middle
  Vec3 right, down;    ///< unit vectors of the picture's axes in the patient
  double pixelMm = 1;  ///< the same along both axes: true aspect

  Point3 toPatient(double px, double py) const {
    return centerMm + right * ((px - width / 2.0) * pixelMm) + down * ((py - height / 2.0) * pixelMm);
  }
  /// Picture coordinates of a patient point, projected onto the plane.
  std::array<double, 2> toPicture(const Point3& p) const {
    const Vec3 d = p - centerMm;
    return {x + width / 2.0 + dot(d, right) / pixelMm, y + height / 2.0 + dot(d, down) / pixelMm};
  }
};

class MaskLookup {
 public:
  MaskLookup(const Geometry& g, const Finding& finding) : m_geometry(g) {
    if (finding.mask) m_runs = &finding.mask->runs;
  }
  bool inside(const Point3& p) const {
    const Int3 v = m_geometry.nearestVoxel(p);
    if (m_runs == nullptr || !m_geometry.contains(v)) return false;
    const int64_t offset = m_geometry.offset(v.x, v.y, v.z);
    const auto after = std::upper_bound(m_runs->begin(), m_runs->end(), offset,
                                        [](int64_t o, const auto& run) { return o < run.offset; });
    return after != m_runs->begin() && offset < std::prev(after)->offset + std::prev(after)->length;
  }

 private:
  const Geometry& m_geometry;
  const std::vector<detect::RunLengthMask::Run>* m_runs = nullptr;
};

uint32_t rgb(const Colour& c) {
  const auto byte = [](double v) { return static_cast<uint32_t>(std::lround(v * 255)); };
  return byte(c.r) << 16 | byte(c.g) << 8 | byte(c.b);
}

/// Grey values and, where the mask ends, a line of one pixel.
void paintPanel(cairo_surface_t* surface, const Panel& panel, const image::Volume& volume, const MaskLookup* mask,
                const KeyImageOptions& o) {
  cairo_surface_flush(surface);
  auto* pixels = reinterpret_cast<uint32_t*>(cairo_image_surface_get_data(surface));
  const double low = o.windowCenterHu - o.windowWidthHu / 2;
  for (int py = 0; py < panel.height; ++py) {
    uint32_t* row = pixels + static_cast<ptrdiff_t>(panel.y + py) * kWidth + panel.x;
    for (int px = 0; px < panel.width; ++px) {
      const double y = py + 0.5, x = px + 0.5;
      const Point3 point = panel.toPatient(x, y);
      const double share = (volume.sampleAt(point) - low) / o.windowWidthHu;
      // Outside the volume nothing is known: black, whatever the window makes of air.
      const bool known = volume.geometry().contains(volume.geometry().nearestVoxel(point));
      const auto grey = known ? static_cast<uint32_t>(std::lround(std::clamp(share, 0.0, 1.0) * 255)) : 0U;
      row[px] = grey << 16 | grey << 8 | grey;
      if (mask == nullptr || mask->inside(point)) continue;
      // The line runs outside the mask: no voxel of the lesion is painted over.
      const bool beside = mask->inside(panel.toPatient(x - 1, y)) || mask->inside(panel.toPatient(x + 1, y)) ||
                          mask->inside(panel.toPatient(x, y - 1)) || mask->inside(panel.toPatient(x, y + 1));
      if (beside) row[px] = rgb(kOutline);
    }
  }
  cairo_surface_mark_dirty(surface);
}

void drawScaleBar(cairo_t* c, const Panel& p, double lengthMm) {
  const double x = p.x + p.width - 14, y = p.y + p.height - 12, pixels = lengthMm / p.pixelMm;
  for (const auto& [width, colour] : {std::pair{4.0, Colour{0, 0, 0}}, {2.0, kText}}) {
    setColour(c, colour);
    cairo_set_line_width(c, width);
    cairo_move_to(c, x - pixels, y - 4);
    cairo_line_to(c, x - pixels, y);
    cairo_line_to(c, x, y);
    cairo_line_to(c, x, y - 4);
    cairo_stroke(c);
  }
  drawText(c, x - pixels / 2, y - 7, fmt::format("{:g} mm", lengthMm), 11, kText, Align::centre);
}

void drawFrame(cairo_t* c, const Panel& p, double scaleMm) {
  setColour(c, kFrame);
  cairo_set_line_width(c, 1);
  cairo_rectangle(c, p.x - 0.5, p.y - 0.5, p.width + 1, p.height + 1);
  cairo_stroke(c);
  const double middleX = p.x + p.width / 2.0, middleY = p.y + p.height / 2.0;
  drawText(c, p.x + 6, middleY + 5, letter(p.right * -1), 13, kText);
  drawText(c, p.x + p.width - 6, middleY + 5, letter(p.right), 13, kText, Align::right);
  drawText(c, middleX, p.y + 16, letter(p.down * -1), 13, kText, Align::centre);
  drawText(c, middleX, p.y + p.height - 7, letter(p.down), 13, kText, Align::centre);
  drawText(c, p.x + 7, p.y + 16, p.name, 11, kDim);
  drawScaleBar(c, p, scaleMm);
}

void drawRing(cairo_t* c, const Panel& p, const Point3& centerMm, double radiusPixels, bool dashed) {
  const auto [x, y] = p.toPicture(centerMm);
  const double dash[] = {4, 4};
  cairo_set_dash(c, dash, dashed ? 2 : 0, 0);
  cairo_new_path(c);
  cairo_arc(c, x, y, radiusPixels, 0, 2 * std::acos(-1.0));
  setColour(c, kMark);
  cairo_set_line_width(c, 1.5);
  cairo_stroke(c);
  cairo_set_dash(c, dash, 0, 0);
}

void drawAxis(cairo_t* c, const Panel& p, const Point3 (&ends)[2]) {
  const auto [x0, y0] = p.toPicture(ends[0]);
  const auto [x1, y1] = p.toPicture(ends[1]);
  setColour(c, kMark);
  cairo_set_line_width(c, 1);
  cairo_move_to(c, x0, y0);
  cairo_line_to(c, x1, y1);
  cairo_stroke(c);
}

double sizeMm(const Finding& f) { return f.measurements ? f.measurements->longAxisMm : f.estimatedDiameterMm; }

/// Where the slice that is shown meets the line through the finding's centre.
Point3 slicePoint(const Geometry& g, const Finding& f) {
  Vec3 index = g.toIndex(f.centerMm);
  index.z = std::round(f.measurements ? g.toIndex(f.measurements->longAxisEndsMm[0]).z : index.z);
  return g.toPatient(index);
}

/// The panel that shows all of the volume in the plane of `right` and `down` through `throughMm`.
Panel wholePanel(const Geometry& g, const Vec3& right, const Vec3& down, const Point3& throughMm) {
  const auto extent = [&](const Vec3& along) {
    return std::abs(dot(g.direction[0], along)) * g.size.x * g.spacingMm.x +
           std::abs(dot(g.direction[1], along)) * g.size.y * g.spacingMm.y +
           std::abs(dot(g.direction[2], along)) * g.size.z * g.spacingMm.z;
  };
  Panel p{"axial", 12, 52, 520, 520, {}, right, down, 1};
  p.pixelMm = std::max(extent(right) / p.width, extent(down) / p.height);
  const Point3 middle = g.toPatient({(g.size.x - 1) / 2.0, (g.size.y - 1) / 2.0, (g.size.z - 1) / 2.0});
  const Vec3 offset = throughMm - middle;
  p.centerMm = throughMm - right * dot(offset, right) - down * dot(offset, down);
  return p;
}

double niceLength(double mostMm) {
  for (const double length : {100.0, 50.0, 20.0, 10.0, 5.0, 2.0}) {
    if (length <= mostMm) return length;
  }
  return 1;
}

std::vector<std::pair<std::string, std::string>> facts(const image::Volume& volume, const Finding& f,
                                                       const KeyImageOptions& o) {
  const Geometry& g = volume.geometry();
  const Point3 at = slicePoint(g, f);
  std::vector<std::pair<std::string, std::string>> out;
  if (f.measurements) {
    const detect::Measurements& m = *f.measurements;
    out.push_back({"Long × short axis", fmt::format("{:.1f} × {:.1f} mm", m.longAxisMm, m.shortAxisMm)});
    out.push_back({"Volume", fmt::format("{:.0f} mm³", m.volumeMm3)});
    out.push_back({"Sphere diameter", fmt::format("{:.1f} mm", m.diameterMm)});
    out.push_back({"Density", fmt::format("{:.0f} ± {:.0f} HU", m.meanHu, m.sdHu)});
  } else {
    out.push_back({"Size", fmt::format("~{:.1f} mm (no mask)", f.estimatedDiameterMm)});
  }
  out.push_back({"Score", fmt::format("{:.2f}", f.score)});
  out.push_back({"Slice", fmt::format("{} of {}", g.nearestVoxel(at).z + 1, g.size.z)});
  out.push_back({"Slice position", fmt::format("z = {:.1f} mm", at.z)});
  out.push_back({"Centre (LPS mm)", fmt::format("{:.1f}, {:.1f}, {:.1f}", f.centerMm.x, f.centerMm.y, f.centerMm.z)});
  out.push_back({"Window", fmt::format("W {:.0f}  L {:.0f} HU", o.windowWidthHu, o.windowCenterHu)});
  return out;
}

const char* reviewText(detect::ReviewState state) {
  switch (state) {
    case detect::ReviewState::accepted: return "Research use only – accepted by a reviewer";
    case detect::ReviewState::rejected: return "Research use only – rejected by a reviewer";
    case detect::ReviewState::proposed:
    case detect::ReviewState::edited: return "Research use only – not reviewed";
  }
  return "";
}

void drawTexts(cairo_t* c, const image::Volume& volume, const Finding& f, const KeyImageOptions& o, int x, int y) {
  drawText(c, 12, 22, o.title, 15, kText);
  drawText(c, 12, 40, o.subtitle, 12, kDim);
  drawText(c, kWidth - 12, kHeight - 14, reviewText(f.review), 14, kMark, Align::right);
  drawText(c, 12, kHeight - 14,
           fmt::format("Yellow: ring and axes. Cyan: outline of the mask{}.", f.mask ? "" : " (none)"), 11, kDim);
  drawText(c, x, y + 20, fmt::format("Finding {}: {}", f.id, f.kind), 16, kText);
  double line = y + 48;
  for (const auto& [name, value] : facts(volume, f, o)) {
    drawText(c, x, line, name, 12, kDim);
    drawText(c, x + 128, line, value, 12, kText);
    line += 24;
  }
}

cairo_status_t append(void* closure, const unsigned char* data, unsigned length) {
  static_cast<std::string*>(closure)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

Expected<void> writeKeyImage(const image::Volume& volume, const Finding& finding, const KeyImageOptions& options,
                             const std::filesystem::path& path) {
  const Geometry& g = volume.geometry();
  const Anatomy body = anatomyOf(g);
  const Point3 at = slicePoint(g, finding);
  const Vec3 foot = body.head * -1;
  const Panel whole = wholePanel(g, body.left, body.posterior, at);
  constexpr int kSide = 256;
  const double detailMm = std::max(60.0, 1.6 * sizeMm(finding)) / kSide;
  const std::array details{Panel{"axial", 550, 52, kSide, kSide, at, body.left, body.posterior, detailMm},
                           Panel{"coronal", 820, 52, kSide, kSide, finding.centerMm, body.left, foot, detailMm},
                           Panel{"sagittal", 550, 316, kSide, kSide, finding.centerMm, body.posterior, foot, detailMm}};

  const Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, kWidth, kHeight), cairo_surface_destroy);
  const Canvas canvas(cairo_create(surface.get()), cairo_destroy);
  cairo_t* c = canvas.get();
  cairo_set_source_rgb(c, 0.07, 0.075, 0.08);
  cairo_paint(c);
  cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);

  const MaskLookup mask(g, finding);
  paintPanel(surface.get(), whole, volume, nullptr, options);
  drawRing(c, whole, finding.centerMm, std::max(12.0, (0.65 * sizeMm(finding) + 5) / whole.pixelMm), false);
  drawFrame(c, whole, niceLength(100 * whole.pixelMm));
  for (const Panel& panel : details) {
    paintPanel(surface.get(), panel, volume, &mask, options);
    if (!finding.mask) drawRing(c, panel, finding.centerMm, (0.65 * sizeMm(finding) + 3) / panel.pixelMm, true);
    drawFrame(c, panel, niceLength(60 * panel.pixelMm));
  }
  // The axes lie in the acquisition plane, so they show their true length only in the panel of that plane.
  const Vec3 acquisition = g.direction[2];
  if (finding.measurements) {
    for (const Panel& panel : details) {
      if (std::abs(dot(cross(panel.right, panel.down), acquisition)) < 0.999) continue;
      drawAxis(c, panel, finding.measurements->longAxisEndsMm);
      drawAxis(c, panel, finding.measurements->shortAxisEndsMm);
    }
  }
  drawTexts(c, volume, finding, options, 824, 316);

  std::string png;
  if (const auto status = cairo_surface_write_to_png_stream(surface.get(), append, &png);
      status != CAIRO_STATUS_SUCCESS) {
    return makeError(ErrorCode::resource, "{}: the picture cannot be drawn: {}", path.string(),
                     cairo_status_to_string(status));
  }
  return writeFileAtomically(path, png);
}

}  // namespace lynceus::report
