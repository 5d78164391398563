// Compiled for AVX-512, where there is such a thing.
#include "core/nn/cpu/winograd_loops.h"

namespace lynceus::nn::cpu {

const WinogradKernels<float>& winogradKernels512() {
  static constexpr WinogradKernels<float> kLoops = kWinogradKernels<float, 16, 12>;  // 24 of 32 registers hold sums
  return kLoops;
}

}  // namespace lynceus::nn::cpu
