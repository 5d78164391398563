// Normalisations: y = (x - mean) / sqrt(variance + epsilon) * scale + bias, by what mean and variance are taken over.
#include "core/nn/normalization.h"

#include <algorithm>
#include <cmath>

#include "core/nn/reference/axis_lines.h"
#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

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
  return sameAsInput(call);
}

struct Moments {
  double mean = 0, variance = 0;
};

Moments momentsOf(const float* x, int64_t count) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return {mean, squares / static_cast<double>(count)};
}

void normalise(const float* x, float* y, int64_t count, const Moments& m, double epsilon, double scale, double bias) {
  const double factor = scale / std::sqrt(m.variance + epsilon);
  for (int64_t i = 0; i < count; ++i) y[i] = static_cast<float>((x[i] - m.mean) * factor + bias);
}

double epsilonOf(const OpCall& call) { return call.real("epsilon", 1e-5F); }

// Calls body(plane of N and C, first element, elements) for each.
template <class Body>
void forPlanes(const Shape& shape, const Body& body) {
  const int64_t planes = shape[0] * shape[1], count = elementCount(shape);
  const int64_t voxels = planes == 0 ? 0 : count / planes;
  parallelForLarge(planes, count, [&](int64_t p) { body(p, p * voxels, voxels); });
}

std::vector<Tensor> batchNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  forPlanes(out.shape, [&](int64_t p, int64_t first, int64_t voxels) {
    const int64_t c = p % out.shape[1];
    normalise(call.floats(0) + first, out.floats().data() + first, voxels, {call.floats(3)[c], call.floats(4)[c]},
              epsilonOf(call), call.floats(1)[c], call.floats(2)[c]);
  });
  return oneTensor(std::move(out));
}

std::vector<Tensor> instanceNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  forPlanes(out.shape, [&](int64_t p, int64_t first, int64_t voxels) {
    const int64_t c = p % out.shape[1];
    const float* x = call.floats(0) + first;
    normalise(x, out.floats().data() + first, voxels, momentsOf(x, voxels), epsilonOf(call), call.floats(1)[c],
              call.floats(2)[c]);
  });
  return oneTensor(std::move(out));
}

Expected<std::vector<ValueType>> inferGroup(const OpCall& call) {
  if (const auto g = groupNormalization(call); !g) return passError(g);
  return sameAsInput(call);
}

std::vector<Tensor> group(const OpCall& call, const std::vector<ValueType>& outputs) {
  const GroupNormalization g = *groupNormalization(call);
  Tensor out = Tensor::zeros(outputs[0].shape);
  const int64_t size = g.channelsPerGroup * g.voxels, count = elementCount(out.shape);
  parallelForLarge(count / size, count, [&](int64_t i) {
    const Moments m = momentsOf(call.floats(0) + i * size, size);
    for (int64_t c = 0; c < g.channelsPerGroup; ++c) {
      const int64_t at = i * size + c * g.voxels;
      const int64_t parameter = i % g.groups * (g.perChannel ? g.channelsPerGroup : 1) + (g.perChannel ? c : 0);
      normalise(call.floats(0) + at, out.floats().data() + at, g.voxels, m, epsilonOf(call), call.floats(1)[parameter],
                call.floats(2)[parameter]);
    }
  });
  return oneTensor(std::move(out));
}

Expected<std::vector<ValueType>> inferLayer(const OpCall& call) {
  if (const auto n = layerNormalization(call); !n) return passError(n);
  return sameAsInput(call);
}

// Where element i of the normalised axes finds its parameter.
int64_t parameterAt(int64_t i, const Shape& shape, const Shape& strides) {
  int64_t at = 0;
  for (size_t d = shape.size(); d-- > 0; i /= shape[d]) at += i % shape[d] * strides[d];
  return at;
}

std::vector<Tensor> layer(const OpCall& call, const std::vector<ValueType>& outputs) {
  const LayerNormalization n = *layerNormalization(call);
  Tensor out = Tensor::zeros(outputs[0].shape);
  parallelForLarge(n.size == 0 ? 0 : n.rows, elementCount(out.shape), [&](int64_t row) {
    const float* x = call.floats(0) + row * n.size;
    float* y = out.floats().data() + row * n.size;
    const Moments m = momentsOf(x, n.size);
    const double factor = 1 / std::sqrt(m.variance + epsilonOf(call));
    for (int64_t i = 0; i < n.size; ++i) {
      const double scale = call.floats(1)[parameterAt(i, n.normalised, n.scaleStrides)];
      const double bias = call.has(2) ? call.floats(2)[parameterAt(i, n.normalised, n.biasStrides)] : 0.0F;
      y[i] = static_cast<float>((x[i] - m.mean) * factor * scale + bias);
    }
  });
  return oneTensor(std::move(out));
}

// MeanVarianceNormalization: the axes that share mean and variance.
Expected<std::vector<bool>> sharedAxes(const OpCall& call) {
  const Shape& in = call.shape(0);
  std::vector<bool> shared(in.size(), false);
  for (const int64_t a : call.integers("axes", {0, 2, 3})) {
    const auto axis = checkedAxis(a, static_cast<int64_t>(in.size()));
    if (!axis) return call.refuse("axis {} for an input of shape {}", a, shapeText(in));
    shared[*axis] = true;
  }
  return shared;
}

Expected<std::vector<ValueType>> inferMeanVariance(const OpCall& call) {
  if (const auto shared = sharedAxes(call); !shared) return passError(shared);
  return sameAsInput(call);
}

std::vector<Tensor> meanVariance(const OpCall& call, const std::vector<ValueType>& outputs) {
  const std::vector<bool> shared = *sharedAxes(call);
  Tensor out = Tensor::zeros(outputs[0].shape);
  const Shape& shape = out.shape;
  const Shape strides = stridesOf(shape);
  Shape groupSteps(shape.size(), 0);  // of a row-major numbering of the groups
  int64_t groups = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    if (shared[d]) continue;
    groupSteps[d] = groups;
    groups *= shape[d];
  }
  const auto groupOf = [&](int64_t i) {
    int64_t g = 0;
    for (size_t d = 0; d < shape.size(); ++d)
      if (!shared[d]) g += i / strides[d] % shape[d] * groupSteps[d];
    return g;
  };
  const int64_t count = elementCount(shape);
  const auto members = static_cast<double>(count) / static_cast<double>(std::max<int64_t>(groups, 1));
  std::vector<Moments> moments(count == 0 ? 0 : static_cast<size_t>(groups));
  const float* x = call.floats(0);
  for (int64_t i = 0; i < count; ++i) moments[groupOf(i)].mean += x[i] / members;
  for (int64_t i = 0; i < count; ++i) {
    Moments& m = moments[groupOf(i)];
    m.variance += (x[i] - m.mean) * (x[i] - m.mean) / members;
  }
  constexpr double kEpsilon = 1e-9;  // of the operator's definition
  for (int64_t i = 0; i < count; ++i) {
    const Moments& m = moments[groupOf(i)];
    out.floats()[i] = static_cast<float>((x[i] - m.mean) / (std::sqrt(m.variance) + kEpsilon));
  }
  return oneTensor(std::move(out));
}

Expected<std::vector<ValueType>> inferLp(const OpCall& call) {
  if (const auto axis = axisOf(call, -1); !axis) return passError(axis);
  if (const int64_t p = call.integer("p", 2); p != 1 && p != 2) return call.refuse("p is {}, expected 1 or 2", p);
  return sameAsInput(call);
}

// A line of zeros stays so.
std::vector<Tensor> lpNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  const AxisLines lines = linesAlong(out.shape, *axisOf(call, -1));
  const bool squares = call.integer("p", 2) == 2;
  parallelForLarge(lines.count, elementCount(out.shape), [&](int64_t line) {
    const float* x = call.floats(0) + lines.first(line);
    float* y = out.floats().data() + lines.first(line);
    double sum = 0;
    for (int64_t i = 0; i < lines.size; ++i) {
      const double v = x[i * lines.step];
      sum += squares ? v * v : std::fabs(v);
    }
    const double norm = squares ? std::sqrt(sum) : sum;
    for (int64_t i = 0; i < lines.size; ++i)
      y[i * lines.step] = norm == 0 ? 0 : static_cast<float>(x[i * lines.step] / norm);
  });
  return oneTensor(std::move(out));
}

// LRN: y = x / (bias + alpha / size * sum of squares of the `size` channels around)^beta.
Expected<std::vector<ValueType>> inferLrn(const OpCall& call) {
  if (call.shape(0).size() < 2) return call.refuse("an input of shape {} has no channels", shapeText(call.shape(0)));
  constexpr int64_t kMost = 1 << 20;
  if (const int64_t size = call.integer("size", 0); size < 1 || size > kMost)
    return call.refuse("size is {}, expected 1 to {}", size, kMost);
  return sameAsInput(call);
}

std::vector<Tensor> lrn(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  const int64_t channels = out.shape[1], size = call.integer("size", 0);
  const double alpha = call.real("alpha", 1e-4F), beta = call.real("beta", 0.75F), bias = call.real("bias", 1);
  forPlanes(out.shape, [&](int64_t p, int64_t first, int64_t voxels) {
    const int64_t c = p % channels;
    const int64_t low = std::max<int64_t>(0, c - (size - 1) / 2), high = std::min(channels - 1, c + size / 2);
    const float* x = call.floats(0);
    for (int64_t i = first; i < first + voxels; ++i) {
      double squares = 0;
      for (int64_t k = low; k <= high; ++k) {
        const double v = x[i + (k - c) * voxels];
        squares += v * v;
      }
      out.floats()[i] = static_cast<float>(x[i] / std::pow(bias + alpha / static_cast<double>(size) * squares, beta));
    }
  });
  return oneTensor(std::move(out));
}

double lrnWork(const OpCall& call, const std::vector<ValueType>& outputs) {
  return static_cast<double>(elementCount(outputs[0].shape)) *
         static_cast<double>(std::min(call.integer("size", 0), call.shape(0)[1]));
}

LYN_REGISTER_OP(reference, "BatchNormalization", opset(7, 21), (Kernel{inferNormalization, batchNormalization, 5, 5}));
LYN_REGISTER_OP(reference, "InstanceNormalization", opset(6, 21),
                (Kernel{inferNormalization, instanceNormalization, 3, 3}));
LYN_REGISTER_OP(reference, "GroupNormalization", opset(18, 21), (Kernel{inferGroup, group, 3, 3}));
// ONNX has it since 17; recogniseLayerNorm() finds it written out in older networks.
LYN_REGISTER_OP(reference, "LayerNormalization", opset(1, 21), (Kernel{inferLayer, layer, 2, 3}));
LYN_REGISTER_OP(reference, "MeanVarianceNormalization", opset(9, 21), (Kernel{inferMeanVariance, meanVariance, 1, 1}));
LYN_REGISTER_OP(reference, "LpNormalization", opset(1, 21), (Kernel{inferLp, lpNormalization, 1, 1}));
LYN_REGISTER_OP(reference, "LRN", opset(1, 21), (Kernel{inferLrn, lrn, 1, 1, Accepts::floats, lrnWork}));

}  // namespace
}  // namespace lynceus::nn::reference
