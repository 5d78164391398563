// Memory for the voxels of a large volume.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/error.h"

namespace lynceus::image {

/// Values that are zero until written. Pages come when they are first touched, by the thread that fills them, and are
/// large where the system has such: a std::vector would touch all of them on one thread first. Move only.
class VoxelBuffer {
 public:
  /// @return ErrorCode::resource where the system has not that much.
  static Expected<VoxelBuffer> allocate(size_t count);

  std::span<int16_t> values() { return m_values; }
  /// Gives the memory to whoever shares it; it lives as long as the last of them.
  std::shared_ptr<const int16_t> share() && { return std::move(m_memory); }

 private:
  VoxelBuffer(std::shared_ptr<int16_t> memory, size_t count)
      : m_memory(std::move(memory)), m_values(m_memory.get(), count) {}
  std::shared_ptr<int16_t> m_memory;
  std::span<int16_t> m_values;
};

}  // namespace lynceus::image
