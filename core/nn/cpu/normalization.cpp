// What works channel by channel: BatchNormalization that could not be folded, InstanceNormalization, GlobalAveragePool.
#include <cmath>

#include "core/nn/cpu/via_reference.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

constexpr int64_t kBlock = 1024;  // voxels; fixed, so that sums do not depend on the number of threads

/// For each (n, c) the sum of x, or of (x - centre)^2 where a centre is given. Added up block after block, in double.
std::vector<double> channelSums(const Shape5& s, const float* x, const std::vector<double>* centre) {
  const int64_t voxels = s.voxels(), blocks = (voxels + kBlock - 1) / kBlock;
  std::vector<double> partial(static_cast<size_t>(s.n * blocks * s.c), 0.0);
  parallelFor(s.n * blocks, [&](int64_t i) {
    double* sums = partial.data() + i * s.c;
    const int64_t n = i / blocks, first = i % blocks * kBlock, last = std::min(first + kBlock, voxels);
    for (int64_t v = first; v < last; ++v) {
      const float* row = x + (n * voxels + v) * s.c;
      for (int64_t c = 0; c < s.c; ++c) {
        const double d = centre ? row[c] - (*centre)[n * s.c + c] : row[c];
        sums[c] += centre ? d * d : d;
      }
    }
  });
  std::vector<double> sums(static_cast<size_t>(s.n * s.c), 0.0);
  for (int64_t i = 0; i < s.n * blocks; ++i)
    for (int64_t c = 0; c < s.c; ++c) sums[i / blocks * s.c + c] += partial[i * s.c + c];
  return sums;
}

/// y = x * scale + shift with one pair for each (n, c).
void scaleChannels(const Shape5& s, const float* x, float* y, const std::vector<float>& scale,
                   const std::vector<float>& shift) {
  const int64_t voxels = s.voxels(), blocks = (voxels + kBlock - 1) / kBlock;
  parallelFor(s.n * blocks, [&](int64_t i) {
    const int64_t n = i / blocks, first = i % blocks * kBlock, last = std::min(first + kBlock, voxels);
    const float *a = scale.data() + n * s.c, *b = shift.data() + n * s.c;
    for (int64_t v = first; v < last; ++v) {
      const int64_t at = (n * voxels + v) * s.c;
#pragma omp simd
      for (int64_t c = 0; c < s.c; ++c) y[at + c] = x[at + c] * a[c] + b[c];
    }
  });
}

bool hasConstantParameters(const OpCall& call) {
  for (size_t i = 1; i < call.inputCount(); ++i)
    if (call.isDynamic(i)) return false;
  return call.shape(0).size() >= 2 && call.shape(0).size() <= 5;
}

Shape5 liftAny(const Shape& shape) { return shape.size() == 2 ? Shape5{shape[0], shape[1], {1, 1, 1}} : lift(shape); }

Expected<Step> batchNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (!hasConstantParameters(call)) return viaReference(call, outputs);
  const Shape5 s = liftAny(call.shape(0));
  std::vector<float> scale, shift;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t c = 0; c < s.c; ++c) {
      const double factor =
          call.floats(1)[c] / std::sqrt(static_cast<double>(call.floats(4)[c]) + call.real("epsilon", 1e-5F));
      scale.push_back(static_cast<float>(factor));
      shift.push_back(static_cast<float>(call.floats(2)[c] - call.floats(3)[c] * factor));
    }
  Step step;
  step.inPlace = 0;
  step.run = [s, scale, shift](const Arguments& a) { scaleChannels(s, a.in<float>(0), a.out<float>(0), scale, shift); };
  return step;
}

Expected<Step> instanceNormalization(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (!hasConstantParameters(call)) return viaReference(call, outputs);
  const Shape5 s = liftAny(call.shape(0));
  Step step;
  step.inPlace = 0;
  const std::vector<float> gain = *call.constantFloats(1), bias = *call.constantFloats(2);
  step.run = [s, gain, bias, epsilon = call.real("epsilon", 1e-5F)](const Arguments& a) {
    const auto voxels = static_cast<double>(s.voxels());
    std::vector<double> mean = channelSums(s, a.in<float>(0), nullptr);
    for (double& m : mean) m /= voxels;
    const std::vector<double> squares = channelSums(s, a.in<float>(0), &mean);
    std::vector<float> scale(mean.size()), shift(mean.size());
    for (size_t i = 0; i < mean.size(); ++i) {
      const size_t c = i % static_cast<size_t>(s.c);
      const double factor = gain[c] / std::sqrt(squares[i] / voxels + epsilon);
      scale[i] = static_cast<float>(factor);
      shift[i] = static_cast<float>(bias[c] - mean[i] * factor);
    }
    scaleChannels(s, a.in<float>(0), a.out<float>(0), scale, shift);
  };
  return step;
}

Expected<Step> globalAveragePool(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (call.shape(0).size() > 5) return viaReference(call, outputs);
  const Shape5 s = lift(call.shape(0));
  Step step;
  step.run = [s](const Arguments& a) {
    const std::vector<double> sums = channelSums(s, a.in<float>(0), nullptr);
    for (size_t i = 0; i < sums.size(); ++i)
      a.out<float>(0)[i] = static_cast<float>(sums[i] / static_cast<double>(s.voxels()));
  };
  return step;
}

LYN_REGISTER_OP(cpu, "BatchNormalization", opset(7, 21), (Kernel{batchNormalization, channelsLastOnly}));
LYN_REGISTER_OP(cpu, "InstanceNormalization", opset(6, 21), (Kernel{instanceNormalization, channelsLastOnly}));
LYN_REGISTER_OP(cpu, "GlobalAveragePool", opset(1, 21), (Kernel{globalAveragePool, channelsLastOnly}));

}  // namespace
}  // namespace lynceus::nn::cpu
