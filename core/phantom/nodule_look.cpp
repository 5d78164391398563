#include "core/phantom/nodule_look.h"

namespace lynceus::phantom {
namespace {

double drawDiameter(Random& random, Origin origin) {
  switch (origin) {
    case Origin::mass: return random.logRange(31, 80);
    case Origin::lymphNode: return random.logRange(3.2, 10);
    case Origin::metastasis: return random.logRange(3.2, 15);
    case Origin::satellite: return random.logRange(3.2, 6);
    case Origin::nodule: break;
  }
  return 3.2 * std::pow(30 / 3.2, std::pow(random.uniform(), 1.35));  // median 7 mm, a fifth above 15 mm
}

Texture drawTexture(Random& random, Origin origin, double diameter) {
  const double kind = random.uniform();
  if (origin == Origin::mass) return kind < 0.9 ? Texture::solid : Texture::partSolid;
  if (origin != Origin::nodule || kind < 0.6 || diameter < 4) return Texture::solid;
  return kind < 0.78 && diameter > 7 ? Texture::partSolid : Texture::groundGlass;
}

Margin drawMargin(Random& random, Origin origin, double diameter) {
  const double edge = random.uniform();
  if (origin == Origin::lymphNode) return edge < 0.8 ? Margin::smooth : Margin::irregular;
  if (origin == Origin::metastasis) return edge < 0.8 ? Margin::smooth : Margin::lobulated;
  if (diameter < 5) return edge < 0.45 ? Margin::smooth : edge < 0.8 ? Margin::irregular : Margin::illDefined;
  const double smooth = origin == Origin::mass ? 0.08 : 0.26;
  if (edge < smooth) return Margin::smooth;
  return edge < 0.5    ? Margin::lobulated
         : edge < 0.72 ? Margin::spiculated
         : edge < 0.88 ? Margin::irregular
                       : Margin::illDefined;
}

void drawAspect(Random& random, Origin origin, NoduleBody& body) {
  const Vec3 axis = random.direction();
  const auto [u, v] = frameAround(axis);
  body.axes = {u, v, axis};
  const double kind = random.uniform();
  double aspect = kind < 0.5 ? random.range(1, 1.35) : kind < 0.82 ? random.range(1.35, 2) : random.range(2, 3);
  if (origin == Origin::metastasis || origin == Origin::mass) aspect = std::sqrt(aspect);
  const double a = random.chance(0.5) ? aspect : 1 / aspect;  // oblong or flat
  const double b = random.range(0.85, 1.18);
  const double keepVolume = std::cbrt(1 / (a * b));
  body.stretch = {b * keepVolume, keepVolume, a * keepVolume};
}

void addBalls(Random& random, NoduleBody& body) {
  const int count = 2 + random.integer(6);
  body.balls.push_back({random.direction() * 0.2, random.range(0.62, 0.85)});
  for (int i = 1; i < count; ++i) {
    const double r = random.range(0.3, 0.66);
    body.balls.push_back({random.direction() * random.range(0.9, 1.25) * (1 - 0.5 * r), r});
  }
}

void addLobes(Random& random, int count, double height, double blunt, double sharp, NoduleBody& body) {
  for (int i = 0; i < count; ++i) {
    body.lobes.push_back({random.direction(), random.range(-0.4, 1) * height, random.logRange(blunt, sharp)});
  }
}

void addFacets(Random& random, int count, NoduleBody& body) {
  for (int i = 0; i < count; ++i) body.facets.push_back({random.direction(), random.range(0.5, 0.9)});
}

void drawBody(Random& random, Origin origin, double diameter, Nodule& n) {
  NoduleBody& body = n.body;
  body.radiusMm = diameter / 2;
  drawAspect(random, origin, body);
  body.roughnessKey = random.next();
  body.roughness = random.range(0.06, 0.16);
  double edge = random.range(0.8, 2.4);
  switch (n.margin) {
    case Margin::smooth:
      body.roughness = random.range(0.02, 0.08);
      addLobes(random, 3, 0.12, 2, 4, body);
      edge = random.range(0.4, 1.8);
      break;
    case Margin::lobulated: addBalls(random, body); break;
    case Margin::spiculated:
      if (random.chance(0.3)) addBalls(random, body);
      addLobes(random, 6 + random.integer(14), random.range(0.15, 0.4), 5, 40, body);
      break;
    case Margin::irregular:
      body.roughness = random.range(0.16, 0.34);
      addFacets(random, random.integer(7), body);
      addLobes(random, 2 + random.integer(5), 0.45, 2, 12, body);
      break;
    case Margin::illDefined:
      body.roughness = random.range(0.1, 0.28);
      addLobes(random, 3 + random.integer(4), 0.3, 2, 8, body);
      edge = random.range(2, 4.5);
      break;
  }
  if (origin == Origin::lymphNode) addFacets(random, 3 + random.integer(4), body);
  n.edgeMm = std::min(edge, 0.6 * body.radiusMm);  // the edge adds (w / r)^2 / 4 = 9 % of tissue at most
}

Shape blob(Random& random, const Point3& at, double radius, double hu) {
  const Vec3 axis = random.direction();
  const auto [u, v] = frameAround(axis);
  return ellipsoid(at, Vec3{random.range(0.7, 1.3), random.range(0.7, 1.3), random.range(0.7, 1.3)} * radius,
                   {u, v, axis}, hu);
}

// Relative to the centre: the body has no place yet.
void addBlobs(Random& random, int count, double smallest, double largest, double hu, Nodule& n) {
  for (int i = 0; i < count; ++i) {
    const double r = random.range(smallest, largest);
    const double shift = std::max(0.0, 0.85 * n.body.radiusMm - r) * std::cbrt(random.uniform());
    n.inclusions.push_back(blob(random, random.direction() * shift, r, hu * random.range(0.8, 1.1)));
  }
}

void addBronchogram(Random& random, Nodule& n) {
  const double r = n.body.radiusMm, calibre = std::min(random.range(0.7, 1.6), 0.2 * r);
  for (int i = 1 + random.integer(3); i > 0; --i) {
    Point3 at = random.direction() * (1.1 * r);
    Vec3 along = normalized(at * -1.0 + random.direction() * (0.6 * r));
    double bore = calibre;
    for (int k = 0; k < 4; ++k) {
      const Point3 next = at + along * (0.38 * r);
      n.inclusions.push_back(tube(at, next, bore, 0.85 * bore, -940));
      at = next;
      bore *= 0.85;
      along = normalized(along + random.direction() * 0.45);
    }
  }
}

void drawCalcium(Random& random, double diameter, Nodule& n) {
  const double r = n.body.radiusMm, kind = random.uniform();
  if (diameter < 5 || (kind < 0.35 && diameter < 12)) {  // what is calcified throughout, such as a granuloma, is small
    n.calcification = Calcification::diffuse;
    n.hu = random.range(180, 900);
    n.unevenHu = random.range(20, 150);
  } else if (kind < 0.6) {
    n.calcification = Calcification::central;
    n.inclusions.push_back(
        blob(random, random.direction() * (0.1 * r), random.range(0.3, 0.6) * r, random.range(250, 900)));
  } else if (kind < 0.78 && diameter > 8) {
    n.calcification = Calcification::laminated;
    n.calciumHu = random.range(250, 800);
    for (double depth = random.range(0.8, 2); depth < 0.9 * r; depth += random.range(2.2, 3.5))
      n.shells.push_back(depth);
  } else {
    n.calcification = Calcification::popcorn;
    addBlobs(random, 4 + random.integer(7), 0.12 * r, 0.3 * r, random.range(200, 700), n);
  }
}

void drawInside(Random& random, double diameter, Nodule& n) {
  const double r = n.body.radiusMm, kind = random.uniform();
  const bool mass = n.origin == Origin::mass;
  if (n.texture == Texture::solid && diameter > 9 && kind < (mass ? 0.25 : 0.12)) {
    n.inside = Inside::cavity;
    const double wall = std::clamp(random.range(2, 8), 0.2 * r, 0.7 * r);
    n.cavityScale = 1 - wall / r;
    n.cavityShiftMm = random.direction() * (random.uniform() * std::max(0.0, wall - 1.5));
  } else if (diameter > 9 && kind > 0.88) {
    n.inside = Inside::bronchogram;
    addBronchogram(random, n);
  } else if (diameter > 7 && kind > 0.8) {
    n.inside = Inside::bubbles;
    addBlobs(random, 1 + random.integer(7), 0.6, std::min(2.2, 0.3 * r), -900, n);
  } else if (n.texture == Texture::solid && diameter > 7 && diameter < 30 && kind > 0.765) {
    n.inside = Inside::fat;
    addBlobs(random, 2 + random.integer(5), 0.2 * r, 0.5 * r, -85, n);
    if (random.chance(0.4)) {
      n.calcification = Calcification::popcorn;
      addBlobs(random, 3 + random.integer(4), 0.1 * r, 0.22 * r, 400, n);
    }
  } else if (mass && random.chance(0.5)) {  // necrosis
    addBlobs(random, 1 + random.integer(4), 0.2 * r, 0.5 * r, 12, n);
  }
}

// Larger tumours press on the lung around them, or spread into it.
void drawRim(Random& random, double diameter, Nodule& n) {
  const bool rough = n.margin != Margin::smooth && n.margin != Margin::lobulated;
  if (n.texture != Texture::solid || diameter < 6 || !random.chance(rough ? 0.7 : 0.25)) return;
  n.rimShare = random.range(0.05, rough ? 0.3 : 0.15);
  n.rimMm = random.range(0.8, std::min(3.5, 0.25 * diameter));
}

void drawDensity(Random& random, double diameter, bool contrast, Nodule& n) {
  const double r = n.body.radiusMm;
  n.textureKey = random.next();
  n.hu = random.chance(0.75) ? random.range(-20, 70) : random.range(-100, 80);
  if (contrast && random.chance(0.8)) n.hu = random.range(20, 130);
  n.unevenHu = random.range(8, 70);
  n.unevenMm = random.range(1.6, std::max(3.0, 0.4 * r));
  n.hazeHu = random.range(40, 120);
  n.haloHu = random.range(-720, -450);
  if (n.texture == Texture::groundGlass) n.hu = random.range(-750, -450);
  if (n.texture == Texture::partSolid) {
    for (int i = random.chance(0.6) ? 1 : 2 + random.integer(3); i > 0; --i) {
      const double core = r * random.range(0.18, 0.6);
      n.cores.push_back({random.direction() * (random.uniform() * (r - 0.7 * core)), core});
    }
  }
  const bool soft = n.margin == Margin::spiculated || n.margin == Margin::illDefined || n.origin == Origin::metastasis;
  if (n.texture == Texture::solid && !soft && diameter < 20 && random.chance(0.12)) {
    drawCalcium(random, diameter, n);
  } else if (n.origin != Origin::lymphNode && (n.origin != Origin::metastasis || random.chance(0.2))) {
    drawInside(random, diameter, n);
  }
}

double surfaceAlong(const NoduleBody& body, const Vec3& direction) {
  double surface = 0.3 * body.radiusMm;
  while (surface < body.reachMm() && body.distance(body.centreMm + direction * surface) < 0) surface += 0.2;
  return surface;
}

Layer strandLayer(const Nodule& n) { return n.texture == Texture::groundGlass ? kLayerGroundGlass : kLayerSolid; }

struct Strand {
  Point3 at;
  Vec3 along;
  double lengthMm = 5, radiusMm = 0.5;
  double spread = 1;   ///< how much broader it is where it leaves the body
  double widthMm = 0;  ///< half the width of a septum; 0: a thread
  double hu = 0;
};

void addStrand(Random& random, Nodule& n, Strand s) {
  constexpr int kPieces = 4;
  const Vec3 bend = random.direction() * random.range(0.05, 0.3), thin = random.direction();
  for (int i = 0; i < kPieces; ++i) {
    const Point3 next = s.at + s.along * (s.lengthMm / kPieces);
    // broad where it leaves the body, thin from its middle on
    const double from = s.radiusMm * (i == 0 ? s.spread : 1 - 0.15 * i), to = s.radiusMm * (1 - 0.15 * (i + 1));
    const double width = s.widthMm * (1 - 0.22 * i);
    n.strands.emplace_back(strandLayer(n), width > to ? flatTube(s.at, next, width, 0.5 * (from + to), thin, s.hu)
                                                      : tube(s.at, next, from, to, s.hu));
    s.at = next;
    s.along = normalized(s.along + bend + random.direction() * 0.12);
  }
}

void addSpicules(Random& random, Nodule& n) {
  const bool coarse = random.chance(0.5);
  const double r = n.body.radiusMm;
  const double calibre = coarse ? random.range(0.9, 1.8) : random.range(0.6, 1.0);
  const int count =
      static_cast<int>((coarse ? 6 + random.integer(12) : 14 + random.integer(32)) * std::clamp(r / 6 + 0.3, 0.4, 2.5));
  for (int i = 0; i < count; ++i) {
    const Vec3 direction = random.direction();
    Strand s;
    s.at = n.body.centreMm + direction * (surfaceAlong(n.body, direction) - 1);
    s.along = normalized(direction + random.direction() * 0.35);
    s.lengthMm = std::clamp(r * random.logRange(0.5, 2), 2.5, 16.0);
    s.radiusMm = calibre * random.range(0.6, 1.2);
    s.spread = random.range(1, coarse ? 2.4 : 1.6);
    s.hu = n.texture == Texture::solid ? random.range(-120, 40) : random.range(-550, -200);
    if (random.chance(0.5)) {  // thickened septa are sheets, seen as lines in many planes
      s.widthMm = random.range(0.2, 0.6) * std::min(r, 7.0);
      s.radiusMm = random.range(0.3, 0.6) * (coarse ? 1.3 : 1);
    }
    addStrand(random, n, s);
  }
}

void addPleuralTags(Random& random, const LesionSites& sites, Nodule& n) {
  const Point3 c = n.body.centreMm;
  for (int i = 1 + random.integer(3); i > 0; --i) {
    const Vec3 out = normalized(sites.slope(kLung, c) + random.direction() * 0.45);
    const double start = surfaceAlong(n.body, out);
    double pleura = start;
    while (pleura < start + 22 && sites.fields().sample(kLung, c + out * pleura) < 0) pleura += 0.3;
    if (pleura >= start + 22 || pleura < start + 1.5) continue;
    const double thin = random.range(0.35, 0.9), cone = random.range(1.2, 3.5),
                 rise = std::min(0.6 * (pleura - start), 2 * cone);
    n.strands.emplace_back(kLayerSolid,
                           tube(c + out * (start - 1), c + out * pleura, thin, thin, random.range(-100, 20)));
    n.strands.emplace_back(kLayerSolid, tube(c + out * (pleura - rise), c + out * (pleura + 0.5), thin, cone, 10));
  }
}

void addFeeder(Random& random, const LesionSites& sites, Nodule& n) {
  const Point3 c = n.body.centreMm;
  const double reach = n.body.reachMm();
  const std::vector<Shape>& vessels = sites.scene().layers[kLayerLungVessels];
  const Shape* source = nullptr;
  double nearest = reach + 14;
  for (const Shape& vessel : vessels) {
    const double away = norm(vessel.a - c);
    if (away > nearest || away < reach + 1 || vessel.ra < 0.5 || vessel.ra > 2.2) continue;
    const double wish = away * random.range(1, 1.5);  // not always the nearest
    if (wish > nearest) continue;
    source = &vessel;
    nearest = wish;
  }
  if (source == nullptr) return;
  const Vec3 way = c - source->a;
  const Point3 middle = source->a + way * 0.5 + random.direction() * (0.15 * norm(way));
  const double from = std::min(source->ra, 0.3 + 0.22 * n.body.radiusMm), to = from * random.range(0.55, 1);
  n.strands.emplace_back(kLayerLungVessels, tube(source->a, middle, from, 0.5 * (from + to), source->hu));
  n.strands.emplace_back(kLayerLungVessels, tube(middle, c, 0.5 * (from + to), to, source->hu));
}

}  // namespace

Nodule drawNodule(Random& random, Origin origin, bool contrast) {
  Nodule n;
  n.origin = origin;
  const double diameter = drawDiameter(random, origin);
  n.texture = drawTexture(random, origin, diameter);
  n.margin = drawMargin(random, origin, diameter);
  drawBody(random, origin, diameter, n);
  drawDensity(random, diameter, contrast, n);
  drawRim(random, diameter, n);
  return n;
}

void flatten(NoduleBody& body, const Vec3& along, double ratio) {
  const auto [u, v] = frameAround(along);
  body.axes = {u, v, along};
  const double wide = std::cbrt(1 / ratio);
  body.stretch = {wide, wide, wide * ratio};
}

void addStrands(Random& random, const LesionSites& sites, Nodule& n) {
  if (n.margin == Margin::spiculated) addSpicules(random, n);
  const bool retracts = n.margin == Margin::spiculated || n.margin == Margin::irregular;
  if (n.origin != Origin::metastasis && random.chance(retracts ? 0.6 : 0.08)) addPleuralTags(random, sites, n);
  const double led = n.margin == Margin::smooth ? 0.3 : 0.55;
  for (int i = 0; i < 3; ++i) {
    if (random.chance(led)) addFeeder(random, sites, n);
  }
}

}  // namespace lynceus::phantom
