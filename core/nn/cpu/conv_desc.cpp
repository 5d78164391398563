#include "core/nn/cpu/conv_desc.h"

namespace lynceus::nn::cpu {

using dnnl::memory;

memory::desc weightsDesc(const Convolution& c, bool transposed, Type type) {
  const int64_t g = c.groups, m = c.outputsPerGroup(), in = c.inputsPerGroup(), taps = c.window.taps();
  const Int3& k = c.window.kernel;
  memory::dims shape{g, m, in, k[0], k[1], k[2]};
  memory::dims strides{m * in * taps, in * taps, taps, k[1] * k[2], k[2], 1};
  if (transposed) {
    strides[1] = taps;
    strides[2] = m * taps;
  }
  if (g == 1) {
    shape.erase(shape.begin());
    strides.erase(strides.begin());
  }
  return {shape, dataType(type), strides};
}

memory::dims transposedPadEnd(const Convolution& c) {
  const Window& w = c.window;
  memory::dims padEnd;
  for (int a = 0; a < 3; ++a)
    padEnd.push_back(w.stride[a] * (c.input.space[a] - 1) + w.extent(a) - w.padBegin[a] - w.output[a]);
  return padEnd;
}

}  // namespace lynceus::nn::cpu
