// For AVX2, and for processors of other kinds.
#include "core/nn/cpu/winograd_loops.h"

namespace lynceus::nn::cpu {

const WinogradKernels<float>& winogradKernels256() {
  static constexpr WinogradKernels<float> kLoops = kWinogradKernels<float, 8, 6>;  // 12 of 16 registers hold sums
  return kLoops;
}

}  // namespace lynceus::nn::cpu
