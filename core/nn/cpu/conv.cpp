#include <cstring>

#include "core/nn/cpu/conv_desc.h"
#include "core/nn/cpu/conv_disjoint.h"
#include "core/nn/cpu/conv_winograd.h"
#include "core/nn/cpu/post_ops.h"
#include "core/nn/cpu/via_reference.h"
#include "core/nn/passes/fuse.h"

namespace lynceus::nn::cpu {
namespace {

using dnnl::memory;

struct Prepared {
  memory weights, bias;
  memory::desc source, destination;
};

// Brings the weights into the order and type the primitive chose, once.
template <class PrimitiveDesc>
Prepared prepare(const OpCall& call, const PrimitiveDesc& pd, const memory::desc& given) {
  Prepared p{memory(pd.weights_desc(), engine()), {}, pd.src_desc(), pd.dst_desc()};
  dnnl::stream stream(engine());
  memory from = wrap(given, call.floats(1));
  dnnl::reorder(from, p.weights).execute(stream, from, p.weights);
  stream.wait();
  if (call.has(2)) {
    p.bias = memory(pd.bias_desc(), engine());
    std::memcpy(p.bias.get_data_handle(), call.floats(2), call.input(2).value->floats().size() * sizeof(float));
  }
  return p;
}

template <class Primitive, class PrimitiveDesc>
Step makeStep(const OpCall& call, const PrimitiveDesc& pd, const memory::desc& givenWeights, const ValueType& output) {
  Step step;
  step.scratchBytes = pd.scratchpad_desc().get_size();
  step.weightBytes = pd.weights_desc().get_size();
  step.kernel = kernelText(pd);
  const bool residual = call.has(kResidualInput);
  if (residual) step.inPlace = static_cast<int>(kResidualInput);
  if (residual && call.input(kResidualInput).value) step.constants.push_back(kResidualInput);
  const ValueType added = residual ? call.input(kResidualInput).type : ValueType{};
  step.run = [primitive = Primitive(pd), p = prepare(call, pd, givenWeights), residual, added, output,
              scratch = pd.scratchpad_desc()](const Arguments& a) {
    if (residual && a.inputs[kResidualInput] != a.outputs[0])
      reorder(added, a.inputs[kResidualInput], output, a.outputs[0]);
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, wrap(p.source, a.inputs[0])},
                                              {DNNL_ARG_WEIGHTS, p.weights},
                                              {DNNL_ARG_DST, wrap(p.destination, a.outputs[0])},
                                              {DNNL_ARG_SCRATCHPAD, wrap(scratch, a.scratch)}};
    if (p.bias) arguments.emplace(DNNL_ARG_BIAS, p.bias);
    primitive.execute(a.stream, arguments);
  };
  return step;
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
