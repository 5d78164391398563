// Where the voxels of an image lie in the patient: DICOM LPS, millimetres.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "core/error.h"

namespace lynceus::image {

/// Voxel counts or indices in the order (x, y, z) = (column, row, slice).
struct Int3 {
  int x = 0, y = 0, z = 0;
  friend bool operator==(const Int3&, const Int3&) = default;
};

/// Millimetres in patient space (LPS), or continuous voxel indices where a name says so.
struct Vec3 {
  double x = 0, y = 0, z = 0;
  friend bool operator==(const Vec3&, const Vec3&) = default;
  friend Vec3 operator+(const Vec3& a, const Vec3& b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend Vec3 operator-(const Vec3& a, const Vec3& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  friend Vec3 operator*(const Vec3& a, double s) { return {a.x * s, a.y * s, a.z * s}; }
};
using Point3 = Vec3;

inline double dot(const Vec3& a, const Vec3& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline double norm(const Vec3& a) { return std::sqrt(dot(a, a)); }
inline Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

/// A regular grid of voxels. Index (0, 0, 0) is the centre of the first voxel.
struct Geometry {
  Int3 size;                                                           ///< voxels
  Vec3 spacingMm{1, 1, 1};                                             ///< distance of neighbouring voxel centres
  Point3 originMm;                                                     ///< centre of voxel (0, 0, 0), LPS
  std::array<Vec3, 3> direction{Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};  ///< unit vectors of the x, y, z axes

  int64_t voxelCount() const { return int64_t{size.x} * size.y * size.z; }
  double voxelVolumeMm3() const { return spacingMm.x * spacingMm.y * spacingMm.z; }
  /// Memory offset of a voxel: x fastest.
  int64_t offset(int x, int y, int z) const { return (int64_t{z} * size.y + y) * size.x + x; }
  bool contains(const Int3& i) const {
    return i.x >= 0 && i.y >= 0 && i.z >= 0 && i.x < size.x && i.y < size.y && i.z < size.z;
  }

  Point3 toPatient(const Vec3& index) const;
  /// Continuous index of a patient point; the direction must be orthonormal (check() makes sure).
  Vec3 toIndex(const Point3& pointMm) const;
  /// The voxel whose centre is nearest; may lie outside the grid.
  Int3 nearestVoxel(const Point3& pointMm) const;

  /// @return an error unless sizes and spacings are positive and finite and the axes are orthonormal within 1e-4.
  Expected<void> check() const;

  friend bool operator==(const Geometry&, const Geometry&) = default;
};

}  // namespace lynceus::image
