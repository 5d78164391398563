// One team of OpenMP threads for the whole program; our parallel loops never nest.
#pragma once

#include <cstdint>
#include <exception>
#include <mutex>

namespace lynceus {

/// Calls body(i) for i in [0, count) on all threads, `chunk` indices at a time. The order is not defined, so a
/// body writes only what belongs to its index. The first exception is rethrown on the calling thread.
template <class Body>
void parallelFor(int64_t count, const Body& body, int64_t chunk = 1) {
  std::exception_ptr failure;
  std::mutex failureMutex;
#pragma omp parallel for schedule(dynamic, chunk)
  for (int64_t i = 0; i < count; ++i) {
    try {
      body(i);
    } catch (...) {
      const std::lock_guard lock(failureMutex);
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

/// As parallelFor, but on the calling thread where all bodies together touch fewer than a million `values`: there
/// waking the threads costs more than it gives, above all on a busy machine.
template <class Body>
void parallelForLarge(int64_t count, int64_t values, const Body& body) {
  constexpr int64_t kWorthThreads = 1000000;
  if (values >= kWorthThreads) return parallelFor(count, body);
  for (int64_t i = 0; i < count; ++i) body(i);
}

}  // namespace lynceus
