// libFuzzer target: any bytes as a .npy file end in a tensor or an error.
#include "core/nn/npy.h"
#include "tests/fuzz/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(lynceus::nn::readNpy(lynceus::fuzz::fileWith(data, size, "tensor.npy")));
  return 0;
}
