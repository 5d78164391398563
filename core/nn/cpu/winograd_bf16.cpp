// Compiled for AVX-512 with products of bfloat16, where there is such a thing.
#include "core/nn/cpu/winograd_loops.h"

namespace lynceus::nn::cpu {

const WinogradKernels<uint16_t>* winogradKernelsBf16() {
#if defined(__AVX512BF16__)
  static constexpr WinogradKernels<uint16_t> kLoops = kWinogradKernels<uint16_t, 16, 12>;
  return &kLoops;
#else
  return nullptr;
#endif
}

}  // namespace lynceus::nn::cpu
