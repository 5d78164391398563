// Images on a regular grid in patient space: Image<T> for anything derived, Volume for CT in Hounsfield units.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/image/geometry.h"
#include "core/image/voxel_buffer.h"

namespace lynceus::image {

inline constexpr int16_t kAirHu = -1024;  ///< what lies outside a volume

/// A derived image: geometry and one value for each voxel, x fastest. Plain value type, copied deeply.
template <class T>
struct Image {
  Geometry geometry;
  std::vector<T> voxels;

  Image() = default;
  explicit Image(const Geometry& g, T fill = T{}) : geometry(g), voxels(static_cast<size_t>(g.voxelCount()), fill) {}

  T& at(int x, int y, int z) { return voxels[static_cast<size_t>(geometry.offset(x, y, z))]; }
  const T& at(int x, int y, int z) const { return voxels[static_cast<size_t>(geometry.offset(x, y, z))]; }
};

/// 0 outside, 1 inside.
using Mask = Image<uint8_t>;

/// A CT volume in Hounsfield units. Immutable, shared by value: copying a Volume copies a pointer. Any thread.
class Volume {
 public:
  /// @param hu  size.x * size.y * size.z values, x fastest, in Hounsfield units; taken over, not copied.
  /// @param paddingHu  the value outside the reconstructed circle, as the scanner wrote it.
  /// @return an error if the buffer and geometry.size disagree or the geometry is not a regular grid.
  static Expected<Volume> create(const Geometry& geometry, std::vector<int16_t> hu, int16_t paddingHu = kAirHu);
  static Expected<Volume> create(const Geometry& geometry, VoxelBuffer hu, int16_t paddingHu = kAirHu);

  const Geometry& geometry() const { return m_data->geometry; }
  std::span<const int16_t> hu() const { return m_data->hu; }
  int16_t paddingHu() const { return m_data->paddingHu; }
  /// The file that the voxels lie in, where another process may map them (see VoxelBuffer::Kind); -1: none.
  int memoryFile() const { return m_data->memoryFile; }
  int16_t at(int x, int y, int z) const { return m_data->hu[static_cast<size_t>(m_data->geometry.offset(x, y, z))]; }

  /// Trilinear value in HU at a patient point (LPS, mm). Outside the grid's voxel centres: kAirHu.
  float sampleAt(const Point3& pointMm) const;

 private:
  struct Data {
    Geometry geometry;
    std::shared_ptr<const void> memory;
    std::span<const int16_t> hu;
    int16_t paddingHu;
    int memoryFile;
  };
  static Expected<Volume> share(const Geometry& geometry, std::shared_ptr<const void> memory,
                                std::span<const int16_t> hu, int16_t paddingHu, int memoryFile);
  explicit Volume(std::shared_ptr<const Data> data) : m_data(std::move(data)) {}
  std::shared_ptr<const Data> m_data;
};

}  // namespace lynceus::image
