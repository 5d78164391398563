#include "core/nn/convolution.h"
#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferConvTranspose(const OpCall& call) {
  const auto c = transposedConvolution(call);
  if (!c) return passError(c);
  return oneOutput(windowShape(call.shape(0), c->outputChannels, c->window));
}

// The input voxel whose window's tap `k` lands on output voxel `out`, or -1.
int64_t sourceOf(const Window& w, int axis, int64_t out, int64_t k, int64_t inputSize) {
  const int64_t scaled = out + w.padBegin[axis] - k * w.dilation[axis];
  if (scaled < 0 || scaled % w.stride[axis] != 0 || scaled / w.stride[axis] >= inputSize) return -1;
  return scaled / w.stride[axis];
}

// One output voxel, gathered from every input voxel whose window covers it.
double gatherAt(const Convolution& c, const float* input, const float* weights, double sum, const Int3& at) {
  const Window& w = c.window;
  const Int3& in = c.input.space;
  for (int64_t kz = 0; kz < w.kernel[0]; ++kz)
    for (int64_t ky = 0; ky < w.kernel[1]; ++ky)
      for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
        const int64_t z = sourceOf(w, 0, at[0], kz, in[0]), y = sourceOf(w, 1, at[1], ky, in[1]),
                      x = sourceOf(w, 2, at[2], kx, in[2]);
        if (z < 0 || y < 0 || x < 0) continue;
        const int64_t tap = (kz * w.kernel[1] + ky) * w.kernel[2] + kx;
        const int64_t voxel = (z * in[1] + y) * in[2] + x;
        for (int64_t channel = 0; channel < c.inputsPerGroup(); ++channel)
          sum += static_cast<double>(weights[channel * c.outputsPerGroup() * w.taps() + tap]) *
                 input[channel * c.input.voxels() + voxel];
      }
  return sum;
}

std::vector<Tensor> convTranspose(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Convolution c = *transposedConvolution(call);
  Tensor out = Tensor::zeros(outputs[0].shape);
  const Int3& size = c.window.output;
  const int64_t voxels = size[0] * size[1] * size[2];
  parallelFor(c.input.n * c.outputChannels, [&](int64_t plane) {
    const int64_t n = plane / c.outputChannels, m = plane % c.outputChannels;
    const int64_t firstChannel = m / c.outputsPerGroup() * c.inputsPerGroup();
    const float* input = call.floats(0) + (n * c.input.c + firstChannel) * c.input.voxels();
    const float* weights =
        call.floats(1) + (firstChannel * c.outputsPerGroup() + m % c.outputsPerGroup()) * c.window.taps();
    const double bias = call.has(2) ? call.floats(2)[m] : 0.0;
    float* result = out.floats().data() + plane * voxels;
    for (int64_t z = 0; z < size[0]; ++z)
      for (int64_t y = 0; y < size[1]; ++y)
        for (int64_t x = 0; x < size[2]; ++x)
          *result++ = static_cast<float>(gatherAt(c, input, weights, bias, {z, y, x}));
  });
  return oneTensor(std::move(out));
}

double convTransposeWork(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Convolution c = *transposedConvolution(call);
  return static_cast<double>(elementCount(outputs[0].shape)) * static_cast<double>(c.inputsPerGroup()) *
         static_cast<double>(c.window.taps());
}

LYN_REGISTER_OP(reference, "ConvTranspose", opset(1, 21),
                (Kernel{inferConvTranspose, convTranspose, 2, 3, Accepts::floats, convTransposeWork}));

}  // namespace
}  // namespace lynceus::nn::reference
