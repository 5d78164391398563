// What every program of ours does with a path that a user gives: find the series, load each.
#pragma once

#include <filesystem>

#include "io/source.h"

namespace lynceus::fuzz {

/// Volumes above this are left out: the time would go into memory, not into code that has not run yet.
inline constexpr int64_t kMaxVoxels = int64_t{1} << 22;

inline void openAndLoad(const std::filesystem::path& path) {
  job::Context context;
  const auto source = io::openSource(path, context);
  if (!source) return;
  for (size_t i = 0; i < source->series.size(); ++i) {
    const image::Int3 size = source->series[i].size;
    if (size.z > 0 && int64_t{size.x} * size.y > kMaxVoxels / size.z) continue;
    static_cast<void>(io::loadSeries(*source, i, context));
    static_cast<void>(io::loadSeries(*source, i, context, {.acceptGeometry = true}));
    static_cast<void>(io::describeSeries(*source, i));
  }
}

}  // namespace lynceus::fuzz
