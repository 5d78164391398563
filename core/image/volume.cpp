#include "core/image/volume.h"

namespace lynceus::image {

Expected<Volume> Volume::create(const Geometry& geometry, std::vector<int16_t> hu, int16_t paddingHu) {
  const auto memory = std::make_shared<const std::vector<int16_t>>(std::move(hu));
  return share(geometry, memory, *memory, paddingHu, -1);
}

Expected<Volume> Volume::create(const Geometry& geometry, VoxelBuffer hu, int16_t paddingHu) {
  const std::span<const int16_t> values = hu.values();
  const int file = hu.file();
  return share(geometry, std::move(hu).share(), values, paddingHu, file);
}

Expected<Volume> Volume::share(const Geometry& geometry, std::shared_ptr<const void> memory,
                               std::span<const int16_t> hu, int16_t paddingHu, int memoryFile) {
  if (auto checked = geometry.check(); !checked) return passError(checked);
  if (static_cast<int64_t>(hu.size()) != geometry.voxelCount()) {
    return makeError(ErrorCode::badInput, "the volume has {} values but its size {} x {} x {} needs {}", hu.size(),
                     geometry.size.x, geometry.size.y, geometry.size.z, geometry.voxelCount());
  }
  return Volume(std::make_shared<const Data>(Data{geometry, std::move(memory), hu, paddingHu, memoryFile}));
}

float Volume::sampleAt(const Point3& pointMm) const {
  const Geometry& g = geometry();
  const Vec3 i = g.toIndex(pointMm);
  const Int3 base{static_cast<int>(std::floor(i.x)), static_cast<int>(std::floor(i.y)),
                  static_cast<int>(std::floor(i.z))};
  const double fx = i.x - base.x, fy = i.y - base.y, fz = i.z - base.z;
  const auto value = [&](int dx, int dy, int dz) -> double {
    const Int3 v{base.x + dx, base.y + dy, base.z + dz};
    return g.contains(v) ? at(v.x, v.y, v.z) : kAirHu;
  };
  const auto along = [](double a, double b, double t) { return a + (b - a) * t; };
  const double y0 = along(along(value(0, 0, 0), value(1, 0, 0), fx), along(value(0, 1, 0), value(1, 1, 0), fx), fy);
  const double y1 = along(along(value(0, 0, 1), value(1, 0, 1), fx), along(value(0, 1, 1), value(1, 1, 1), fx), fy);
  return static_cast<float>(along(y0, y1, fz));
}

}  // namespace lynceus::image
