#include "core/phantom/vessel_tree.h"

#include <numeric>

#include "core/parallel.h"
#include "core/phantom/random.h"

namespace lynceus::phantom {
namespace {

constexpr double kMurrayExponent = 2.75;
constexpr int kLobes = 5;
constexpr double kAirwaySmallestMm = 0.75;  // lumen radius below which airways are not drawn

Vec3 mainAxis(const std::vector<Point3>& points, size_t begin, size_t end, const Point3& centre, Vec3 guess) {
  double c[6] = {0, 0, 0, 0, 0, 0};
  for (size_t i = begin; i < end; ++i) {
    const Vec3 d = points[i] - centre;
    c[0] += d.x * d.x, c[1] += d.x * d.y, c[2] += d.x * d.z, c[3] += d.y * d.y, c[4] += d.y * d.z, c[5] += d.z * d.z;
  }
  for (int i = 0; i < 12; ++i) {
    guess =
        normalized({c[0] * guess.x + c[1] * guess.y + c[2] * guess.z, c[1] * guess.x + c[3] * guess.y + c[4] * guess.z,
                    c[2] * guess.x + c[4] * guess.y + c[5] * guess.z});
  }
  return guess;
}

class Grower {
 public:
  Grower(const Fields& fields, const Pose& pose, std::vector<Point3> points, double terminalRadiusMm, Random random)
      : m_fields(fields),
        m_pose(pose),
        m_points(std::move(points)),
        m_terminalRadius(terminalRadiusMm),
        m_random(random) {}

  Tree grow(const Point3& root) {
    m_tree.push_back({root, -1, static_cast<int>(m_points.size()), radius(m_points.size())});
    if (!m_points.empty()) branch(0, m_points.size(), 0, {0, 0, 0});
    return std::move(m_tree);
  }

 private:
  double radius(size_t terminals) const {
    return m_terminalRadius * std::pow(static_cast<double>(terminals), 1 / kMurrayExponent);
  }

  bool inLung(const Point3& p) const { return m_fields.sample(kLung, m_pose.toPatient(p)) < -1.5; }

  int add(const Point3& at, int parent, size_t terminals) {
    m_tree.push_back({at, parent, static_cast<int>(terminals), radius(terminals)});
    return static_cast<int>(m_tree.size()) - 1;
  }

  void branch(size_t begin, size_t end, int parent, const Vec3& direction) {
    const Point3 start = m_tree[static_cast<size_t>(parent)].at;
    if (end - begin == 1) {
      add(m_points[begin], parent, 1);
      return;
    }
    Point3 centre{0, 0, 0};
    for (size_t i = begin; i < end; ++i) centre = centre + m_points[i];
    centre = centre * (1.0 / static_cast<double>(end - begin));
    double fraction = m_random.range(0.32, 0.5);
    Vec3 way = centre - start;
    // a sharp turn is softened: blood and air do not run backwards
    if (norm(direction) > 0 && dot(normalized(way), direction) < 0.25) way = way + direction * (0.6 * norm(way));
    Point3 next = start + way * fraction;
    for (int i = 0; i < 3 && !inLung(next) && inLung(centre); ++i) next = mix(next, centre, 0.35);
    const int node = add(next, parent, end - begin);
    const Vec3 forward = normalized(next - start);

    Vec3 axis = mainAxis(m_points, begin, end, centre, m_random.direction());
    axis = normalized(axis - forward * (0.7 * dot(axis, forward)));
    const auto middle = std::partition(m_points.begin() + static_cast<std::ptrdiff_t>(begin),
                                       m_points.begin() + static_cast<std::ptrdiff_t>(end),
                                       [&](const Point3& p) { return dot(p - centre, axis) < 0; });
    auto split = static_cast<size_t>(middle - m_points.begin());
    if (split == begin || split == end) split = (begin + end) / 2;
    branch(begin, split, node, forward);
    branch(split, end, node, forward);
  }

  const Fields& m_fields;
  const Pose& m_pose;
  std::vector<Point3> m_points;
  double m_terminalRadius;
  Random m_random;
  Tree m_tree;
};

// One point for each cell of a jittered grid over the lungs, by lobe.
std::array<std::vector<Point3>, kLobes> fillLobes(const Anatomy& a, const Fields& fields, double pitchMm,
                                                  uint32_t stream) {
  Random random(a.seed, stream);
  std::array<std::vector<Point3>, kLobes> lobes;
  const Vec3 phase{random.range(0, pitchMm), random.range(0, pitchMm), random.range(0, pitchMm)};
  const double x0 = -a.halfWidthMm - 5, y0 = -1.6 * a.halfDepthMm, z0 = a.baseZ - 5;
  for (double z = z0 + phase.z; z < a.apexZ + 5; z += pitchMm) {
    for (double y = y0 + phase.y; y < 1.6 * a.halfDepthMm; y += pitchMm) {
      for (double x = x0 + phase.x; x < -x0; x += pitchMm) {
        const double j = 0.45 * pitchMm;
        const Point3 p{x + random.range(-j, j), y + random.range(-j, j), z + random.range(-j, j)};
        const Point3 patient = a.pose.toPatient(p);
        if (fields.sample(kLung, patient) > -2.5 || std::abs(fields.sample(kOblique, patient)) < 2.5) continue;
        lobes[static_cast<size_t>(lobeAt(a, p))].push_back(p);
      }
    }
  }
  return lobes;
}

// Draws the branch that ends in node i as a curve that leaves along its parent's direction.
template <class Emit>
void drawBranch(const Tree& tree, size_t i, const Emit& emit) {
  const TreeNode& node = tree[i];
  const TreeNode& parent = tree[static_cast<size_t>(node.parent)];
  const Vec3 chord = node.at - parent.at;
  Vec3 leaving = chord;
  if (parent.parent >= 0) {
    leaving = normalized(parent.at - tree[static_cast<size_t>(parent.parent)].at) * norm(chord) * 0.45 + chord * 0.55;
  }
  const double length = norm(chord);
  const int steps = length > 9 ? 4 : length > 4 ? 3 : 2;
  const double rStart = parent.parent < 0 ? node.radiusMm : mix(node.radiusMm, parent.radiusMm, 0.25);
  Point3 last = parent.at;
  double lastRadius = rStart;
  for (int k = 1; k <= steps; ++k) {
    const double t = static_cast<double>(k) / steps, t2 = t * t, t3 = t2 * t;
    // Hermite curve: tangents `leaving` and `chord`
    const Point3 p = parent.at * (2 * t3 - 3 * t2 + 1) + leaving * (t3 - 2 * t2 + t) + node.at * (3 * t2 - 2 * t3) +
                     chord * (t3 - t2);
    const double r = mix(rStart, node.radiusMm, t);
    emit(last, p, lastRadius, r);
    last = p;
    lastRadius = r;
  }
}

void addVessels(const Tree& tree, double hu, std::vector<Shape>& out) {
  for (size_t i = 1; i < tree.size(); ++i) {
    drawBranch(tree, i,
               [&](const Point3& a, const Point3& b, double ra, double rb) { out.push_back(tube(a, b, ra, rb, hu)); });
  }
}

// Airways run beside the arteries: same branches, moved to one side, down to the size that CT still shows.
void addAirways(Tree tree, const Vec3& side, double calibre, std::vector<Shape>& walls, std::vector<Shape>& lumens) {
  for (TreeNode& node : tree) {
    const double artery = node.radiusMm;
    node.radiusMm = std::min(calibre * artery, 4.2);
    node.at = node.at + side * (artery + node.radiusMm + 0.9);
  }
  for (size_t i = 1; i < tree.size(); ++i) {
    if (tree[i].radiusMm < kAirwaySmallestMm) continue;
    drawBranch(tree, i, [&](const Point3& a, const Point3& b, double ra, double rb) {
      const auto outer = [](double r) { return r + 0.35 + 0.16 * r; };
      walls.push_back(tube(a, b, outer(ra), outer(rb), 20));
      lumens.push_back(tube(a, b, ra, rb, -985));
    });
  }
}

}  // namespace

int lobeAt(const Anatomy& a, const Point3& p) {
  const bool lower = a.obliqueFissure(p) < 0;
  if (p.x > 0) return lower ? 4 : 3;
  if (lower) return 2;
  return a.horizontalFissure(p) < 0 ? 1 : 0;
}

Tree growTree(const Fields& fields, const Pose& pose, const Point3& root, std::vector<Point3> points,
              double terminalRadiusMm, uint64_t seed, uint32_t stream) {
  return Grower(fields, pose, std::move(points), terminalRadiusMm, Random(seed, stream)).grow(root);
}

void addLungTrees(const Anatomy& a, const Fields& fields, Scene& scene) {
  Random random(a.seed, kStreamTrees);
  const double pitch = random.range(9.0, 11.5);
  const double terminal = random.range(0.36, 0.48), calibre = random.range(0.62, 0.85);
  std::array<std::vector<Point3>, kLobes> points[2];
  parallelFor(2, [&](int64_t kind) {
    points[kind] = fillLobes(a, fields, pitch, kStreamTrees + 1 + static_cast<uint32_t>(kind));
  });
  std::vector<Tree> trees(2 * kLobes);
  parallelFor(2 * kLobes, [&](int64_t i) {
    const int lobe = static_cast<int>(i / 2), kind = static_cast<int>(i % 2);
    const LobeRoots roots = lobeRoots(a, lobe);
    trees[static_cast<size_t>(i)] = growTree(fields, a.pose, kind == 0 ? roots.artery : roots.vein,
                                             std::move(points[kind][static_cast<size_t>(lobe)]), terminal, a.seed,
                                             kStreamTrees + 10 + static_cast<uint32_t>(i));
  });
  for (int lobe = 0; lobe < kLobes; ++lobe) {
    const Tree& artery = trees[static_cast<size_t>(2 * lobe)];
    addVessels(artery, a.arteryHu, scene.layers[kLayerLungVessels]);
    addVessels(trees[static_cast<size_t>(2 * lobe + 1)], a.veinHu, scene.layers[kLayerLungVessels]);
    addAirways(artery, lobeRoots(a, lobe).airwaySide, calibre, scene.layers[kLayerAirwayWalls],
               scene.layers[kLayerAirwayLumen]);
  }
}

}  // namespace lynceus::phantom
