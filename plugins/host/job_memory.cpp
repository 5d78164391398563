#include "plugins/host/job_memory.h"

#include <cstdlib>
#include <exception>

namespace lynceus::plugins {

void* JobMemory::allocate(size_t bytes) noexcept {
  constexpr size_t kAlignment = 64;
  const std::lock_guard lock(m_mutex);
  const size_t rounded = bytes == 0 ? kAlignment : bytes + (kAlignment - bytes % kAlignment) % kAlignment;
  if (rounded < bytes || rounded > m_limit - m_used) return nullptr;
  void* memory = std::aligned_alloc(kAlignment, rounded);
  if (!memory) return nullptr;
  try {
    m_blocks.emplace(memory, rounded);
  } catch (const std::exception&) {
    std::free(memory);
    return nullptr;
  }
  m_used += rounded;
  return memory;
}

bool JobMemory::release(void* memory) noexcept {
  const std::lock_guard lock(m_mutex);
  const auto block = m_blocks.find(memory);
  if (block == m_blocks.end()) return false;
  m_used -= block->second;
  m_blocks.erase(block);
  std::free(memory);
  return true;
}

void JobMemory::releaseAll() noexcept {
  const std::lock_guard lock(m_mutex);
  for (const auto& [memory, bytes] : m_blocks) std::free(memory);
  m_blocks.clear();
  m_used = m_limit = 0;
}

size_t JobMemory::usedBytes() const {
  const std::lock_guard lock(m_mutex);
  return m_used;
}

}  // namespace lynceus::plugins
