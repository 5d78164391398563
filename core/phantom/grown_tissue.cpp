// How a lesion of the second kind grows: a front that spreads from its seeds at a speed that varies from place to place
// (Eikonal equation, solved by fast marching: Sethian, PNAS 93, 1996), is stopped by the pleura and led along surfaces;
// air sacs that fill each to its own degree; strands that wander out.
#include <queue>

#include "core/phantom/grown_lesion.h"

namespace lynceus::phantom {
namespace {

// Isotropic band-limited noise without a lattice: plane waves of random direction and phase. Variance 1.
class Waves {
 public:
  Waves(Random& random, double shortestMm, double longestMm) {
    for (Wave& w : m_waves) {
      w.vector = random.direction() * (2 * std::numbers::pi / random.logRange(shortestMm, longestMm));
      w.phase = random.range(0, 2 * std::numbers::pi);
    }
  }
  double at(const Point3& p) const {
    double sum = 0;
    for (const Wave& w : m_waves) sum += std::cos(dot(w.vector, p) + w.phase);
    return sum * std::sqrt(2.0 / kCount);
  }

 private:
  static constexpr int kCount = 20;
  struct Wave {
    Vec3 vector;
    double phase = 0;
  };
  std::array<Wave, kCount> m_waves;
};

constexpr float kNever = 1e9F;

// Arrival times of a front on the grid of a lesion.
class Front {
 public:
  explicit Front(const GrownLesion& grid) : m_grid(grid), m_time(grid.body.size(), kNever), m_done(grid.body.size()) {}

  void start(const Point3& p) {
    const Vec3 c = (p - m_grid.cornerMm) * (1 / m_grid.cellMm);
    const int i = static_cast<int>(c.x), j = static_cast<int>(c.y), k = static_cast<int>(c.z);
    if (c.x < 1 || c.y < 1 || c.z < 1 || i > m_grid.size.x - 2 || j > m_grid.size.y - 2 || k > m_grid.size.z - 2)
      return;
    const size_t cell = m_grid.at(i, j, k);
    m_time[cell] = 0;
    m_queue.push({0, cell});
  }

  /// Spreads until `wanted` cells are reached. @param speed  of a cell (i, j, k), 0 where nothing grows
  template <class Speed>
  std::vector<size_t> spread(size_t wanted, const Speed& speed) {
    std::vector<size_t> reached;
    while (!m_queue.empty() && reached.size() < wanted) {
      const auto [time, cell] = m_queue.top();
      m_queue.pop();
      if (m_done[cell]) continue;
      m_done[cell] = 1;
      reached.push_back(cell);
      const int i = static_cast<int>(cell % static_cast<size_t>(m_grid.size.x));
      const int j = static_cast<int>(cell / static_cast<size_t>(m_grid.size.x) % static_cast<size_t>(m_grid.size.y));
      const int k = static_cast<int>(cell / static_cast<size_t>(m_grid.size.x) / static_cast<size_t>(m_grid.size.y));
      for (int side = 0; side < 6; ++side) {
        const int step = side % 2 ? 1 : -1, axis = side / 2;
        visit(i + (axis == 0 ? step : 0), j + (axis == 1 ? step : 0), k + (axis == 2 ? step : 0), speed);
      }
    }
    return reached;
  }

  float time(size_t cell) const { return m_time[cell]; }

 private:
  struct Entry {
    float time;
    size_t cell;
    bool operator<(const Entry& other) const {  // the queue gives the earliest, ties in the order of cells
      return time != other.time ? time > other.time : cell > other.cell;
    }
  };

  float earliest(int i, int j, int k, int di, int dj, int dk) const {
    return std::min(m_time[m_grid.at(i - di, j - dj, k - dk)], m_time[m_grid.at(i + di, j + dj, k + dk)]);
  }

  template <class Speed>
  void visit(int i, int j, int k, const Speed& speed) {
    if (i < 1 || j < 1 || k < 1 || i > m_grid.size.x - 2 || j > m_grid.size.y - 2 || k > m_grid.size.z - 2) return;
    const size_t cell = m_grid.at(i, j, k);
    if (m_done[cell]) return;
    const double v = speed(i, j, k);
    if (v <= 0) return;
    const float time = arrival({earliest(i, j, k, 1, 0, 0), earliest(i, j, k, 0, 1, 0), earliest(i, j, k, 0, 0, 1)},
                               m_grid.cellMm / v);
    if (time >= m_time[cell]) return;
    m_time[cell] = time;
    m_queue.push({time, cell});
  }

  // The upwind solution of |grad T| = slowness / h from the earliest neighbour on each axis.
  static float arrival(std::array<float, 3> t, double slowness) {
    std::sort(t.begin(), t.end());
    double time = t[0] + slowness;
    for (int n = 2; n <= 3 && t[static_cast<size_t>(n - 1)] < time; ++n) {
      double sum = 0, squares = 0;
      for (int i = 0; i < n; ++i) {
        sum += t[static_cast<size_t>(i)];
        squares += double(t[static_cast<size_t>(i)]) * t[static_cast<size_t>(i)];
      }
      const double root = sum * sum - n * (squares - slowness * slowness);
      if (root >= 0) time = (sum + std::sqrt(root)) / n;
    }
    return static_cast<float>(time);
  }

  const GrownLesion& m_grid;
  std::vector<float> m_time;
  std::vector<uint8_t> m_done;
  std::priority_queue<Entry> m_queue;
};

struct CellBox {
  std::array<int, 3> low{1 << 20, 1 << 20, 1 << 20}, high{-1, -1, -1};  ///< both inside

  void add(int i, int j, int k) {
    low = {std::min(low[0], i), std::min(low[1], j), std::min(low[2], k)};
    high = {std::max(high[0], i), std::max(high[1], j), std::max(high[2], k)};
  }
  CellBox widened(int cells, const image::Int3& size) const {
    const std::array<int, 3> sizes{size.x, size.y, size.z};
    CellBox wide;
    for (size_t axis = 0; axis < 3; ++axis) {
      wide.low[axis] = std::max(0, low[axis] - cells);
      wide.high[axis] = std::min(sizes[axis] - 1, high[axis] + cells);
    }
    return wide;
  }
};

// Mean over a running window along one axis of a box; beyond its ends the last values go on.
void smear(const GrownLesion& grid, const CellBox& box, size_t axis, int radius, std::vector<float>& values) {
  const size_t strides[] = {1, static_cast<size_t>(grid.size.x),
                            static_cast<size_t>(grid.size.x) * static_cast<size_t>(grid.size.y)};
  const size_t across = axis == 0 ? 1 : 0, other = axis == 2 ? 1 : 2, stride = strides[axis];
  const int n = box.high[axis] - box.low[axis] + 1;
  std::vector<float> line(static_cast<size_t>(n + 2 * radius));
  for (int b = box.low[other]; b <= box.high[other]; ++b) {
    for (int a = box.low[across]; a <= box.high[across]; ++a) {
      float* first = values.data() + static_cast<size_t>(a) * strides[across] +
                     static_cast<size_t>(b) * strides[other] + static_cast<size_t>(box.low[axis]) * stride;
      for (int i = -radius; i < n + radius; ++i) {
        line[static_cast<size_t>(i + radius)] = first[static_cast<size_t>(std::clamp(i, 0, n - 1)) * stride];
      }
      float sum = 0;
      for (int i = 0; i < 2 * radius; ++i) sum += line[static_cast<size_t>(i)];
      for (int i = 0; i < n; ++i) {
        sum += line[static_cast<size_t>(i + 2 * radius)];
        first[static_cast<size_t>(i) * stride] = sum / static_cast<float>(2 * radius + 1);
        sum -= line[static_cast<size_t>(i)];
      }
    }
  }
}

// Three running means along each axis: near to a Gaussian of this deviation.
void soften(const GrownLesion& grid, const CellBox& box, double sigmaMm, std::vector<float>& values) {
  const int radius = static_cast<int>(std::lrint(sigmaMm / grid.cellMm * 0.9));
  if (radius < 1) return;
  for (int pass = 0; pass < 3; ++pass) {
    for (size_t axis = 0; axis < 3; ++axis) smear(grid, box, axis, radius, values);
  }
}

class Grower {
 public:
  Grower(const GrowthPlan& plan, const LesionSites& sites)
      : m_plan(plan), m_sites(sites), m_random(plan.key, kStreamGrown), m_lesion(plan.words) {
    const double half = plan.reachMm + std::clamp(3 + 0.6 * plan.diameterMm, 4.0, 9.0);  // strands go beyond
    m_lesion.cellMm = std::clamp(plan.diameterMm / 28, 0.2, plan.diameterMm > 30 ? 0.5 : 0.4);
    const int cells = 2 * static_cast<int>(std::ceil(half / m_lesion.cellMm)) + 1;
    m_lesion.size = {cells, cells, cells};
    m_lesion.cornerMm = plan.seedMm - Vec3{1, 1, 1} * (0.5 * cells * m_lesion.cellMm);
    const size_t count = static_cast<size_t>(cells) * static_cast<size_t>(cells) * static_cast<size_t>(cells);
    m_lesion.body.assign(count, 0);
    m_lesion.kind.assign(count, GrownLesion::kEmpty);
    m_lesion.hu.assign(count, 0);
    m_lesion.cover.assign(count, 0);
  }

  GrownLesion grow() {
    growBody();
    fill();
    hollow();
    wanderOut();
    crop();
    measureCells(m_lesion);
    return std::move(m_lesion);
  }

 private:
  struct Habit {
    double variation, shortest, longest;  ///< of the speed: deviation of its logarithm, wavelengths in radii
    int seeds;
    double smoothMm, edgeMm;
  };

  Habit habitOf(Margin margin) {
    const double r = 0.5 * m_plan.diameterMm;
    switch (margin) {
      case Margin::smooth: return {m_random.range(0.1, 0.25), 0.8, 3, 1, 0.5, m_random.range(0.15, 0.6)};
      case Margin::lobulated:
        return {m_random.range(0.1, 0.3), 0.8, 2, 2 + m_random.integer(5), 0.35, m_random.range(0.25, 0.8)};
      case Margin::spiculated:
        return {m_random.range(0.35, 0.7), 0.3, 1.2, 1 + m_random.integer(3), 0.2, m_random.range(0.3, 0.9)};
      case Margin::irregular:
        return {m_random.range(0.4, 0.9), 0.5, 2, 1 + m_random.integer(3), 0.25, m_random.range(0.3, 0.9)};
      case Margin::illDefined:
        return {m_random.range(0.3, 0.7), 0.3, 2, 1, 0.3, std::min(m_random.range(0.6, 1.5), 0.25 * r)};
    }
    return {};
  }

  double lungAt(const Point3& p) const { return m_sites.fields().sample(kLung, p); }

  void plantSeeds(Front& front, int count) {
    const double r = 0.5 * m_plan.diameterMm, reach = m_plan.elongation * m_plan.diameterMm;
    const auto [u, v] = frameAround(m_plan.axis);
    front.start(m_plan.seedMm);
    for (int i = 1; i < count; ++i) front.start(m_plan.seedMm + m_random.direction() * (m_random.range(0.3, 0.8) * r));
    for (int i = 0; i < 60 && reach > 0; ++i) {
      const double angle = m_random.range(0, 2 * std::numbers::pi), away = reach * std::sqrt(m_random.uniform());
      const Vec3 shift = m_plan.disc ? u * (away * std::cos(angle)) + v * (away * std::sin(angle))
                                     : m_plan.axis * (reach * m_random.range(-1, 1));
      front.start(m_plan.seedMm + shift);
    }
  }

  // How well tissue spreads at a point: along pleura, fissure or vessel it is led, across a fissure hindered.
  double lead(const Point3& p, double lung) const {
    double gain = 1;
    if (m_lesion.attachment == Attachment::juxtaPleural) gain += m_plan.creep * std::exp(lung / 1.5);
    if (m_lesion.attachment == Attachment::fissural) {
      const double away =
          std::min(std::abs(m_sites.fields().sample(kOblique, p)), std::abs(m_sites.fields().sample(kHorizontal, p)));
      gain *= away < 0.4 ? 0.25 : 1 + m_plan.creep * std::exp(-away / 1.5);
    }
    if (m_plan.vessel) gain += m_plan.creep * std::exp(-std::max(0.0, m_plan.vessel->distance(p)) / 0.8);
    return gain;
  }

  void growBody() {
    const double r = 0.5 * m_plan.diameterMm, cell = m_lesion.cellMm;
    m_habit = habitOf(m_lesion.margin);
    const Waves waves(m_random, m_habit.shortest * r, m_habit.longest * r);
    Front front(m_lesion);
    plantSeeds(front, m_habit.seeds);
    const auto wanted = static_cast<size_t>(std::numbers::pi / 6 * std::pow(m_plan.diameterMm / cell, 3));
    std::vector<float> speeds(m_lesion.body.size(), -1);
    const auto reached = front.spread(wanted, [&](int i, int j, int k) {
      float& speed = speeds[m_lesion.at(i, j, k)];
      if (speed >= 0) return speed;
      const Point3 p = m_lesion.middleOf(i, j, k);
      const double lung = lungAt(p);
      m_confined = m_confined || lung > 0;
      speed = lung > 0 || norm(p - m_plan.seedMm) > m_plan.reachMm
                  ? 0.0F
                  : static_cast<float>(lead(p, lung) * std::exp(m_habit.variation * waves.at(p)));
      return speed;
    });
    // smooth the steps and the pores, but keep to the lung
    std::vector<float> dense(m_lesion.body.size(), 0), room(speeds.size(), 0);
    CellBox box;
    for (const size_t c : reached) {
      dense[c] = 1;
      const auto nx = static_cast<size_t>(m_lesion.size.x), ny = static_cast<size_t>(m_lesion.size.y);
      box.add(static_cast<int>(c % nx), static_cast<int>(c / nx % ny), static_cast<int>(c / nx / ny));
    }
    m_box = box.widened(static_cast<int>(7 / cell), m_lesion.size);  // as far as the widest edge
    for (size_t c = 0; c < room.size(); ++c) room[c] = speeds[c] == 0 ? 0.0F : 1.0F;
    std::vector<float> share = room;
    const double smooth = std::min(m_habit.smoothMm, 0.12 * r);
    soften(m_lesion, m_box, smooth, dense);
    if (m_confined) soften(m_lesion, m_box, smooth, share);
    for (size_t c = 0; c < dense.size(); ++c) m_lesion.body[c] = room[c] > 0 && dense[c] > 0.5F * share[c] ? 1 : 0;
    m_room = std::move(room);
  }

  // Air sacs of about 2 mm, each filled to its own degree; early cells are a little denser.
  void fill() {
    const double r = 0.5 * m_plan.diameterMm;
    const bool solid = m_lesion.texture == Texture::solid;
    const double tissue = m_plan.contrast && m_random.chance(0.8) ? m_random.range(20, 130) : m_random.range(-70, 75);
    m_tissueHu = tissue;
    m_lesion.hazeHu = m_random.range(-740, -450);
    const double grain = solid ? m_random.range(6, 40) : m_random.range(25, 75);
    const Waves coarse(m_random, 0.5 * r + 1, r + 4), fine(m_random, 1.4, 3.2);
    std::vector<float> cover(m_lesion.body.begin(), m_lesion.body.end());
    std::vector<float> share = m_room;
    m_habit.edgeMm = std::min(m_habit.edgeMm, 0.22 * r);
    soften(m_lesion, m_box, m_habit.edgeMm, cover);
    if (m_confined) soften(m_lesion, m_box, m_habit.edgeMm, share);
    for (int k = m_box.low[2]; k <= m_box.high[2]; ++k) {
      for (int j = m_box.low[1]; j <= m_box.high[1]; ++j) {
        for (int i = m_box.low[0]; i <= m_box.high[0]; ++i) {
          const size_t c = m_lesion.at(i, j, k);
          if (m_room[c] == 0 || cover[c] < 1e-3F) continue;
          const Point3 p = m_lesion.middleOf(i, j, k);
          // a sac is where the waves lie above their mean: full or not, with a narrow wall between
          const double sac = std::tanh(1.5 * fine.at(p));
          const double hu = (solid ? tissue : m_lesion.hazeHu) + grain * (sac + 0.6 * coarse.at(p));
          m_lesion.hu[c] = static_cast<int16_t>(std::lrint(hu));
          m_lesion.cover[c] = std::min(1.0F, cover[c] / std::max(share[c], 1e-3F));
          m_lesion.kind[c] = solid ? GrownLesion::kSolid : GrownLesion::kHaze;
        }
      }
    }
    if (m_lesion.texture == Texture::partSolid) growCores(tissue);
    if (solid) thickenAround(tissue);
  }

  // The lung around it is a little denser: not part of the truth.
  void thickenAround(double tissue) {
    const bool rough = m_lesion.margin != Margin::smooth && m_lesion.margin != Margin::lobulated;
    if (m_plan.diameterMm < 6 || !m_random.chance(rough ? 0.7 : 0.25)) return;
    const auto most = static_cast<float>(m_random.range(0.1, rough ? 0.5 : 0.3));
    std::vector<float> around(m_lesion.body.begin(), m_lesion.body.end());
    soften(m_lesion, m_box, m_random.range(1, std::min(2.5, 0.2 * m_plan.diameterMm)), around);
    for (size_t c = 0; c < around.size(); ++c) {
      const float share = most * around[c];
      if (m_room[c] == 0 || share <= std::max(m_lesion.cover[c], 0.01F)) continue;
      if (m_lesion.cover[c] == 0) m_lesion.hu[c] = static_cast<int16_t>(std::lrint(tissue));
      m_lesion.cover[c] = share;
      m_lesion.kind[c] = GrownLesion::kSolid;
    }
  }

  Point3 anyBodyPoint() {
    for (int i = 0; i < 4000; ++i) {
      const Point3 p = m_plan.seedMm + m_random.direction() * (m_plan.reachMm * std::cbrt(m_random.uniform()));
      if (inBody(p)) return p;
    }
    return m_plan.seedMm;
  }
  bool inBody(const Point3& p) const {
    const Vec3 c = (p - m_lesion.cornerMm) * (1 / m_lesion.cellMm);
    const int i = static_cast<int>(c.x), j = static_cast<int>(c.y), k = static_cast<int>(c.z);
    return c.x >= 0 && c.y >= 0 && c.z >= 0 && i < m_lesion.size.x && j < m_lesion.size.y && k < m_lesion.size.z &&
           m_lesion.body[m_lesion.at(i, j, k)];
  }

  /// Cells of the body that a front from `seed` reaches first.
  std::vector<size_t> patch(const Point3& seed, double volumeMm3, double variation) {
    const Waves waves(m_random, 1.5, 5);
    Front front(m_lesion);
    front.start(seed);
    return front.spread(static_cast<size_t>(volumeMm3 / std::pow(m_lesion.cellMm, 3)), [&](int i, int j, int k) {
      return m_lesion.body[m_lesion.at(i, j, k)] ? std::exp(variation * waves.at(m_lesion.middleOf(i, j, k))) : 0.0;
    });
  }

  double bodyVolume() const { return std::numbers::pi / 6 * std::pow(m_plan.diameterMm, 3); }

  void growCores(double tissue) {
    for (int i = m_random.chance(0.6) ? 1 : 2 + m_random.integer(3); i > 0; --i) {
      for (const size_t c : patch(anyBodyPoint(), bodyVolume() * m_random.logRange(0.01, 0.2), 0.5)) {
        m_lesion.kind[c] = GrownLesion::kSolid;
        m_lesion.hu[c] = static_cast<int16_t>(std::lrint(tissue + 10 * (m_random.uniform() - 0.5)));
      }
    }
  }

  void hollow() {
    switch (m_lesion.inside) {
      case Inside::cavity: carveCavity(); break;
      case Inside::bronchogram:
        for (int i = 1 + m_random.integer(3); i > 0; --i) tunnel();
        break;
      case Inside::bubbles:
        for (int i = 1 + m_random.integer(6); i > 0; --i) {
          paint(patch(anyBodyPoint(), m_random.logRange(0.6, 12), 0.4), -900);
        }
        break;
      case Inside::fat:
        for (int i = 2 + m_random.integer(4); i > 0; --i) {
          paint(patch(anyBodyPoint(), bodyVolume() * m_random.logRange(0.02, 0.2), 0.4), -85);
        }
        break;
      case Inside::even: break;
    }
    calcify();
  }

  void paint(const std::vector<size_t>& cells, double hu) {
    for (const size_t c : cells) m_lesion.hu[c] = static_cast<int16_t>(std::lrint(hu));
  }

  // The front runs inwards from all that is not body: what it reaches late lies deep.
  std::vector<float> depths() {
    Front front(m_lesion);
    for (int k = 1; k < m_lesion.size.z - 1; ++k) {
      for (int j = 1; j < m_lesion.size.y - 1; ++j) {
        for (int i = 1; i < m_lesion.size.x - 1; ++i) {
          if (m_lesion.body[m_lesion.at(i, j, k)]) continue;
          const bool border = m_lesion.body[m_lesion.at(i - 1, j, k)] || m_lesion.body[m_lesion.at(i + 1, j, k)] ||
                              m_lesion.body[m_lesion.at(i, j - 1, k)] || m_lesion.body[m_lesion.at(i, j + 1, k)] ||
                              m_lesion.body[m_lesion.at(i, j, k - 1)] || m_lesion.body[m_lesion.at(i, j, k + 1)];
          if (border) front.start(m_lesion.middleOf(i, j, k));
        }
      }
    }
    front.spread(m_lesion.body.size(),
                 [&](int i, int j, int k) { return m_lesion.body[m_lesion.at(i, j, k)] ? 1.0 : 0.0; });
    std::vector<float> depth(m_lesion.body.size());
    for (size_t c = 0; c < depth.size(); ++c) depth[c] = m_lesion.body[c] ? front.time(c) : 0;
    return depth;
  }

  void carveCavity() {
    const std::vector<float> depth = depths();
    const double deepest = *std::max_element(depth.begin(), depth.end());
    const double wall = std::min(m_random.range(2, 8), 0.7 * deepest);
    const Vec3 thick = m_random.direction() * m_random.range(0, 0.6);
    const Waves waves(m_random, 3, 8);
    for (int k = 0; k < m_lesion.size.z; ++k) {
      for (int j = 0; j < m_lesion.size.y; ++j) {
        for (int i = 0; i < m_lesion.size.x; ++i) {
          const size_t c = m_lesion.at(i, j, k);
          if (depth[c] <= 0) continue;
          const Point3 p = m_lesion.middleOf(i, j, k);
          const double here = wall * (1 + dot(thick, normalized(p - m_plan.seedMm)) + 0.08 * waves.at(p));
          if (depth[c] > std::max(1.2, here)) m_lesion.hu[c] = -950;
        }
      }
    }
  }

  void tunnel() {
    Point3 p = anyBodyPoint();
    Vec3 along = m_random.direction();
    double bore = std::min(m_random.range(0.6, 1.4), 0.1 * m_plan.diameterMm);
    for (double way = 0; way < 1.2 * m_plan.diameterMm; way += 0.5 * m_lesion.cellMm) {
      stamp(p, bore, [&](size_t c, double) {
        if (m_lesion.body[c]) m_lesion.hu[c] = -930;
      });
      p = p + along * (0.5 * m_lesion.cellMm);
      along = normalized(along + m_random.direction() * 0.06);
      bore *= 0.997;
    }
  }

  void calcify() {
    const double hu = m_random.range(200, 800);
    if (m_lesion.calcification == Calcification::diffuse) {
      const Waves waves(m_random, 1.5, 4);
      for (size_t c = 0; c < m_lesion.hu.size(); ++c) {
        if (m_lesion.kind[c] == GrownLesion::kEmpty) continue;
        m_lesion.hu[c] = static_cast<int16_t>(std::lrint(m_lesion.hu[c] - m_tissueHu + hu));
      }
    } else if (m_lesion.calcification == Calcification::central) {
      paint(patch(m_plan.seedMm, bodyVolume() * m_random.range(0.03, 0.2), 0.3), hu);
    } else if (m_lesion.calcification == Calcification::laminated) {
      const std::vector<float> depth = depths();
      const double pitch = m_random.range(2.2, 3.6);
      for (size_t c = 0; c < depth.size(); ++c) {
        if (depth[c] > 0.6 && std::fmod(depth[c], pitch) < 0.4 * pitch) m_lesion.hu[c] = static_cast<int16_t>(hu);
      }
    } else if (m_lesion.calcification == Calcification::popcorn) {
      for (int i = 4 + m_random.integer(8); i > 0; --i) {
        paint(patch(anyBodyPoint(), bodyVolume() * m_random.logRange(0.004, 0.03), 0.6), hu * m_random.range(0.6, 1.2));
      }
    }
  }

  template <class Use>
  void stamp(const Point3& p, double radius, const Use& use) {
    const double cell = m_lesion.cellMm;
    const Vec3 c = (p - m_lesion.cornerMm) * (1 / cell);
    const auto low = [&](double v) { return std::max(0, static_cast<int>(v - radius / cell - 1)); };
    const auto high = [&](double v, int size) { return std::min(size - 1, static_cast<int>(v + radius / cell + 1)); };
    for (int k = low(c.z); k <= high(c.z, m_lesion.size.z); ++k) {
      for (int j = low(c.y); j <= high(c.y, m_lesion.size.y); ++j) {
        for (int i = low(c.x); i <= high(c.x, m_lesion.size.x); ++i) {
          const double share = clamp01(0.5 + (radius - norm(m_lesion.middleOf(i, j, k) - p)) / cell);
          if (share > 0) use(m_lesion.at(i, j, k), share);
        }
      }
    }
  }

  void stampStrand(const Point3& p, double r, double hu) {
    stamp(p, r, [&](size_t c, double share) {
      if (m_lesion.body[c] || m_room[c] == 0) return;
      const double thin = share * std::min(1.0, r / (0.4 * m_lesion.cellMm));
      if (thin <= m_lesion.cover[c]) return;
      m_lesion.cover[c] = static_cast<float>(thin);
      m_lesion.hu[c] = static_cast<int16_t>(std::lrint(hu));
      m_lesion.kind[c] = m_lesion.texture == Texture::solid ? GrownLesion::kSolid : GrownLesion::kHaze;
    });
  }

  // A random walk that keeps its direction for a while and, where it has a goal, is drawn to it.
  // It may be as wide as a septum: `sheet` is half of its width.
  void wander(Point3 p, Vec3 along, double length, double radius, double hu, const Point3* goal,
              const Vec3& sheet = {}) {
    const double step = 0.5 * m_lesion.cellMm;
    for (double way = 0; way < length; way += step) {
      const double r = radius * (goal ? 1 : 1 - 0.75 * way / length);
      const int across = static_cast<int>(norm(sheet) * (1 - 0.7 * way / length) / m_lesion.cellMm);
      for (int a = -across; a <= across; ++a) {
        const Point3 at = across > 0 ? p + normalized(sheet) * (a * m_lesion.cellMm) : p;
        stampStrand(at, r, hu);
      }
      along = normalized(along + m_random.direction() * (0.35 * std::sqrt(step)));
      if (goal) {
        along = normalized(along + normalized(*goal - p) * (0.5 * step));
        if (norm(*goal - p) < 1) return;
      }
      p = p + along * step;
    }
  }

  Point3 surfacePoint(const Vec3& direction) const {
    Point3 p = m_plan.seedMm;
    for (double way = 0; way < m_plan.reachMm; way += 0.25) {
      const Point3 next = m_plan.seedMm + direction * way;
      if (inBody(next)) p = next;
    }
    return p;
  }

  void wanderOut() {
    const double r = 0.5 * m_plan.diameterMm;
    const auto hu = [&] {
      return m_lesion.texture == Texture::solid ? m_random.range(-150, 40) : m_random.range(-600, -250);
    };
    if (m_lesion.margin == Margin::spiculated) {
      const double calibre = m_random.logRange(0.4, 1.4);
      const int count = 8 + static_cast<int>(m_random.uniform() * (calibre < 0.7 ? 36 : 16));
      for (int i = 0; i < count; ++i) {
        const Vec3 out = m_random.direction();
        const bool septum = m_random.chance(0.5);
        const Vec3 sheet =
            cross(out, m_random.direction()) * (septum ? m_random.range(0.2, 0.6) * std::min(r, 7.0) : 0);
        wander(surfacePoint(out), out, m_random.logRange(2, 4 + std::min(r, 10.0)),
               (septum ? 0.5 : 1) * calibre * m_random.range(0.6, 1.3), hu(), nullptr, sheet);
      }
    }
    if (m_random.chance(m_lesion.margin == Margin::smooth ? 0.1 : 0.3)) {  // tags
      for (int i = 1 + m_random.integer(2); i > 0; --i) {
        const Vec3 out = normalized(m_sites.slope(kLung, m_plan.seedMm) + m_random.direction() * 0.4);
        const Point3 goal = m_plan.seedMm + out * (4 - lungAt(m_plan.seedMm));
        wander(surfacePoint(out), out, 16, m_random.range(0.3, 0.7), hu(), &goal);
      }
    }
    for (int i = m_random.integer(3); i > 0; --i) leadVessel();
  }

  // A vessel of the neighbourhood sends a branch.
  void leadVessel() {
    const Shape* nearest = nullptr;
    double best = m_plan.reachMm + 8;
    for (const Shape& vessel : m_sites.scene().layers[kLayerLungVessels]) {
      const double away = norm(vessel.b - m_plan.seedMm);
      if (vessel.rb < 0.5 || vessel.rb > 2 || away > m_plan.reachMm + 8 || inBody(vessel.b)) continue;
      if (away * m_random.range(1, 1.6) >= best) continue;
      best = away;
      nearest = &vessel;
    }
    if (nearest == nullptr) return;
    const Vec3 out = normalized(nearest->b - m_plan.seedMm);
    wander(surfacePoint(out), out, 25, std::min(nearest->rb, 0.3 + 0.1 * m_plan.diameterMm), nearest->hu, &nearest->b);
  }

  // Keeps the cells that hold something.
  void crop() {
    image::Int3 low = m_lesion.size, high{-1, -1, -1};
    for (int k = 0; k < m_lesion.size.z; ++k) {
      for (int j = 0; j < m_lesion.size.y; ++j) {
        for (int i = 0; i < m_lesion.size.x; ++i) {
          if (m_lesion.cover[m_lesion.at(i, j, k)] <= 0) continue;
          low = {std::min(low.x, i), std::min(low.y, j), std::min(low.z, k)};
          high = {std::max(high.x, i), std::max(high.y, j), std::max(high.z, k)};
        }
      }
    }
    if (high.x < 0) return;
    const GrownLesion whole = m_lesion;
    m_lesion.size = {high.x - low.x + 1, high.y - low.y + 1, high.z - low.z + 1};
    m_lesion.cornerMm = whole.cornerMm + Vec3{double(low.x), double(low.y), double(low.z)} * whole.cellMm;
    const auto count = static_cast<size_t>(m_lesion.size.x) * static_cast<size_t>(m_lesion.size.y) *
                       static_cast<size_t>(m_lesion.size.z);
    for (auto* bytes : {&m_lesion.body, &m_lesion.kind}) bytes->resize(count);
    m_lesion.cover.resize(count);
    m_lesion.hu.resize(count);
    for (int k = 0; k < m_lesion.size.z; ++k) {
      for (int j = 0; j < m_lesion.size.y; ++j) {
        const size_t from = whole.at(low.x, low.y + j, low.z + k), to = m_lesion.at(0, j, k);
        const auto n = static_cast<size_t>(m_lesion.size.x);
        std::copy_n(whole.body.begin() + static_cast<ptrdiff_t>(from), n,
                    m_lesion.body.begin() + static_cast<ptrdiff_t>(to));
        std::copy_n(whole.kind.begin() + static_cast<ptrdiff_t>(from), n,
                    m_lesion.kind.begin() + static_cast<ptrdiff_t>(to));
        std::copy_n(whole.cover.begin() + static_cast<ptrdiff_t>(from), n,
                    m_lesion.cover.begin() + static_cast<ptrdiff_t>(to));
        std::copy_n(whole.hu.begin() + static_cast<ptrdiff_t>(from), n,
                    m_lesion.hu.begin() + static_cast<ptrdiff_t>(to));
      }
    }
  }

  const GrowthPlan& m_plan;
  const LesionSites& m_sites;
  Random m_random;
  GrownLesion m_lesion;
  Habit m_habit{};
  std::vector<float> m_room;  ///< 1 where tissue may grow
  CellBox m_box;              ///< around the body and its edge
  bool m_confined = false;    ///< it met the pleura
  double m_tissueHu = 30;
};

}  // namespace

GrownLesion growLesion(const GrowthPlan& plan, const LesionSites& sites) { return Grower(plan, sites).grow(); }

}  // namespace lynceus::phantom
