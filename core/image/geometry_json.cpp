#include "core/image/geometry_json.h"

#include <limits>

namespace lynceus::image {

using nlohmann::json;

json toJson(const Vec3& v) { return json::array({v.x, v.y, v.z}); }

json toJson(const Geometry& g) {
  return {{"size", {g.size.x, g.size.y, g.size.z}},
          {"spacingMm", toJson(g.spacingMm)},
          {"originMm", toJson(g.originMm)},
          {"direction", {toJson(g.direction[0]), toJson(g.direction[1]), toJson(g.direction[2])}}};
}

Geometry readGeometry(JsonReader in) {
  Geometry g;
  const auto size = in.integers(in.member("size"), "size", 3, 1, std::numeric_limits<int>::max());
  g.spacingMm = in.vector("spacingMm");
  g.originMm = in.vector("originMm");
  const auto axes = in.vectors("direction", 3);
  if (in.failed()) return {};
  g.size = {static_cast<int>(size[0]), static_cast<int>(size[1]), static_cast<int>(size[2])};
  g.direction = {axes[0], axes[1], axes[2]};
  if (const auto checked = g.check(); !checked) in.fail("", checked.error().message);
  // Offsets into the volume stay far from overflow.
  constexpr double kMostVoxels = 1e12;
  if (double(g.size.x) * g.size.y * g.size.z > kMostVoxels) in.fail("size", "has more than 1e12 voxels");
  return g;
}

}  // namespace lynceus::image
