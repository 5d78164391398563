#include "core/phantom/render.h"

#include <atomic>

#include <omp.h>

#include "core/parallel.h"
#include "core/phantom/parenchyma.h"

namespace lynceus::phantom {
namespace {

constexpr double kPlaneMm = 1.0;  // a slice is the mean of planes at most this far apart
constexpr float kFatHu = -102, kMuscleHu = 52, kAir = -1000;

float mixHu(float under, float over, float alpha) { return under + (over - under) * alpha; }

// One axial plane in work, and the rows of coarse fields that belong to its current line.
class SliceRenderer {
 public:
  SliceRenderer(const RenderInput& input, const std::vector<std::vector<uint32_t>> (&buckets)[kLayerCount],
                float tableTopY)
      : m_in(input),
        m_buckets(buckets),
        m_tableTopY(tableTopY),
        m_nx(input.geometry.size.x),
        m_ny(input.geometry.size.y) {
    const size_t count = static_cast<size_t>(m_nx) * static_cast<size_t>(m_ny);
    m_plane.resize(count);
    m_sum.resize(count);
    m_alpha.assign(count, 0);
    m_paint.resize(count);
    const FieldGrid& grid = input.fields.grid();
    m_cell.resize(static_cast<size_t>(m_nx));
    m_weight.resize(static_cast<size_t>(m_nx));
    for (int x = 0; x < m_nx; ++x) {
      const double t = std::clamp((xOf(x) - grid.originMm.x) / grid.stepMm, 0.0, grid.size.x - 1.001);
      m_cell[static_cast<size_t>(x)] = static_cast<int>(t);
      m_weight[static_cast<size_t>(x)] = static_cast<float>(t - static_cast<int>(t));
    }
    for (auto& row : m_rows) row.resize(static_cast<size_t>(grid.size.x));
  }

  void renderSlice(int slice, int16_t* out) {
    const image::Geometry& g = m_in.geometry;
    const double centre = g.originMm.z + slice * g.spacingMm.z;
    const double reach = m_in.sliceThicknessMm + breathing(centre);  // what moves is smeared
    const int planes = std::max(1, static_cast<int>(std::ceil(reach / kPlaneMm - 1e-9)));
    m_planeMm = reach / planes;
    m_rampMm = 0.5 * (g.spacingMm.x + m_planeMm);
    std::fill(m_sum.begin(), m_sum.end(), 0.0F);
    for (int i = 0; i < planes; ++i) {
      renderPlane(slice, centre + (i + 0.5 - 0.5 * planes) * m_planeMm);
      for (size_t k = 0; k < m_sum.size(); ++k) m_sum[k] += m_plane[k];
    }
    for (float& hu : m_sum) hu /= static_cast<float>(planes);
    doubleHeart(centre);
    if (m_in.blur) sharpen();
    if (m_in.noise) {
      addMetalStreaks(slice, centre);
      addNoise(slice, centre);
      addStarvation(centre);
    }
    finish(out);
  }

 private:
  double xOf(int x) const { return m_in.geometry.originMm.x + x * m_in.geometry.spacingMm.x; }
  double yOf(int y) const { return m_in.geometry.originMm.y + y * m_in.geometry.spacingMm.y; }
  float cover(float distance) const { return std::clamp(0.5F - distance / m_ramp, 0.0F, 1.0F); }
  float field(FieldId id, int x) const {
    const float* row = m_rows[id].data() + m_cell[static_cast<size_t>(x)];
    return row[0] + (row[1] - row[0]) * m_weight[static_cast<size_t>(x)];
  }

  void renderPlane(int slice, double z) {
    m_ramp = static_cast<float>(m_rampMm);
    for (int y = 0; y < m_ny; ++y) bodyRow(y, z);
    for (const Layer layer : {kLayerOrgans, kLayerGas}) drawLayer(layer, slice, z);
    for (int y = 0; y < m_ny; ++y) lungRow(y, z);
    drawLayer(kLayerMediastinal, slice, z);
    drawLesions(z, false);
    for (const Layer layer :
         {kLayerGroundGlass, kLayerScars, kLayerAirwayWalls, kLayerLungVessels, kLayerAirwayLumen}) {
      drawLayer(layer, slice, z);
    }
    drawLayer(kLayerSolid, slice, z);
    drawLesions(z, true);
    for (const Layer layer : {kLayerCalcium, kLayerCartilage, kLayerCortex, kLayerMarrow, kLayerCanal, kLayerMetal}) {
      drawLayer(layer, slice, z);
    }
  }

  // Skin, fat, muscle, what fills the cavity, diaphragm and liver.
  void bodyRow(int y, double z) {
    for (const FieldId id :
         {kSkin, kMuscle, kCavity, kLung, kDiaphragm, kLiver, kTextureLow, kTextureFine, kSepta, kFluid}) {
      m_in.fields.line(id, yOf(y), z, m_rows[id].data());
    }
    float* row = m_plane.data() + static_cast<size_t>(y) * static_cast<size_t>(m_nx);
    const auto organ = static_cast<float>(m_in.anatomy.organHu);
    for (int x = 0; x < m_nx; ++x) {
      const float skin = field(kSkin, x);
      if (skin > m_ramp) {
        row[x] = outside(x, y);
        continue;
      }
      if (field(kLung, x) < -m_ramp) {
        row[x] = -850;  // the lung is drawn later
        continue;
      }
      const float fine = field(kTextureFine, x), septum = field(kSepta, x);
      float hu = kFatHu + 14 * fine + (std::abs(septum) < 0.03F ? 45 * (1 - std::abs(septum) / 0.03F) : 0);
      hu = mixHu(hu, 5, 0.9F * cover(-(skin + 1.7F)));
      const float muscle = cover(field(kMuscle, x));
      if (muscle > 0) {
        hu = mixHu(hu, mixHu(kMuscleHu + 8 * fine, kFatHu + 20, fatPlane(field(kCavity, x), septum)), muscle);
      }
      const float inside = cover(field(kCavity, x));
      if (inside > 0) hu = mixHu(hu, cavityHu(x, fine, septum, organ), inside);
      row[x] = mixHu(outside(x, y), hu, cover(skin));
    }
  }

  // Fat between the layers of muscle: sheets that follow the chest wall, thicker here and missing there.
  static float fatPlane(float cavity, float septum) {
    const float thickness = std::max(0.0F, 0.35F + 1.6F * septum);
    const float sheet = std::min(std::abs(cavity - 13.5F - 3 * septum), std::abs(cavity - 27 - 16 * septum));
    const float strand = std::abs(septum - 0.2F) * 30;  // where the noise crosses a level: about mm
    return 0.85F * std::clamp(1.2F + thickness - std::min(sheet, strand), 0.0F, 1.0F);
  }

  float cavityHu(int x, float fine, float septum, float organ) const {
    float hu = -98 + 16 * fine + 55 * std::clamp(1 - std::abs(septum + 0.25F) / 0.05F, 0.0F, 1.0F);
    const float below = field(kDiaphragm, x);
    hu = mixHu(hu, 50, cover(-below) * cover(below - 3.4F));
    hu = mixHu(hu, 8 + 4 * fine, cover(field(kFluid, x)));
    return mixHu(hu, organ + 5 * fine + 4 * field(kTextureLow, x), cover(field(kLiver, x)));
  }

  // Air, or the curved couch below the back.
  float outside(int x, int y) const {
    if (!m_in.anatomy.table) return kAir;
    const auto px = static_cast<float>(xOf(x)) - static_cast<float>(m_in.anatomy.pose.shiftMm.x);
    const Scanner::Table& t = m_in.scanner.table;
    if (std::abs(px) > static_cast<float>(t.halfWidthMm)) return kAir;
    const float sag = px * px / static_cast<float>(t.sagMm);
    const float depth = static_cast<float>(yOf(y)) - (m_tableTopY - sag);
    const float lower = static_cast<float>(t.heightMm) - 0.4F * sag;
    if (depth < -m_ramp || depth > lower + 3) return kAir;
    const float shell = std::max(cover(std::abs(depth - 1) - 1), cover(std::abs(depth - lower) - 1));
    return mixHu(depth > 1 && depth < lower ? static_cast<float>(t.fillHu) : kAir, static_cast<float>(t.shellHu),
                 shell);
  }

  void lungRow(int y, double z) {
    for (const FieldId id :
         {kLung, kOblique, kHorizontal, kTextureLow, kTextureFine, kHaze, kHoles, kReticular, kDense}) {
      m_in.fields.line(id, yOf(y), z, m_rows[id].data());
    }
    const Anatomy& a = m_in.anatomy;
    const Point3 middle = a.pose.toModel({a.pose.shiftMm.x, yOf(y), z});
    const auto base = static_cast<float>(
        a.lungHu + a.dependentHu * std::clamp((middle.y - a.cavityCentreY(middle.z)) / a.halfDepthMm, -1.0, 1.0));
    float* row = m_plane.data() + static_cast<size_t>(y) * static_cast<size_t>(m_nx);
    for (int x = 0; x < m_nx; ++x) {
      const float lung = cover(field(kLung, x));
      if (lung <= 0) continue;
      const LungSample sample{{xOf(x), yOf(y), z},
                              base,
                              field(kTextureLow, x),
                              field(kTextureFine, x),
                              field(kHaze, x),
                              field(kHoles, x),
                              field(kReticular, x),
                              field(kDense, x),
                              std::min(std::abs(field(kOblique, x)), std::abs(field(kHorizontal, x))),
                              m_ramp};
      row[x] = mixHu(row[x], lungHu(a, sample), lung);
    }
  }

  // The shapes of a layer unite: largest coverage wins, then the layer is laid over the plane.
  void drawLayer(Layer layer, int slice, double z) {
    int x0 = m_nx, x1 = -1, y0 = m_ny, y1 = -1;
    for (const uint32_t i : m_buckets[layer][static_cast<size_t>(slice)]) {
      const Shape& shape = m_in.scene.layers[layer][i];
      const detect::BoxMm box = shape.bounds();
      if (z < box.min.z - m_rampMm || z > box.max.z + m_rampMm) continue;
      const image::Geometry& g = m_in.geometry;
      const int left = std::max(0, static_cast<int>(std::floor((box.min.x - m_rampMm - g.originMm.x) / g.spacingMm.x)));
      const int right =
          std::min(m_nx - 1, static_cast<int>(std::ceil((box.max.x + m_rampMm - g.originMm.x) / g.spacingMm.x)));
      const int top = std::max(0, static_cast<int>(std::floor((box.min.y - m_rampMm - g.originMm.y) / g.spacingMm.y)));
      const int bottom =
          std::min(m_ny - 1, static_cast<int>(std::ceil((box.max.y + m_rampMm - g.originMm.y) / g.spacingMm.y)));
      if (left > right || top > bottom) continue;
      drawShape(shape, z, left, right, top, bottom);
      x0 = std::min(x0, left), x1 = std::max(x1, right), y0 = std::min(y0, top), y1 = std::max(y1, bottom);
    }
    for (int y = y0; y <= y1; ++y) {
      const size_t row = static_cast<size_t>(y) * static_cast<size_t>(m_nx);
      for (size_t i = row + static_cast<size_t>(x0); i <= row + static_cast<size_t>(x1); ++i) {
        if (m_alpha[i] <= 0) continue;
        m_plane[i] = mixHu(m_plane[i], m_paint[i], m_alpha[i]);
        m_alpha[i] = 0;
      }
    }
  }

  void drawShape(const Shape& shape, double z, int left, int right, int top, int bottom) {
    // a ramp of width w widens a thin tube: this keeps its cross-section, pi r^2
    const double r = shape.kind == Shape::Kind::tube && shape.flatness == 1 ? 0.5 * (shape.ra + shape.rb) : 1e3;
    const double w = m_rampMm;
    const auto strength = static_cast<float>(shape.opacity * r * r / (r * r + w * w / 12));
    const auto hu = static_cast<float>(shape.hu);
    for (int y = top; y <= bottom; ++y) {
      const size_t row = static_cast<size_t>(y) * static_cast<size_t>(m_nx);
      if (shape.inLung) m_in.fields.line(kLung, yOf(y), z, m_rows[kLung].data());
      for (int x = left; x <= right; ++x) {
        float alpha = strength * cover(static_cast<float>(shape.distance({xOf(x), yOf(y), z})));
        if (shape.inLung) alpha = std::min(alpha, cover(field(kLung, x)));
        const size_t i = row + static_cast<size_t>(x);
        if (alpha <= m_alpha[i]) continue;
        m_alpha[i] = alpha;
        m_paint[i] = hu;
      }
    }
  }

  // Ground glass lies under the vessels, solid tissue over them.
  void drawLesions(double z, bool solidPart) {
    for (const Nodule& n : m_in.nodules) {
      if (!solidPart && n.rimShare > 0) drawRim(n, z);
      if (solidPart ? n.texture != Texture::groundGlass : n.texture != Texture::solid) drawNodule(n, z, solidPart);
    }
    for (const GrownLesion& g : m_in.grown) {
      layInto({m_plane.data(), m_in.geometry, z, m_planeMm}, g, solidPart ? GrownLesion::kSolid : GrownLesion::kHaze);
    }
  }

  // Where a voxel is not wholly inside it is sampled at 27 points (at 8 in large lesions), as the truth must be exact.
  void drawNodule(const Nodule& n, double z, bool solidPart) {
    const double edge = std::max(m_rampMm / 3, solidPart ? n.edgeMm : n.softEdgeMm());
    eachVoxelWithin(n.reachMm() + m_rampMm + edge, n.body.centreMm, z, [&](const Point3& voxel, float& value) {
      const NodulePart part = sampleNodule(n, voxel, edge, solidPart);
      if (part.cover > 0) value = mixHu(value, static_cast<float>(part.hu), static_cast<float>(part.cover));
    });
  }

  void drawRim(const Nodule& n, double z) {
    eachVoxelWithin(n.reachMm() + 4 * n.rimMm, n.body.centreMm, z, [&](const Point3& voxel, float& value) {
      const double lung = m_in.fields.sample(kLung, voxel), d = n.freeDistance(voxel, lung);
      if (lung > 0 || d < 0 || d > 4 * n.rimMm) return;
      const double rise = std::min(1.0, 2 * d / std::max(n.edgeMm, 0.2));  // half-way through the edge it adds nothing
      value = mixHu(value, 0, static_cast<float>(n.rimShare * rise * std::exp(-d / n.rimMm)));
    });
  }

  template <class Use>
  void eachVoxelWithin(double reach, const Point3& c, double z, const Use& use) {
    const image::Geometry& g = m_in.geometry;
    const double sx = g.spacingMm.x, sy = g.spacingMm.y;
    if (std::abs(z - c.z) > reach) return;
    const int left = std::max(0, static_cast<int>((c.x - reach - g.originMm.x) / sx));
    const int right = std::min(m_nx - 1, static_cast<int>((c.x + reach - g.originMm.x) / sx) + 1);
    const int top = std::max(0, static_cast<int>((c.y - reach - g.originMm.y) / sy));
    const int bottom = std::min(m_ny - 1, static_cast<int>((c.y + reach - g.originMm.y) / sy) + 1);
    for (int y = top; y <= bottom; ++y) {
      for (int x = left; x <= right; ++x) {
        use({xOf(x), yOf(y), z}, m_plane[static_cast<size_t>(y) * static_cast<size_t>(m_nx) + static_cast<size_t>(x)]);
      }
    }
  }

  struct NodulePart {
    double cover = 0, hu = 0;  ///< share of the voxel, and mean HU of that share
  };

  NodulePart sampleNodule(const Nodule& n, const Point3& voxel, double edge, bool solidPart) const {
    const double sx = m_in.geometry.spacingMm.x, sy = m_in.geometry.spacingMm.y;
    // distances along rays exceed those across the surface, by 2.5 in the flattest bodies
    const double far = 2.5 * 0.5 * std::sqrt(sx * sx + sy * sy + m_planeMm * m_planeMm) + edge;
    const double lungHere = m_in.fields.sample(kLung, voxel), here = n.freeDistance(voxel, lungHere);
    if (here > far) return {};
    const bool structured = solidPart ? n.isStructured() : !n.inclusions.empty();
    if (here < -far && lungHere - n.invasionMm < -far && !structured) {
      return {1, solidPart ? n.solidHu(voxel) : n.groundGlassHu(voxel)};
    }
    const int per = n.body.radiusMm > 12 ? 2 : 3;
    NodulePart part;
    for (int k = 0; k < per * per * per; ++k) {
      const auto offset = [per](int i, double size) { return ((i + 0.5) / per - 0.5) * size; };
      const Point3 p = voxel + Vec3{offset(k % per, sx), offset(k / per % per, sy), offset(k / per / per, m_planeMm)};
      const double lung = m_in.fields.sample(kLung, p);
      double d = n.freeDistance(p, lung);
      if (solidPart && n.texture == Texture::partSolid) d = std::max(d, n.coreDistance(p));
      const double cover = clamp01(0.5 - d / edge) * clamp01(0.5 - per * (lung - n.invasionMm) / m_rampMm);
      if (cover <= 0) continue;
      part.cover += cover;
      part.hu += cover * (solidPart ? n.solidHu(p) : n.groundGlassHu(p));
    }
    if (part.cover > 0) part.hu /= part.cover;
    part.cover /= per * per * per;
    return part;
  }

  void sharpen() {
    const double sigma = m_in.scanner.blurMm / m_in.geometry.spacingMm.x;
    gaussianBlur(m_sum, m_nx, m_ny, sigma, m_scratch);
    if (m_in.scanner.edgeBoost <= 0) return;
    m_low = m_sum;
    gaussianBlur(m_low, m_nx, m_ny, 1.6 * sigma, m_scratch);
    const auto boost = static_cast<float>(m_in.scanner.edgeBoost);
    for (size_t i = 0; i < m_sum.size(); ++i) m_sum[i] += boost * (m_sum[i] - m_low[i]);
  }

  // Deep inside the body fewer photons are left, so there is more noise.
  void addNoise(int slice, double z) {
    const Scanner& s = m_in.scanner;
    const NoiseModel model{m_in.anatomy.seed, s.noiseWidthMm / m_in.geometry.spacingMm.x, s.noiseHighPass,
                           s.betweenSlices};
    const std::vector<float> noise = noiseSlice(model, m_nx, m_ny, slice);
    const auto sd = static_cast<float>(s.noiseSdHu);
    for (int y = 0; y < m_ny; ++y) {
      m_in.fields.line(kSkin, yOf(y), z, m_rows[kSkin].data());
      for (int x = 0; x < m_nx; ++x) {
        const float depth = std::clamp(-field(kSkin, x) / 60, -0.3F, 1.0F);
        const size_t i = static_cast<size_t>(y) * static_cast<size_t>(m_nx) + static_cast<size_t>(x);
        m_sum[i] += sd * (0.7F + 0.3F * depth) * noise[i];
      }
    }
  }

  // Too few photons come through shoulders and arms: streaks from side to side.
  void addStarvation(double z) {
    const Anatomy& a = m_in.anatomy;
    const double level = a.level(a.pose.toModel({a.pose.shiftMm.x, a.pose.shiftMm.y, z}).z);
    const double share = m_in.scanner.starvation * std::max(smoothStep(0.25, 0.02, level), a.armsDown ? 0.6 : 0.0);
    if (share < 0.02) return;
    const auto sd = static_cast<float>(2.2 * share * m_in.scanner.noiseSdHu);
    for (int y = 0; y < m_ny; ++y) {
      m_in.fields.line(kSkin, yOf(y), z, m_rows[kSkin].data());
      float* row = m_sum.data() + static_cast<size_t>(y) * static_cast<size_t>(m_nx);
      for (int x = 0; x < m_nx; ++x) {
        const float inside = std::clamp(-field(kSkin, x) / 40, 0.0F, 1.0F);
        if (inside <= 0) continue;
        const Point3 p{xOf(x) / 70, yOf(y) / 1.6 + 0.02 * xOf(x), 3.7 * z};
        row[x] += sd * inside * static_cast<float>(valueNoise(p, 1, a.seed + 61));
      }
    }
  }

  // Metal throws bright and dark rays in its slice.
  void addMetalStreaks(int slice, double z) {
    constexpr double kReachMm = 55, kMetalHu = 1800;
    int drawn = 0;
    for (const uint32_t i : m_buckets[kLayerMetal][static_cast<size_t>(slice)]) {
      const Shape& shape = m_in.scene.layers[kLayerMetal][i];
      const detect::BoxMm box = shape.bounds();
      if (shape.hu < kMetalHu || z < box.min.z || z > box.max.z || ++drawn > 4) continue;
      const Point3 c = mix(box.min, box.max, 0.5);
      const double width = std::min(6.0, 0.5 * (box.max.x - box.min.x + box.max.y - box.min.y));
      const int rays = 5 + static_cast<int>(i % 4), x0 = pixel(c.x - kReachMm, m_in.geometry.originMm.x, m_nx),
                x1 = pixel(c.x + kReachMm, m_in.geometry.originMm.x, m_nx),
                y0 = pixel(c.y - kReachMm, m_in.geometry.originMm.y, m_ny),
                y1 = pixel(c.y + kReachMm, m_in.geometry.originMm.y, m_ny);
      for (int y = y0; y <= y1; ++y) {
        for (int x = x0; x <= x1; ++x) {
          const double dx = xOf(x) - c.x, dy = yOf(y) - c.y, r = std::sqrt(dx * dx + dy * dy) + width;
          const double ray = std::cos(rays * std::atan2(dy, dx) + i) * clamp01((kReachMm + width - r) / 20);
          m_sum[static_cast<size_t>(y) * static_cast<size_t>(m_nx) + static_cast<size_t>(x)] +=
              static_cast<float>(260 * ray * std::abs(ray) * width / r);
        }
      }
    }
  }

  int pixel(double mm, double origin, int count) const {
    return std::clamp(static_cast<int>((mm - origin) / m_in.geometry.spacingMm.x), 0, count - 1);
  }

  // How far the lung moves at this height while the slice is taken: most at the diaphragm.
  double breathing(double z) const {
    const Anatomy& a = m_in.anatomy;
    const double dome = a.pose.toPatient({0, 0, std::max(a.domeRightZ, a.domeLeftZ)}).z;
    return m_in.scanner.breathingMm * smoothStep(dome + 30, dome, z);
  }

  // A heart that beats during the turn is seen twice, and so is the lung beside it.
  void doubleHeart(double z) {
    const double way = m_in.scanner.heartbeatMm;
    if (way <= 0) return;
    constexpr double kNearMm = 22;
    const Shape heart = m_in.anatomy.heart().moved(m_in.anatomy.pose);
    const detect::BoxMm box = heart.bounds();
    if (z < box.min.z - kNearMm || z > box.max.z + kNearMm) return;
    m_low = m_sum;
    const image::Geometry& g = m_in.geometry;
    const int dx = static_cast<int>(std::lrint(way / g.spacingMm.x)),
              dy = static_cast<int>(std::lrint(0.5 * way / g.spacingMm.x));
    for (int y = std::max(dy, pixel(box.min.y - kNearMm, g.originMm.y, m_ny));
         y <= pixel(box.max.y + kNearMm, g.originMm.y, m_ny); ++y) {
      for (int x = pixel(box.min.x - kNearMm, g.originMm.x, m_nx);
           x <= std::min(m_nx - 1 - dx, pixel(box.max.x + kNearMm, g.originMm.x, m_nx)); ++x) {
        const double share = 0.5 * smoothStep(kNearMm, 4, heart.distance({xOf(x), yOf(y), z}));
        const size_t at = static_cast<size_t>(y) * static_cast<size_t>(m_nx) + static_cast<size_t>(x);
        const size_t other = at - static_cast<size_t>(dy) * static_cast<size_t>(m_nx) + static_cast<size_t>(dx);
        m_sum[at] = mixHu(m_low[at], m_low[other], static_cast<float>(share));
      }
    }
  }

  void finish(int16_t* out) const {
    const auto offset = static_cast<float>(m_in.scanner.huOffset);
    const double cx = 0.5 * (m_nx - 1), cy = 0.5 * (m_ny - 1), radius = 0.5 * std::min(m_nx, m_ny);
    for (int y = 0; y < m_ny; ++y) {
      for (int x = 0; x < m_nx; ++x) {
        const size_t i = static_cast<size_t>(y) * static_cast<size_t>(m_nx) + static_cast<size_t>(x);
        const bool padding = m_in.scanner.circle && (x - cx) * (x - cx) + (y - cy) * (y - cy) > radius * radius;
        out[i] = padding ? image::kAirHu
                         : static_cast<int16_t>(std::lrint(std::clamp(m_sum[i] + offset, -1024.0F, 3071.0F)));
      }
    }
  }

  const RenderInput& m_in;
  const std::vector<std::vector<uint32_t>> (&m_buckets)[kLayerCount];
  float m_tableTopY;
  int m_nx, m_ny;
  double m_planeMm = 1;  ///< distance of the planes that make a slice
  double m_rampMm = 1;   ///< width of the edge of a shape
  float m_ramp = 1;
  std::vector<float> m_plane, m_sum, m_alpha, m_paint, m_scratch, m_low;
  std::vector<int> m_cell;
  std::vector<float> m_weight;
  std::vector<float> m_rows[kFieldCount];
};

// For each layer and slice the shapes that touch it.
std::vector<std::vector<uint32_t>> bucketLayer(const std::vector<Shape>& shapes, const RenderInput& in) {
  const image::Geometry& g = in.geometry;
  std::vector<std::vector<uint32_t>> buckets(static_cast<size_t>(g.size.z));
  const double margin = 0.5 * (in.sliceThicknessMm + in.scanner.breathingMm) + g.spacingMm.x + 1;
  for (uint32_t i = 0; i < shapes.size(); ++i) {
    const detect::BoxMm box = shapes[i].bounds();
    const double low = (box.min.z - margin - g.originMm.z) / g.spacingMm.z;
    const double high = (box.max.z + margin - g.originMm.z) / g.spacingMm.z;
    if (high < 0 || low > g.size.z - 1) continue;
    for (int z = std::max(0, static_cast<int>(std::floor(low)));
         z <= std::min<int>(g.size.z - 1, static_cast<int>(std::ceil(high))); ++z) {
      buckets[static_cast<size_t>(z)].push_back(i);
    }
  }
  return buckets;
}

// The couch touches the lowest point of the back.
float tableTop(const RenderInput& in) {
  const FieldGrid& grid = in.fields.grid();
  double lowest = -1e9;
  std::vector<float> row(static_cast<size_t>(grid.size.x));
  for (int y = grid.size.y - 1; y > 0 && lowest < -1e8; --y) {
    for (int z = grid.size.z / 6; z < grid.size.z * 5 / 6; ++z) {
      const double py = grid.originMm.y + y * grid.stepMm;
      in.fields.line(kSkin, py, grid.originMm.z + z * grid.stepMm, row.data());
      const float least = *std::min_element(row.begin(), row.end());
      if (least < 0) lowest = std::max(lowest, py - least);
    }
  }
  return static_cast<float>(lowest + 2.5);
}

}  // namespace

Expected<std::vector<int16_t>> render(const RenderInput& input, job::Context& context) {
  std::vector<std::vector<uint32_t>> buckets[kLayerCount];
  for (int layer = 0; layer < kLayerCount; ++layer) buckets[layer] = bucketLayer(input.scene.layers[layer], input);
  const float table = tableTop(input);
  const image::Geometry& g = input.geometry;
  std::vector<int16_t> hu(static_cast<size_t>(g.voxelCount()));
  const auto sliceVoxels = static_cast<size_t>(g.size.x) * static_cast<size_t>(g.size.y);
  std::vector<std::unique_ptr<SliceRenderer>> renderers(static_cast<size_t>(omp_get_max_threads()));
  std::atomic<int> done = 0;
  parallelFor(g.size.z, [&](int64_t z) {
    if (context.cancelled()) return;
    auto& renderer = renderers[static_cast<size_t>(omp_get_thread_num())];
    if (!renderer) renderer = std::make_unique<SliceRenderer>(input, buckets, table);
    renderer->renderSlice(static_cast<int>(z), hu.data() + static_cast<size_t>(z) * sliceVoxels);
    const int finished = ++done;
    if (omp_get_thread_num() == 0) context.progress(0.1 + 0.9 * finished / g.size.z, "rendering slices");
  });
  if (context.cancelled()) return makeError(ErrorCode::cancelled, "the phantom was stopped before it was complete");
  return hu;
}

}  // namespace lynceus::phantom
