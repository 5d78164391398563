#include "core/image/voxel_buffer.h"

#include <sys/mman.h>

namespace lynceus::image {

Expected<VoxelBuffer> VoxelBuffer::allocate(size_t count) {
  const size_t bytes = count * sizeof(int16_t);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return makeError(ErrorCode::resource, "there is no memory for a volume of {:.1f} GiB; close other programs",
                     static_cast<double>(bytes) / (1 << 30));
  }
  static_cast<void>(madvise(memory, bytes, MADV_HUGEPAGE));  // only slower without
  return VoxelBuffer({static_cast<int16_t*>(memory), [bytes](int16_t* p) { munmap(p, bytes); }}, count);
}

}  // namespace lynceus::image
