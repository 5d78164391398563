#include "core/image/voxel_buffer.h"

#include "core/memory_pages.h"

namespace lynceus::image {

Expected<VoxelBuffer> VoxelBuffer::allocate(size_t count) {
  const size_t bytes = count * sizeof(int16_t);
  const std::shared_ptr<void> memory = allocatePages(bytes);
  if (!memory) {
    return makeError(ErrorCode::resource, "there is no memory for a volume of {:.1f} GiB; close other programs",
                     static_cast<double>(bytes) / (1 << 30));
  }
  return VoxelBuffer({memory, static_cast<int16_t*>(memory.get())}, count);
}

}  // namespace lynceus::image
