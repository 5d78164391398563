// The memory that a plugin gets from the host for one job.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

namespace lynceus::plugins {

/// Aligned to 64 bytes, counted, and gone with this. Any thread.
class JobMemory {
 public:
  /// @param limitBytes  that may be in use at the same time.
  explicit JobMemory(size_t limitBytes) : m_limit(limitBytes) {}
  ~JobMemory() { releaseAll(); }
  JobMemory(const JobMemory&) = delete;
  JobMemory& operator=(const JobMemory&) = delete;

  /// @return nullptr where that would be more than the limit, the system has no more, or after releaseAll().
  void* allocate(size_t bytes) noexcept;
  /// @return false for memory that did not come from here or was released before; nothing happens then.
  bool release(void* memory) noexcept;
  /// Ends the job: releases what is left.
  void releaseAll() noexcept;
  size_t usedBytes() const;

 private:
  mutable std::mutex m_mutex;
  std::map<void*, size_t> m_blocks;
  size_t m_used = 0, m_limit;
};

}  // namespace lynceus::plugins
