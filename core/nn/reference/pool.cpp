// MaxPool, AveragePool and their global forms.
#include "core/nn/pooling.h"

#include <algorithm>
#include <limits>

#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferPool(const OpCall& call) {
  const auto window = poolingWindow(call);
  if (!window) return passError(window);
  return oneOutput(windowShape(call.shape(0), call.shape(0)[1], *window));
}

/// What a window sees: its voxels inside the input, and how many it covers with the padding.
struct View {
  double sum = 0;
  float largest = -std::numeric_limits<float>::infinity();
  int64_t inside = 0, covered = 0;
};

View look(const Window& w, const Int3& in, const float* plane, const Int3& at) {
  View view;
  for (int64_t kz = 0; kz < w.kernel[0]; ++kz)
    for (int64_t ky = 0; ky < w.kernel[1]; ++ky)
      for (int64_t kx = 0; kx < w.kernel[2]; ++kx) {
        const int64_t z = at[0] * w.stride[0] - w.padBegin[0] + kz * w.dilation[0];
        const int64_t y = at[1] * w.stride[1] - w.padBegin[1] + ky * w.dilation[1];
        const int64_t x = at[2] * w.stride[2] - w.padBegin[2] + kx * w.dilation[2];
        view.covered += z < in[0] + w.padEnd[0] && y < in[1] + w.padEnd[1] && x < in[2] + w.padEnd[2];
        if (z < 0 || z >= in[0] || y < 0 || y >= in[1] || x < 0 || x >= in[2]) continue;
        const float value = plane[(z * in[1] + y) * in[2] + x];
        view.sum += value;
        view.largest = std::max(view.largest, value);
        ++view.inside;
      }
  return view;
}

template <class Reduce>
std::vector<Tensor> pool(const OpCall& call, const std::vector<ValueType>& outputs, const Reduce& reduce) {
  const Window w = *poolingWindow(call);
  const Shape5 in = lift(call.shape(0));
  Tensor out = Tensor::zeros(outputs[0].shape);
  const int64_t voxels = w.output[0] * w.output[1] * w.output[2];
  parallelFor(in.n * in.c, [&](int64_t plane) {
    float* result = out.floats().data() + plane * voxels;
    for (int64_t z = 0; z < w.output[0]; ++z)
      for (int64_t y = 0; y < w.output[1]; ++y)
        for (int64_t x = 0; x < w.output[2]; ++x)
          *result++ = reduce(look(w, in.space, call.floats(0) + plane * in.voxels(), {z, y, x}));
  });
  return oneTensor(std::move(out));
}

std::vector<Tensor> maxPool(const OpCall& call, const std::vector<ValueType>& outputs) {
  return pool(call, outputs, [](const View& v) { return v.largest; });
}

std::vector<Tensor> averagePool(const OpCall& call, const std::vector<ValueType>& outputs) {
  const bool withPadding = call.integer("count_include_pad", 0) != 0;
  return pool(call, outputs, [withPadding](const View& v) {
    return static_cast<float>(v.sum / static_cast<double>(std::max<int64_t>(withPadding ? v.covered : v.inside, 1)));
  });
}

Expected<std::vector<ValueType>> inferGlobalPool(const OpCall& call) {
  Shape shape = call.shape(0);
  if (shape.size() < 3) return call.refuse("an input of shape {} has no spatial axes", shapeText(shape));
  std::fill(shape.begin() + 2, shape.end(), 1);
  return oneOutput(std::move(shape));
}

std::vector<Tensor> globalAveragePool(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  const int64_t voxels = elementCount(call.shape(0)) / std::max<int64_t>(elementCount(out.shape), 1);
  const float* x = call.floats(0);
  for (float& mean : out.floats()) {
    double sum = 0;
    for (int64_t v = 0; v < voxels; ++v) sum += *x++;
    mean = static_cast<float>(sum / static_cast<double>(voxels));
  }
  return oneTensor(std::move(out));
}

LYN_REGISTER_OP(reference, "MaxPool", opset(1, 21), (Kernel{inferPool, maxPool, 1, 1}));
LYN_REGISTER_OP(reference, "AveragePool", opset(7, 21), (Kernel{inferPool, averagePool, 1, 1}));
LYN_REGISTER_OP(reference, "GlobalAveragePool", opset(1, 21), (Kernel{inferGlobalPool, globalAveragePool, 1, 1}));

}  // namespace
}  // namespace lynceus::nn::reference
