#include "core/image/voxel_buffer.h"

#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "core/memory_pages.h"

namespace lynceus::image {
namespace {

tl::unexpected<Error> noMemory(size_t bytes) {
  return makeError(ErrorCode::resource, "there is no memory for a volume of {:.2f} GiB ({}); close other programs",
                   static_cast<double>(bytes) / (1 << 30), std::strerror(errno));
}

}  // namespace

Expected<VoxelBuffer> VoxelBuffer::allocate(size_t count, Kind kind) {
  const size_t bytes = count * sizeof(int16_t);
  if (kind == Kind::shared) {
    FileDescriptor file(memfd_create("lynceus-volume", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file) {
      return makeError(ErrorCode::resource,
                       "the system gives no memory that two processes can share (memfd_create: {})",
                       std::strerror(errno));
    }
    if (ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) return noMemory(bytes);
    return mapFile(std::move(file), count, PROT_READ | PROT_WRITE);
  }
  const std::shared_ptr<void> memory = allocatePages(bytes);
  if (!memory) return noMemory(bytes);
  return VoxelBuffer({memory, static_cast<int16_t*>(memory.get())}, count, nullptr);
}

Expected<VoxelBuffer> VoxelBuffer::map(FileDescriptor file, size_t count) {
  return mapFile(std::move(file), count, PROT_READ);
}

Expected<VoxelBuffer> VoxelBuffer::mapFile(FileDescriptor file, size_t count, int protection) {
  const size_t bytes = count * sizeof(int16_t);
  void* const memory = mmap(nullptr, bytes, protection, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return noMemory(bytes);
  const auto shared = std::make_shared<FileDescriptor>(std::move(file));
  // The file stays open as long as the memory.
  const std::shared_ptr<int16_t> values(static_cast<int16_t*>(memory),
                                        [bytes, shared](int16_t* p) { munmap(p, bytes); });
  return VoxelBuffer(values, count, shared);
}

}  // namespace lynceus::image
