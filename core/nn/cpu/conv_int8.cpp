// Convolutions on integers (fuse_quantized.h): oneDNN adds up products of int8 or uint8 by int8 in int32, exactly, and
// rounds once behind everything that is fused. So the same bits come out whatever the number of threads.
#include "core/nn/cpu/conv_int8.h"

#include <cstring>

#include "core/nn/cpu/conv_desc.h"
#include "core/nn/cpu/conv_step.h"
#include "core/nn/cpu/post_ops.h"
#include "core/nn/passes/fuse_quantized.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

using dnnl::memory;

/// The scales of a node. real = integer * scale.
struct Scales {
  explicit Scales(const OpCall& call)
      : input(call.real(kInputScale, 1)),
        weights(call.attribute<std::vector<float>>(kWeightScales, {})),
        residual(call.real(kResidualScale, 1)),
        output(call.real(kOutputScale, 1)) {}

  float input;
  std::vector<float> weights;
  float residual, output;  ///< output 1: float
};

std::optional<Eltwise> fusedEltwise(const OpCall& call) {
  return eltwise(call.text(kFusedActivation, ""), call.real(kFusedAlpha, 0), call.real(kFusedBeta, 0));
}

// oneDNN computes activation(scale * (sum + bias) + residualScale * residual) in units of the output's step; an
// activation that is not the same in other units works on real numbers and is scaled afterwards.
dnnl::primitive_attr attributeOf(const OpCall& call, const Scales& s, const ValueType& output) {
  const auto activation = fusedEltwise(call);
  const bool anyUnit = !activation || activation->algorithm == dnnl::algorithm::eltwise_relu;
  const double unit = anyUnit ? s.output : 1.0;
  dnnl::primitive_attr attribute = scratchpadAttribute();
  std::vector<float> scales;
  for (const float w : s.weights) scales.push_back(static_cast<float>(static_cast<double>(s.input) * w / unit));
  attribute.set_output_scales(2, scales);
  dnnl::post_ops after;
  if (call.has(kResidualInput)) {
    const Type residual = call.input(kResidualInput).type.type;
    if (output.type == Type::f32)
      after.append_sum(1);  // it comes as real numbers
    else
      after.append_sum(static_cast<float>(s.residual / unit), 0, dataType(residual));
  }
  if (activation)
    after.append_eltwise(anyUnit ? 1 : 1 / s.output, activation->algorithm, activation->alpha, activation->beta);
  else if (!anyUnit)
    after.append_eltwise(1, dnnl::algorithm::eltwise_linear, 1 / s.output, 0);
  attribute.set_post_ops(after);
  return attribute;
}

// In units of the integer sums.
std::vector<float> biasOf(const OpCall& call, const Scales& s) {
  std::vector<float> bias;
  for (size_t c = 0; call.has(2) && c < s.weights.size(); ++c)
    bias.push_back(static_cast<float>(call.floats(2)[c] / (static_cast<double>(s.input) * s.weights[c])));
  return bias;
}

// Puts the residual where the sum expects it.
void placeResidual(const ValueType& residual, const void* from, float scale, const ValueType& output, void* to) {
  if (output.type != Type::f32) {
    std::memcpy(to, from, residual.bytes());
    return;
  }
  const int64_t count = elementCount(residual.shape);
  constexpr int64_t kRun = 1 << 14;
  parallelFor((count + kRun - 1) / kRun, [&](int64_t run) {
    const int64_t last = std::min((run + 1) * kRun, count);
    auto* out = static_cast<float*>(to);
    for (int64_t i = run * kRun; i < last; ++i)
      out[i] = scale * static_cast<float>(residual.type == Type::u8 ? static_cast<const uint8_t*>(from)[i]
                                                                    : static_cast<const int8_t*>(from)[i]);
  });
}

template <class Primitive, class PrimitiveDesc>
Step makeStep(const OpCall& call, const Scales& s, const PrimitiveDesc& pd, const memory::desc& given,
              const ValueType& output) {
  const ValueType residual = call.has(kResidualInput) ? call.input(kResidualInput).type : ValueType{};
  return convolutionStep<Primitive>(call, pd, given, biasOf(call, s),
                                    [residual, output, scale = s.residual](const void* from, void* to) {
                                      placeResidual(residual, from, scale, output, to);
                                    });
}

memory::desc biasDesc(const OpCall& call, const Convolution& c) {
  return call.has(2) ? anyDesc({c.outputChannels}, Type::f32) : memory::desc();
}

// May throw dnnl::error.
dnnl::convolution_forward::primitive_desc convDesc(const OpCall& call, const Convolution& c, const ValueType& output) {
  const Window& w = c.window;
  const dnnl::convolution_forward::desc desc(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
      channelsLastDesc(c.input.n, c.input.c, c.input.space, call.input(0).type.type),
      anyDesc(weightsDesc(c, false, Type::i8).dims(), Type::i8), biasDesc(call, c),
      channelsLastDesc(c.input.n, c.outputChannels, w.output, output.type), dims(w.stride), gaps(w.dilation),
      dims(w.padBegin), dims(w.padEnd));
  return {desc, attributeOf(call, Scales(call), output), engine()};
}

// May throw dnnl::error.
dnnl::deconvolution_forward::primitive_desc transposedDesc(const OpCall& call, const Convolution& c,
                                                           const ValueType& output) {
  const Window& w = c.window;
  const dnnl::deconvolution_forward::desc desc(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct,
      channelsLastDesc(c.input.n, c.input.c, c.input.space, call.input(0).type.type),
      anyDesc(weightsDesc(c, true, Type::i8).dims(), Type::i8), biasDesc(call, c),
      channelsLastDesc(c.input.n, c.outputChannels, w.output, output.type), dims(w.stride), gaps(w.dilation),
      dims(w.padBegin), transposedPadEnd(c));
  return {desc, attributeOf(call, Scales(call), output), engine()};
}

Expected<Step> conv(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto c = convolution(call);
  if (!c) return passError(c);
  return makeStep<dnnl::convolution_forward>(call, Scales(call), convDesc(call, *c, outputs[0]),
                                             weightsDesc(*c, false, Type::i8), outputs[0]);
}

Expected<Step> convTranspose(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto c = transposedConvolution(call);
  if (!c) return passError(c);
  return makeStep<dnnl::deconvolution_forward>(call, Scales(call), transposedDesc(call, *c, outputs[0]),
                                               weightsDesc(*c, true, Type::i8), outputs[0]);
}

LYN_REGISTER_OP(cpu, kIntegerConv, opset(1, 21), (Kernel{conv, channelsLastOnly}));
LYN_REGISTER_OP(cpu, kIntegerConvTranspose, opset(1, 21), (Kernel{convTranspose, channelsLastOnly}));

}  // namespace

bool canConvolveIntegers(const OpCall& call, const ValueType& output) {
  const bool transposed = call.node().op == kIntegerConvTranspose;
  const auto c = transposed ? transposedConvolution(call) : convolution(call);
  if (!c) return false;
  try {
    if (transposed)
      transposedDesc(call, *c, output);
    else
      convDesc(call, *c, output);
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

}  // namespace lynceus::nn::cpu
