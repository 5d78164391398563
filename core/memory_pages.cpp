#include "core/memory_pages.h"

#include <algorithm>

#include <sys/mman.h>

namespace lynceus {

std::shared_ptr<void> allocatePages(size_t bytes) {
  const size_t size = std::max<size_t>(bytes, 1);  // the system has no empty mapping
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  static_cast<void>(madvise(memory, size, MADV_HUGEPAGE));  // only slower without
  return {memory, [size](void* p) { munmap(p, size); }};
}

}  // namespace lynceus
