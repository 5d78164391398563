// Memory for the voxels of a large volume.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/error.h"
#include "core/file_descriptor.h"

namespace lynceus::image {

/// Values that are zero until written. Pages come when they are first touched, by the thread that fills them, and are
/// large where the system has such: a std::vector would touch all of them on one thread first. Move only.
class VoxelBuffer {
 public:
  enum class Kind {
    own,     ///< of this process alone
    shared,  ///< of a file without a name, which another process can map; pages are small
  };
  /// @return ErrorCode::resource where the system has not that much.
  static Expected<VoxelBuffer> allocate(size_t count, Kind kind = Kind::own);
  /// Maps `count` values of such a file, read-only.
  static Expected<VoxelBuffer> map(FileDescriptor file, size_t count);

  std::span<int16_t> values() { return m_values; }
  /// Gives the memory to whoever shares it; it lives as long as the last of them.
  std::shared_ptr<const int16_t> share() && { return std::move(m_memory); }
  /// The file of Kind::shared; -1: none. Open as long as the memory lives.
  int file() const { return m_file ? m_file->get() : -1; }

 private:
  VoxelBuffer(std::shared_ptr<int16_t> memory, size_t count, std::shared_ptr<FileDescriptor> file)
      : m_memory(std::move(memory)), m_values(m_memory.get(), count), m_file(std::move(file)) {}
  static Expected<VoxelBuffer> mapFile(FileDescriptor file, size_t count, int protection);

  std::shared_ptr<int16_t> m_memory;
  std::span<int16_t> m_values;
  std::shared_ptr<FileDescriptor> m_file;
};

}  // namespace lynceus::image
