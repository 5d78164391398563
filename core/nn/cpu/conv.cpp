#include "core/nn/cpu/conv_desc.h"
#include "core/nn/cpu/conv_disjoint.h"
#include "core/nn/cpu/conv_step.h"
#include "core/nn/cpu/conv_winograd.h"
#include "core/nn/cpu/post_ops.h"
#include "core/nn/cpu/via_reference.h"

namespace lynceus::nn::cpu {
namespace {

using dnnl::memory;

template <class Primitive, class PrimitiveDesc>
Step makeStep(const OpCall& call, const PrimitiveDesc& pd, const memory::desc& givenWeights, const ValueType& output) {
  const ValueType residual = call.has(kResidualInput) ? call.input(kResidualInput).type : ValueType{};
  return convolutionStep<Primitive>(
      call, pd, givenWeights, call.constantFloats(2).value_or(std::vector<float>{}),
      [residual, output](const void* from, void* to) { reorder(residual, from, output, to); });
}

Expected<void> requireConstantWeights(const OpCall& call) {
  if (call.isDynamic(1) || call.isDynamic(2))
    return call.refuse("its weights are computed while it runs: export the network with constant weights");
  return {};
}

Expected<Step> conv(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (auto ok = requireConstantWeights(call); !ok) return passError(ok);
  const auto c = convolution(call);
  if (!c) return passError(c);
  if (!call.isDynamic(0)) return viaReference(call, outputs);
  if (auto step = winogradStep(call, *c, outputs[0])) return std::move(*step);
  const Window& w = c->window;
  const Type in = call.input(0).type.type, out = outputs[0].type;
  const memory::desc given = weightsDesc(*c, false, Type::f32);
  const memory::desc bias = call.has(2) ? anyDesc({c->outputChannels}, Type::f32) : memory::desc();
  const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                                             channelsLastDesc(c->input.n, c->input.c, c->input.space, in),
                                             anyDesc(given.dims(), in), bias,
                                             channelsLastDesc(c->input.n, c->outputChannels, w.output, out),
                                             dims(w.stride), gaps(w.dilation), dims(w.padBegin), dims(w.padEnd));
  const dnnl::convolution_forward::primitive_desc pd(desc, fusedAttribute(call), engine());
  return makeStep<dnnl::convolution_forward>(call, pd, given, outputs[0]);
}

Expected<Step> convTranspose(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (auto ok = requireConstantWeights(call); !ok) return passError(ok);
  const auto c = transposedConvolution(call);
  if (!c) return passError(c);
  if (!call.isDynamic(0)) return viaReference(call, outputs);
  const Window& w = c->window;
  const Type in = call.input(0).type.type, out = outputs[0].type;
  const memory::desc given = weightsDesc(*c, true, Type::f32);
  const memory::desc bias = call.has(2) ? anyDesc({c->outputChannels}, Type::f32) : memory::desc();
  try {
    if (auto step = disjointStep(call, *c, outputs[0])) return std::move(*step);
    const dnnl::deconvolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct,
        channelsLastDesc(c->input.n, c->input.c, c->input.space, in), anyDesc(given.dims(), in), bias,
        channelsLastDesc(c->input.n, c->outputChannels, w.output, out), dims(w.stride), gaps(w.dilation),
        dims(w.padBegin), transposedPadEnd(*c));
    const dnnl::deconvolution_forward::primitive_desc pd(desc, fusedAttribute(call), engine());
    return makeStep<dnnl::deconvolution_forward>(call, pd, given, outputs[0]);
  } catch (const dnnl::error&) {
    return viaReference(call, outputs);  // oneDNN refuses some paddings
  }
}

LYN_REGISTER_OP(cpu, "Conv", opset(1, 21), (Kernel{conv, channelsLastOnly, true}));
LYN_REGISTER_OP(cpu, "ConvTranspose", opset(1, 21), (Kernel{convTranspose, channelsLastOnly, true}));

}  // namespace
}  // namespace lynceus::nn::cpu
