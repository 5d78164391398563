#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {

Registry<Kernel>& kernels() {
  static Registry<Kernel> registry;
  return registry;
}

}  // namespace lynceus::nn::reference
