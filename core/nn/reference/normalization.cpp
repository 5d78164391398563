// BatchNormalization (inference) and InstanceNormalization: y = (x - mean) / sqrt(variance + epsilon) * scale + bias.
#include <cmath>

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferNormalization(const OpCall& call) {
  const Shape& in = call.shape(0);
  if (in.size() < 2) return call.refuse("an input of shape {} has no channels", shapeText(in));
  for (size_t i = 1; i < call.inputCount(); ++i)
    if (call.shape(i) != Shape{in[1]})
      return call.refuse("parameters of shape {} for {} channels", shapeText(call.shape(i)), in[1]);
  if (call.integer("training_mode", 0) != 0)
    return call.refuse("is in training mode: export the network in evaluation mode");
  if (call.integer("spatial", 1) == 0) return call.refuse("spatial=0 is not supported");
  call.real("epsilon", 0);  // so that one of another type is noticed
  return sameAsInput(call);
}

void normalise(const float* x, float* y, int64_t voxels, double mean, double variance, double epsilon, double scale,
               double bias) {
  const double factor = scale / std::sqrt(variance + epsilon);
  for (int64_t v = 0; v < voxels; ++v) y[v] = static_cast<float>((x[v] - mean) * factor + bias);
}

std::vector<Tensor> batchNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  const int64_t channels = out.shape[1], planes = out.shape[0] * channels;
  const int64_t voxels = planes == 0 ? 0 : elementCount(out.shape) / planes;
  for (int64_t p = 0; p < planes; ++p) {
    const int64_t c = p % channels;
    normalise(call.floats(0) + p * voxels, out.floats().data() + p * voxels, voxels, call.floats(3)[c],
              call.floats(4)[c], call.real("epsilon", 1e-5F), call.floats(1)[c], call.floats(2)[c]);
  }
  return oneTensor(std::move(out));
}

std::vector<Tensor> instanceNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  const int64_t channels = out.shape[1], planes = out.shape[0] * channels;
  const int64_t voxels = planes == 0 ? 0 : elementCount(out.shape) / planes;
  for (int64_t p = 0; p < planes; ++p) {
    const float* x = call.floats(0) + p * voxels;
    double sum = 0, squares = 0;
    for (int64_t v = 0; v < voxels; ++v) sum += x[v];
    const double mean = sum / static_cast<double>(voxels);
    for (int64_t v = 0; v < voxels; ++v) squares += (x[v] - mean) * (x[v] - mean);
    normalise(x, out.floats().data() + p * voxels, voxels, mean, squares / static_cast<double>(voxels),
              call.real("epsilon", 1e-5F), call.floats(1)[p % channels], call.floats(2)[p % channels]);
  }
  return oneTensor(std::move(out));
}

LYN_REGISTER_OP(reference, "BatchNormalization", opset(7, 21), (Kernel{inferNormalization, batchNormalization, 5, 5}));
LYN_REGISTER_OP(reference, "InstanceNormalization", opset(6, 21),
                (Kernel{inferNormalization, instanceNormalization, 3, 3}));

}  // namespace
}  // namespace lynceus::nn::reference
