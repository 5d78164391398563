#include "core/image/slice_stack.h"

#include <algorithm>
#include <cmath>

namespace lynceus::image {
namespace {

double nearWhole(double v) {
  const double whole = std::round(v);
  return std::abs(v - whole) <= kWholeTolerance ? whole : v;
}

int16_t rounded(float hu) { return static_cast<int16_t>(std::floor(hu + 0.5F)); }

// Offsets of all slices, and a grid of `slices` slices whose rows, columns and origin hold them.
Expected<StackPlan> planGrid(const Geometry& slice, std::span<const Point3> firstPixelsMm, double slices) {
  StackPlan plan;
  const Point3& first = firstPixelsMm.front();
  double lowX = 0, lowY = 0, highX = 0, highY = 0;
  for (const Point3& p : firstPixelsMm) {
    const PixelOffset o{dot(p - first, slice.direction[0]) / slice.spacingMm.x,
                        dot(p - first, slice.direction[1]) / slice.spacingMm.y};
    lowX = std::min(lowX, o.x), highX = std::max(highX, o.x);
    lowY = std::min(lowY, o.y), highY = std::max(highY, o.y);
    plan.offsets.push_back(o);
  }
  for (PixelOffset& o : plan.offsets) o = {nearWhole(o.x - lowX), nearWhole(o.y - lowY)};
  const double columns = slice.size.x + std::ceil(nearWhole(highX - lowX));
  const double rows = slice.size.y + std::ceil(nearWhole(highY - lowY));
  const auto existing = static_cast<double>(firstPixelsMm.size()) * slice.size.x * slice.size.y;
  if (!(columns * rows * slices <= kMostGrowth * existing)) {
    return makeError(ErrorCode::badGeometry,
                     "a regular grid for these {} slices of {} x {} pixels has {:.0f} x {:.0f} x {:.0f} voxels, more "
                     "than {:.0f} times what there is",
                     firstPixelsMm.size(), slice.size.x, slice.size.y, columns, rows, slices, kMostGrowth);
  }
  plan.grid = slice;
  plan.grid.size = {static_cast<int>(columns), static_cast<int>(rows), static_cast<int>(slices)};
  plan.grid.originMm =
      first + slice.direction[0] * (lowX * slice.spacingMm.x) + slice.direction[1] * (lowY * slice.spacingMm.y);
  return plan;
}

// A row of a slice with a fill value before and behind it, as outside.
void loadRow(std::span<const int16_t> slice, int columns, int rows, int y, int16_t fillHu, std::vector<float>& row) {
  std::fill(row.begin(), row.end(), static_cast<float>(fillHu));
  if (y < 0 || y >= rows) return;
  const auto source =
      slice.subspan(static_cast<size_t>(y) * static_cast<size_t>(columns), static_cast<size_t>(columns));
  std::copy(source.begin(), source.end(), row.begin() + 1);
}

}  // namespace

Expected<StackPlan> planShear(const Geometry& slice, std::span<const Point3> firstPixelsMm) {
  auto plan = planGrid(slice, firstPixelsMm, static_cast<double>(firstPixelsMm.size()));
  for (size_t i = 0; plan && i < firstPixelsMm.size(); ++i) plan->mixes.push_back({i, i, 0});
  return plan;
}

Expected<StackPlan> planResample(const Geometry& slice, std::span<const Point3> firstPixelsMm) {
  const auto along = [&](size_t i) { return dot(firstPixelsMm[i] - firstPixelsMm.front(), slice.direction[2]); };
  const size_t last = firstPixelsMm.size() - 1;
  const double steps = std::max(1.0, std::round(along(last) / slice.spacingMm.z));
  auto plan = planGrid(slice, firstPixelsMm, steps + 1);
  if (!plan) return plan;
  const double spacing = plan->grid.spacingMm.z = along(last) / steps;
  size_t below = 0;
  for (int z = 0; z < plan->grid.size.z; ++z) {
    const double place = spacing * z;
    while (below + 1 < last && along(below + 1) <= place) ++below;
    const double weight = std::clamp((place - along(below)) / (along(below + 1) - along(below)), 0.0, 1.0);
    if (std::abs(place - along(below)) <= kWholeTolerance * spacing) {
      plan->mixes.push_back({below, below, 0});
    } else if (std::abs(place - along(below + 1)) <= kWholeTolerance * spacing) {
      plan->mixes.push_back({below + 1, below + 1, 0});
    } else {
      plan->mixes.push_back({below, below + 1, weight});
    }
  }
  return plan;
}

void shiftSlice(std::span<const int16_t> slice, int columns, const PixelOffset& offset, int16_t fillHu,
                std::span<int16_t> out, int outColumns) {
  const int rows = static_cast<int>(slice.size()) / columns;
  const int outRows = static_cast<int>(out.size()) / outColumns;
  const int shiftX = static_cast<int>(std::floor(offset.x)), shiftY = static_cast<int>(std::floor(offset.y));
  const auto fx = static_cast<float>(offset.x - shiftX), fy = static_cast<float>(offset.y - shiftY);
  // Pixel x of the grid lies between pixels x - shiftX - 1 and x - shiftX of the slice, fx before the latter.
  std::fill(out.begin(), out.end(), fillHu);
  if (fx == 0 && fy == 0) {
    for (int y = 0; y < rows; ++y) {
      const auto from = slice.begin() + static_cast<std::ptrdiff_t>(y) * columns;
      std::copy(from, from + columns, out.begin() + static_cast<std::ptrdiff_t>(y + shiftY) * outColumns + shiftX);
    }
    return;
  }
  const auto width = static_cast<size_t>(columns) + 2;
  std::vector<float> before(width), behind(width);
  loadRow(slice, columns, rows, -1, fillHu, behind);
  const int count = std::min(columns + 1, outColumns - shiftX);
  for (int y = 0; y <= rows && y + shiftY < outRows; ++y) {
    std::swap(before, behind);
    loadRow(slice, columns, rows, y, fillHu, behind);
    int16_t* to = out.data() + static_cast<std::ptrdiff_t>(y + shiftY) * outColumns + shiftX;
    for (int x = 0; x < count; ++x) {
      const float upper = before[x] * fx + before[x + 1] * (1 - fx);
      const float lower = behind[x] * fx + behind[x + 1] * (1 - fx);
      to[x] = rounded(upper * fy + lower * (1 - fy));
    }
  }
}

void mixSlices(std::span<const int16_t> below, std::span<const int16_t> above, double weightAbove,
               std::span<int16_t> out) {
  const auto w = static_cast<float>(weightAbove);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = rounded(static_cast<float>(below[i]) * (1 - w) + static_cast<float>(above[i]) * w);
  }
}

}  // namespace lynceus::image
