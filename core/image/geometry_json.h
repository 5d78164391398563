// Geometry as JSON, in results and in messages between processes.
#pragma once

#include <nlohmann/json.hpp>

#include "core/image/geometry.h"
#include "core/json_reader.h"

namespace lynceus::image {

/// A list of three numbers.
nlohmann::json toJson(const Vec3& v);

/// {size, spacingMm, originMm, direction: the three axes}.
nlohmann::json toJson(const Geometry& geometry);

/// Fails the reader for anything that is no regular grid of less than 1e12 voxels.
Geometry readGeometry(JsonReader in);

}  // namespace lynceus::image
