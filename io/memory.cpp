#include "io/memory.h"

#include <unistd.h>

namespace lynceus::io {

Expected<void> checkMemory(const std::string& what, int64_t count, size_t bytesEach) {
  constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
  const double machine = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const double needed = static_cast<double>(count) * static_cast<double>(bytesEach);
  if (needed <= 0.8 * machine) return {};
  return makeError(ErrorCode::resource, "{}: the volume needs {:.1f} GiB of memory and this machine has {:.1f} GiB",
                   what, needed / kGiB, machine / kGiB);
}

}  // namespace lynceus::io
