// Says in a sentence what an older processor would answer with an illegal instruction.
#if defined(__x86_64__)
#include <cstdlib>
#include <cstring>

#include <unistd.h>

namespace {

constexpr int kExitResource = 4;

// Before every other initialiser, and itself without the instructions that it looks for.
[[gnu::constructor(101), gnu::target("arch=x86-64")]] void requireBaseline() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) return;
  static const char message[] = "lynceus: this processor has no AVX2: Intel since 2013 and AMD since 2015 have it\n";
  static_cast<void>(!write(STDERR_FILENO, message, sizeof message - 1));
  _exit(kExitResource);
}

}  // namespace
#endif
