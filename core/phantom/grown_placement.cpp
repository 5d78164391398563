// What the lesions of the second kind are to become, and where.
#include "core/parallel.h"
#include "core/phantom/grown_lesion.h"

namespace lynceus::phantom {
namespace {

constexpr double kSmallestMm = 3;

class Planner {
 public:
  Planner(const Anatomy& anatomy, const Fields& fields, const Scene& scene, const LesionRequest& request)
      : m_sites(anatomy, fields, scene, request), m_patient(request.patient), m_random(anatomy.seed, kStreamGrown) {}

  std::vector<GrownLesion> run() {
    std::vector<GrowthPlan> plans;
    for (int rejected = 0; static_cast<int>(plans.size()) < m_patient.count && rejected < 60;) {
      GrowthPlan plan = drawPlan(plans.empty());
      if (!settle(plan)) {
        ++rejected;
        continue;
      }
      m_sites.take(plan.seedMm, plan.reachMm);
      plans.push_back(std::move(plan));
    }
    std::vector<GrownLesion> lesions(plans.size());
    parallelFor(static_cast<int64_t>(plans.size()), [&](int64_t i) {
      lesions[static_cast<size_t>(i)] = growLesion(plans[static_cast<size_t>(i)], m_sites);
    });
    for (GrownLesion& g : lesions) g.location = m_sites.locate(g.centreMm);
    return lesions;
  }

 private:
  double drawDiameter(Origin origin) {
    if (origin == Origin::mass) return m_random.logRange(31, 50);
    if (origin == Origin::metastasis) return m_random.logRange(kSmallestMm + 0.3, 14);
    if (origin == Origin::lymphNode) return m_random.logRange(kSmallestMm + 0.3, 9);
    return (kSmallestMm + 0.3) * std::exp(2.2 * std::pow(m_random.uniform(), 1.4));
  }

  void drawWords(GrownLesion& w, double diameter) {
    const double texture = m_random.uniform(), margin = m_random.uniform(), inside = m_random.uniform();
    const bool special = w.origin == Origin::metastasis || w.origin == Origin::lymphNode;
    if (!special && diameter > 4 && texture > 0.6) w.texture = Texture::groundGlass;
    if (!special && diameter > 7 && texture > 0.8) w.texture = Texture::partSolid;
    w.margin = margin < 0.28   ? Margin::smooth
               : margin < 0.5  ? Margin::lobulated
               : margin < 0.72 ? Margin::spiculated
               : margin < 0.88 ? Margin::irregular
                               : Margin::illDefined;
    if (special && margin > 0.4) w.margin = Margin::smooth;
    if (diameter < 5 && w.margin == Margin::spiculated) w.margin = Margin::irregular;
    const bool solid = w.texture == Texture::solid;
    if (solid && diameter > 9 && inside < (special ? 0.03 : 0.12)) w.inside = Inside::cavity;
    if (!special && diameter > 9 && inside > 0.9) w.inside = Inside::bronchogram;
    if (!special && diameter > 7 && inside > 0.8 && inside < 0.9) w.inside = Inside::bubbles;
    if (solid && diameter > 7 && inside > 0.77 && inside < 0.8) w.inside = Inside::fat;
    const bool benign = w.origin != Origin::metastasis && solid && diameter < 20 &&
                        (w.margin == Margin::smooth || w.margin == Margin::lobulated);
    if (benign && w.inside == Inside::even && m_random.chance(0.2)) {
      w.calcification = static_cast<Calcification>(1 + m_random.integer(diameter > 8 ? 4 : 2));
    }
  }

  GrowthPlan drawPlan(bool first) {
    GrowthPlan plan;
    GrownLesion& w = plan.words;
    w.origin = m_patient.mass && first                         ? Origin::mass
               : m_patient.metastases && m_random.chance(0.93) ? Origin::metastasis
               : m_random.chance(0.1)                          ? Origin::lymphNode
                                                               : Origin::nodule;
    plan.diameterMm = drawDiameter(w.origin);
    drawWords(w, plan.diameterMm);
    plan.contrast = m_sites.anatomy().contrast;
    plan.key = (uint64_t{m_random.next()} << 32) | m_random.next();
    plan.axis = m_random.direction();
    plan.disc = m_random.chance(0.5);
    plan.elongation = m_random.chance(0.4) ? m_random.range(0.1, plan.diameterMm > 12 ? 0.3 : 0.5) : 0;
    plan.reachMm = plan.diameterMm * (0.72 + 0.5 * plan.elongation);
    return plan;
  }

  bool isFree(const GrowthPlan& plan) const { return m_sites.isFree(plan.seedMm, plan.reachMm); }
  double lungAt(const GrowthPlan& plan) const { return m_sites.fields().sample(kLung, plan.seedMm); }

  bool settle(GrowthPlan& plan) {
    const double where = m_random.uniform();
    const bool node = plan.words.origin == Origin::lymphNode, mass = plan.words.origin == Origin::mass;
    m_region = LesionSites::drawRegion(m_random);
    if (node || (where < 0.06 && !mass)) return settleOnSurface(plan, m_random.chance(0.6) ? kOblique : kLung);
    if (where < 0.34 || (mass && where < 0.7)) return settleOnSurface(plan, kLung);
    if (where < 0.65 && !mass) return settleAtVessel(plan);
    return settleFree(plan);
  }

  bool settleFree(GrowthPlan& plan) {
    int tried = 0;
    for (int i = 0; i < 3000; ++i) {
      plan.seedMm = m_sites.anywhere(m_random, m_region);
      if (lungAt(plan) > -plan.reachMm - 1 || !isFree(plan)) continue;
      const bool touches = m_sites.vesselDistance(plan.seedMm) < 0.55 * plan.diameterMm;
      if (touches && ++tried < 25) continue;
      plan.words.attachment = touches ? Attachment::juxtaVascular : Attachment::isolated;
      return true;
    }
    return false;
  }

  // It starts at the surface or a little below and creeps along it.
  bool settleOnSurface(GrowthPlan& plan, FieldId surface) {
    const bool pleura = surface == kLung;
    plan.words.attachment = pleura ? Attachment::juxtaPleural : Attachment::fissural;
    plan.creep = m_random.chance(0.7) ? m_random.range(0.3, plan.diameterMm > 12 ? 1 : pleura ? 2.5 : 4) : 0;
    const double depth = pleura ? m_random.range(0.3, 0.48 * plan.diameterMm) : m_random.range(0.5, 1);
    for (int i = 0; i < 1500; ++i) {
      plan.seedMm = m_sites.anywhere(m_random, m_region);
      if (i > 700) m_region = LesionSites::Region::all;
      if (std::abs(m_sites.fields().sample(surface, plan.seedMm)) > (pleura ? 30 : 12)) continue;
      if (!m_sites.moveTo(surface, -depth, plan.seedMm) || !isFree(plan)) continue;
      if (!pleura && lungAt(plan) > -0.5 * plan.diameterMm - 2) continue;
      plan.axis = m_sites.slope(surface, plan.seedMm);
      plan.disc = true;
      return true;
    }
    return false;
  }

  bool settleAtVessel(GrowthPlan& plan) {
    plan.words.attachment = Attachment::juxtaVascular;
    plan.creep = m_random.chance(0.5) ? m_random.range(0.3, 2) : 0;
    const bool fork = m_random.chance(0.3);
    for (int i = 0; i < (fork ? 40 : 1500); ++i) {
      Point3 at;
      const Shape* vessel = m_sites.drawVessel(m_random, 0.6, 3, fork, at);
      if (vessel == nullptr) return false;
      plan.seedMm = at + m_random.direction() * (vessel->ra + m_random.range(0.1, 0.5) * plan.diameterMm);
      if (lungAt(plan) > -plan.reachMm || !isFree(plan)) continue;
      plan.vessel = *vessel;
      return true;
    }
    return false;
  }

  LesionSites m_sites;
  LesionCase m_patient;
  Random m_random;
  LesionSites::Region m_region = LesionSites::Region::all;
};

}  // namespace

std::vector<GrownLesion> growLesions(const Anatomy& anatomy, const Fields& fields, const Scene& scene,
                                     const LesionRequest& request) {
  std::vector<GrownLesion> lesions = Planner(anatomy, fields, scene, request).run();
  // pleura or a crowded place may have left too little
  std::erase_if(lesions, [](const GrownLesion& g) { return g.diameterMm < kSmallestMm; });
  return lesions;
}

}  // namespace lynceus::phantom
