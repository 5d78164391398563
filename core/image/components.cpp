#include "core/image/components.h"

#include <algorithm>
#include <numeric>

namespace lynceus::image {

namespace {

/// Neighbouring inside voxels of one row, [begin, end) along x.
struct Run {
  int begin, end, y, z;
};

/// Runs in memory order, and where the runs of each row start.
struct Rows {
  std::vector<Run> runs;
  std::vector<size_t> start;
};

Rows findRuns(const Mask& mask) {
  const Int3 size = mask.geometry.size;
  Rows rows;
  for (int z = 0; z < size.z; ++z) {
    for (int y = 0; y < size.y; ++y) {
      rows.start.push_back(rows.runs.size());
      const uint8_t* row = &mask.at(0, y, z);
      for (int x = 0; x < size.x;) {
        x = static_cast<int>(std::find_if(row + x, row + size.x, [](uint8_t v) { return v != 0; }) - row);
        if (x == size.x) break;
        const int end = static_cast<int>(std::find(row + x, row + size.x, uint8_t{0}) - row);
        rows.runs.push_back({x, end, y, z});
        x = end;
      }
    }
  }
  rows.start.push_back(rows.runs.size());
  return rows;
}

/// Union-find in which the root of a set is its first run.
class Sets {
 public:
  explicit Sets(size_t count) : m_parent(count) { std::iota(m_parent.begin(), m_parent.end(), size_t{0}); }
  size_t root(size_t i) {
    while (m_parent[i] != i) i = m_parent[i] = m_parent[m_parent[i]];
    return i;
  }
  void join(size_t a, size_t b) {
    a = root(a);
    b = root(b);
    m_parent[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<size_t> m_parent;
};

/// Joins the runs of two rows that overlap when each is widened by `reach`.
void joinRows(const Rows& rows, size_t row, size_t earlier, int reach, Sets& sets) {
  size_t i = rows.start[row], j = rows.start[earlier];
  while (i < rows.start[row + 1] && j < rows.start[earlier + 1]) {
    const Run &a = rows.runs[i], &b = rows.runs[j];
    if (a.begin < b.end + reach && b.begin < a.end + reach) sets.join(i, j);
    if (a.end < b.end)
      ++i;
    else
      ++j;
  }
}

void grow(Component& c, const Run& run) {
  if (c.voxels == 0) {
    c.min = {run.begin, run.y, run.z};
    c.max = {run.end - 1, run.y, run.z};
  }
  c.min = {std::min(c.min.x, run.begin), std::min(c.min.y, run.y), c.min.z};
  c.max = {std::max(c.max.x, run.end - 1), std::max(c.max.y, run.y), run.z};
  const int n = run.end - run.begin;
  c.voxels += n;
  // A sum until labelComponents divides it by the voxels.
  c.centroidIndex = c.centroidIndex + Vec3{0.5 * n * (run.begin + run.end - 1), double(n) * run.y, double(n) * run.z};
}

}  // namespace

Components labelComponents(const Mask& mask, Connectivity connectivity) {
  const Int3 size = mask.geometry.size;
  const bool corners = connectivity == Connectivity::corners26;
  const Rows rows = findRuns(mask);
  Sets sets(rows.runs.size());
  for (int z = 0; z < size.z; ++z) {
    for (int y = 0; y < size.y; ++y) {
      const size_t row = static_cast<size_t>(z) * static_cast<size_t>(size.y) + static_cast<size_t>(y);
      const size_t below = row - static_cast<size_t>(size.y);
      if (y > 0) joinRows(rows, row, row - 1, corners, sets);
      if (z > 0) joinRows(rows, row, below, corners, sets);
      if (z > 0 && corners && y > 0) joinRows(rows, row, below - 1, 1, sets);
      if (z > 0 && corners && y + 1 < size.y) joinRows(rows, row, below + 1, 1, sets);
    }
  }

  Components out{Image<int32_t>(mask.geometry), {}};
  std::vector<int32_t> label(rows.runs.size());
  for (size_t i = 0; i < rows.runs.size(); ++i) {
    const size_t root = sets.root(i);
    if (root == i) {
      out.components.emplace_back();
      label[i] = static_cast<int32_t>(out.components.size());
    }
    label[i] = label[root];
    const Run& run = rows.runs[i];
    grow(out.components[static_cast<size_t>(label[i] - 1)], run);
    std::fill_n(&out.labels.at(run.begin, run.y, run.z), run.end - run.begin, label[i]);
  }
  for (Component& c : out.components) c.centroidIndex = c.centroidIndex * (1.0 / static_cast<double>(c.voxels));
  return out;
}

}  // namespace lynceus::image
