#include "core/detect/tiling.h"

#include <algorithm>

namespace lynceus::detect {
namespace {

struct Span {
  int start, coreFirst, coreLast;
};

int roundUp(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

/// Tiles along one axis: as few as fit, of equal size, evenly spread.
std::vector<Span> planAxis(int length, int maxSize, int overlap, int multipleOf, int& size) {
  const int single = roundUp(length, multipleOf);
  if (single <= maxSize) {
    size = single;
    return {{0, 0, length}};
  }
  const int count = (length - overlap + (maxSize - overlap) - 1) / (maxSize - overlap);
  size = std::min(maxSize, roundUp((length + overlap * (count - 1) + count - 1) / count, multipleOf));
  const int step = (size - overlap) / multipleOf * multipleOf;
  std::vector<Span> spans;
  for (int start = 0;; start += step) {
    const int first = spans.empty() ? 0 : spans.back().coreLast;
    if (start + size >= length) {
      spans.push_back({start, first, length});
      return spans;
    }
    spans.push_back({start, first, start + size - overlap / 2});
  }
}

}  // namespace

TilePlan planTiles(const image::Int3& grid, int maxSize, int overlap, int multipleOf) {
  TilePlan plan;
  const auto xs = planAxis(grid.x, maxSize, overlap, multipleOf, plan.size.x);
  const auto ys = planAxis(grid.y, maxSize, overlap, multipleOf, plan.size.y);
  const auto zs = planAxis(grid.z, maxSize, overlap, multipleOf, plan.size.z);
  for (const Span& z : zs) {
    for (const Span& y : ys) {
      for (const Span& x : xs) {
        plan.tiles.push_back({{x.start, y.start, z.start},
                              {x.coreFirst, y.coreFirst, z.coreFirst},
                              {x.coreLast, y.coreLast, z.coreLast}});
      }
    }
  }
  return plan;
}

}  // namespace lynceus::detect
