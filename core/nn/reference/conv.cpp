#include "core/nn/convolution.h"
#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferConv(const OpCall& call) {
  const auto c = convolution(call);
  if (!c) return passError(c);
  return oneOutput(windowShape(call.shape(0), c->outputChannels, c->window));
}

// One output voxel: bias + sum over the group's input channels and the window's voxels inside the input.
double convolveAt(const Convolution& c, const float* input, const float* weights, double sum, const Int3& at) {
  const Window& w = c.window;
  const Int3& in = c.input.space;
  for (int64_t channel = 0; channel < c.inputsPerGroup(); ++channel) {
    const float* plane = input + channel * c.input.voxels();
    const float* tap = weights + channel * w.taps();
    for (int64_t kz = 0; kz < w.kernel[0]; ++kz)
      for (int64_t ky = 0; ky < w.kernel[1]; ++ky)
        for (int64_t kx = 0; kx < w.kernel[2]; ++kx, ++tap) {
          const int64_t z = at[0] * w.stride[0] - w.padBegin[0] + kz * w.dilation[0];
          const int64_t y = at[1] * w.stride[1] - w.padBegin[1] + ky * w.dilation[1];
          const int64_t x = at[2] * w.stride[2] - w.padBegin[2] + kx * w.dilation[2];
          if (z < 0 || z >= in[0] || y < 0 || y >= in[1] || x < 0 || x >= in[2]) continue;
          sum += static_cast<double>(*tap) * plane[(z * in[1] + y) * in[2] + x];
        }
  }
  return sum;
}

std::vector<Tensor> conv(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Convolution c = *convolution(call);
  Tensor out = Tensor::zeros(outputs[0].shape);
  const Int3& size = c.window.output;
  const int64_t voxels = size[0] * size[1] * size[2];
  parallelFor(c.input.n * c.outputChannels, [&](int64_t plane) {
    const int64_t n = plane / c.outputChannels, m = plane % c.outputChannels;
    const int64_t firstChannel = m / c.outputsPerGroup() * c.inputsPerGroup();
    const float* input = call.floats(0) + (n * c.input.c + firstChannel) * c.input.voxels();
    const float* weights = call.floats(1) + m * c.inputsPerGroup() * c.window.taps();
    const double bias = call.has(2) ? call.floats(2)[m] : 0.0;
    float* result = out.floats().data() + plane * voxels;
    for (int64_t z = 0; z < size[0]; ++z)
      for (int64_t y = 0; y < size[1]; ++y)
        for (int64_t x = 0; x < size[2]; ++x)
          *result++ = static_cast<float>(convolveAt(c, input, weights, bias, {z, y, x}));
  });
  return oneTensor(std::move(out));
}

double convWork(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Convolution c = *convolution(call);
  return static_cast<double>(elementCount(outputs[0].shape)) * static_cast<double>(c.inputsPerGroup()) *
         static_cast<double>(c.window.taps());
}

LYN_REGISTER_OP(reference, "Conv", opset(1, 21), (Kernel{inferConv, conv, 2, 3, Accepts::floats, convWork}));

}  // namespace
}  // namespace lynceus::nn::reference
