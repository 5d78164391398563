#include "core/phantom/vessel_tree.h"

#include "core/parallel.h"
#include "core/phantom/random.h"

namespace lynceus::phantom {
namespace {

constexpr int kLobes = 5;
constexpr double kHilarRadiusMm = 8.5;
constexpr double kAirwaySmallestMm = 0.68;  // lumen radius below which airways are not drawn

// Joins the points to one tree, cheapest first, as in Cuntz et al., "One rule to grow them all" (2010): the cost of a
// link is its length and a share of the path back to the root, so that vessels run straight and give off side branches.
class Grower {
 public:
  Grower(const Fields& fields, const Pose& pose, const Point3& root, std::vector<Point3> points)
      : m_fields(fields), m_pose(pose), m_points(std::move(points)) {
    m_tree.push_back({root, -1, 0, 0});
    m_path.push_back(0);
  }

  Tree grow(double terminalRadiusMm, double murrayExponent) {
    connect();
    straighten();
    calibrate(terminalRadiusMm, murrayExponent);
    return std::move(m_tree);
  }

 private:
  static constexpr double kPathShare = 0.18;

  double cost(size_t node, const Point3& p) const {
    const TreeNode& n = m_tree[node];
    const Vec3 link = p - n.at;
    const double length = norm(link);
    double turn = 0;
    if (n.parent >= 0) {
      const double cosine = dot(link, n.at - m_tree[static_cast<size_t>(n.parent)].at) /
                            (length * norm(n.at - m_tree[static_cast<size_t>(n.parent)].at) + 1e-9);
      turn = 0.6 * std::max(0.0, 0.5 - cosine);  // blood and air do not run backwards
    }
    return length * (1 + turn) + kPathShare * m_path[node];
  }

  bool leavesLung(const Point3& a, const Point3& b) const {
    return m_fields.sample(kLung, m_pose.toPatient(mix(a, b, 0.5))) > 1;
  }

  void connect() {
    const size_t count = m_points.size();
    std::vector<double> best(count);
    std::vector<size_t> link(count, 0);
    std::vector<bool> joined(count, false);
    for (size_t i = 0; i < count; ++i) best[i] = cost(0, m_points[i]);
    for (size_t step = 0; step < count; ++step) {
      size_t next = count;
      for (size_t i = 0; i < count; ++i) {
        if (!joined[i] && (next == count || best[i] < best[next])) next = i;
      }
      joined[next] = true;
      const size_t from = link[next], node = m_tree.size();
      m_path.push_back(m_path[from] + norm(m_points[next] - m_tree[from].at));
      m_tree.push_back({m_points[next], static_cast<int>(from), 0, 0});
      for (size_t i = 0; i < count; ++i) {
        if (joined[i]) continue;
        const double c = cost(node, m_points[i]);
        if (c >= best[i] || leavesLung(m_points[next], m_points[i])) continue;
        best[i] = c;
        link[i] = node;
      }
    }
  }

  void countTerminals() {
    for (TreeNode& n : m_tree) n.terminals = 0;
    std::vector<bool> hasChild(m_tree.size(), false);
    for (const TreeNode& n : m_tree) {
      if (n.parent >= 0) hasChild[static_cast<size_t>(n.parent)] = true;
    }
    for (size_t i = m_tree.size(); i-- > 0;) {
      TreeNode& n = m_tree[i];
      if (!hasChild[i]) n.terminals = 1;
      if (n.parent >= 0) m_tree[static_cast<size_t>(n.parent)].terminals += n.terminals;
    }
  }

  // Pulls each node between its parent and the centre of its children, weighted by their size: trunks lose the zigzag
  // that the points gave them, side branches keep their angle.
  void straighten() {
    countTerminals();
    for (int round = 0; round < 4; ++round) {
      std::vector<Vec3> children(m_tree.size(), Vec3{0, 0, 0});
      std::vector<double> weight(m_tree.size(), 0);
      for (const TreeNode& n : m_tree) {
        if (n.parent < 0) continue;
        const double w = static_cast<double>(n.terminals) * n.terminals;
        children[static_cast<size_t>(n.parent)] = children[static_cast<size_t>(n.parent)] + n.at * w;
        weight[static_cast<size_t>(n.parent)] += w;
      }
      std::vector<Point3> moved(m_tree.size());
      for (size_t i = 0; i < m_tree.size(); ++i) {
        moved[i] = m_tree[i].at;
        if (m_tree[i].parent < 0 || weight[i] == 0) continue;
        const Point3 between =
            mix(m_tree[static_cast<size_t>(m_tree[i].parent)].at, children[i] * (1 / weight[i]), 0.5);
        moved[i] = mix(m_tree[i].at, between, 0.5);
      }
      for (size_t i = 0; i < m_tree.size(); ++i) m_tree[i].at = moved[i];
    }
  }

  void calibrate(double terminalRadiusMm, double murrayExponent) {
    for (TreeNode& n : m_tree) n.radiusMm = terminalRadiusMm * std::pow(n.terminals, 1 / murrayExponent);
  }

  const Fields& m_fields;
  const Pose& m_pose;
  std::vector<Point3> m_points;
  std::vector<double> m_path;  // from the root to each node of the tree, mm
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

// Airways run beside the arteries: same branches, moved to one side, down to the size that CT still shows. Some are
// wide (bronchiectasis), some full of mucus.
void addAirways(const Anatomy& a, int lobe, Tree tree, double calibre, Scene& scene) {
  const Vec3 side = lobeRoots(a, lobe).airwaySide;
  const Disease& d = a.disease;
  const double dilation = d.dilation[lobe];
  Random random(a.seed, kStreamTrees + 10 + static_cast<uint32_t>(lobe));
  const Point3 root = tree.front().at;
  for (TreeNode& node : tree) {
    const double artery = node.radiusMm;
    node.radiusMm = std::min(calibre * artery, 3.4) * (artery < 2.2 ? dilation : 1);
    // at the hilum the artery is part of a great vessel, which is wider than the branch that starts in it
    const double keepAway = std::max(artery, kHilarRadiusMm * std::exp(-norm(node.at - root) / 15));
    node.at = node.at + side * (keepAway + node.radiusMm + 0.9);
  }
  const size_t wallsBefore = scene.layers[kLayerAirwayWalls].size();
  for (size_t i = 1; i < tree.size(); ++i) {
    if (tree[i].radiusMm < kAirwaySmallestMm) continue;
    const bool plugged = random.chance(tree[i].radiusMm < 2 ? d.plugged : 0);
    const size_t first = scene.layers[kLayerAirwayWalls].size();
    drawBranch(tree, i, [&](const Point3& p, const Point3& q, double rp, double rq) {
      const auto outer = [&](double r) { return r + d.airwayWall * (0.4 + 0.17 * r); };
      scene.add(kLayerAirwayWalls, tube(p, q, outer(rp), outer(rq), plugged ? 15 : 20));
      if (!plugged) scene.add(kLayerAirwayLumen, tube(p, q, rp, rq, -985));
    });
    if (plugged) scene.mark("mucus-plug", kLayerAirwayWalls, first);
  }
  if (dilation > 1) scene.mark("bronchiectasis", kLayerAirwayWalls, wallsBefore);
}

}  // namespace

int lobeAt(const Anatomy& a, const Point3& p) {
  const bool lower = a.obliqueFissure(p) < 0;
  if (p.x > 0) return lower ? 4 : 3;
  if (lower) return 2;
  return a.horizontalFissure(p) < 0 ? 1 : 0;
}

Tree growTree(const Fields& fields, const Pose& pose, const Point3& root, std::vector<Point3> points,
              double terminalRadiusMm, double murrayExponent) {
  return Grower(fields, pose, root, std::move(points)).grow(terminalRadiusMm, murrayExponent);
}

void addLungTrees(const Anatomy& a, const Fields& fields, Scene& scene) {
  Random random(a.seed, kStreamTrees);
  const double pitch = random.range(6.6, 8.4);
  const double terminal = random.range(0.36, 0.47), calibre = random.range(0.62, 0.85);
  const double exponent = random.range(2.25, 2.7);
  std::array<std::vector<Point3>, kLobes> points[2];
  parallelFor(2, [&](int64_t kind) {
    points[kind] = fillLobes(a, fields, pitch, kStreamTrees + 1 + static_cast<uint32_t>(kind));
  });
  std::vector<Tree> trees(size_t{2} * kLobes);
  parallelFor(int64_t{2} * kLobes, [&](int64_t i) {
    const int lobe = static_cast<int>(i / 2), kind = static_cast<int>(i % 2);
    const LobeRoots roots = lobeRoots(a, lobe);
    trees[static_cast<size_t>(i)] = growTree(fields, a.pose, kind == 0 ? roots.artery : roots.vein,
                                             std::move(points[kind][static_cast<size_t>(lobe)]), terminal, exponent);
  });
  for (int lobe = 0; lobe < kLobes; ++lobe) {
    const Tree& artery = trees[static_cast<size_t>(2 * lobe)];
    addVessels(artery, a.arteryHu, scene.layers[kLayerLungVessels]);
    addVessels(trees[static_cast<size_t>(2 * lobe + 1)], a.veinHu, scene.layers[kLayerLungVessels]);
    addAirways(a, lobe, artery, calibre, scene);
  }
}

}  // namespace lynceus::phantom
