// A scan written slice by slice whose value at every patient point is known.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <numeric>
#include <random>

#include "io/source.h"
#include "tests/support/ct_files.h"

namespace lynceus::test {

using image::Point3;
using image::Vec3;

struct WrittenScan {
  int columns = 16, rows = 14, slices = 8;
  double spacingXMm = 0.9, spacingYMm = 0.7;
  Point3 firstMm{-20, 15, 40};
  Vec3 row{1, 0, 0}, column{0, 1, 0};
  Vec3 stepMm{0, 0, 2.5};                      ///< from one slice to the next
  std::function<double(const Point3&)> hu;     ///< at a patient point, LPS mm
  std::function<void(int k, CtFile&)> change;  ///< of slice k, before it is written

  Point3 pixelMm(const Point3& first, double x, double y) const {
    return first + row * (x * spacingXMm) + column * (y * spacingYMm);
  }

  /// Turns the slices about their row direction against the table's way: a gantry tilt.
  void tilt(double degrees) {
    const double t = degrees * M_PI / 180;
    const Vec3 normal = cross(row, column);
    column = column * std::cos(t) - normal * std::sin(t);
  }

  CtFile file(int k) const {
    CtFile f;
    f.columns = columns;
    f.rows = rows;
    f.instanceNumber = k + 1;
    const Point3 p = firstMm + stepMm * k;
    f.x = p.x, f.y = p.y, f.z = p.z;
    f.orientation = fmt::format("{:.10g}\\{:.10g}\\{:.10g}\\{:.10g}\\{:.10g}\\{:.10g}", row.x, row.y, row.z, column.x,
                                column.y, column.z);
    f.pixelSpacing = fmt::format("{:.10g}\\{:.10g}", spacingYMm, spacingXMm);
    f.intercept = "0";
    if (change) change(k, f);
    if (!hu) return f;
    for (int y = 0; y < f.rows; ++y) {
      for (int x = 0; x < f.columns; ++x) {
        const double value = hu(pixelMm({f.x, f.y, f.z}, x, y));
        f.pixels.push_back(static_cast<uint16_t>(static_cast<int16_t>(std::lround(value))));
      }
    }
    return f;
  }

  /// File names in an order of their own.
  void write(const std::filesystem::path& folder, unsigned seed = 1) const {
    std::filesystem::create_directories(folder);
    std::vector<int> order(static_cast<size_t>(slices));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(seed));
    for (int k = 0; k < slices; ++k) writeCt(folder / fmt::format("f{:04}", order[static_cast<size_t>(k)]), file(k));
  }
};

}  // namespace lynceus::test
