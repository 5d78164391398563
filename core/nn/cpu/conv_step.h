// A step around a convolution of oneDNN, of floats or of integers.
#pragma once

#include <functional>
#include <unordered_map>

#include "core/nn/cpu/kernel.h"
#include "core/nn/passes/fuse.h"

namespace lynceus::nn::cpu {

/// Brings the residual (input 3) from where it lies to where the primitive adds its sums to it: the output.
using PlaceResidual = std::function<void(const void* from, void* to)>;

/// Brings the constant weights (input 1) into the order and type that the primitive chose, once.
/// @param given  how the weights lie in their tensor.
/// @param bias   in the units of the primitive's sums; empty where there is none.
template <class Primitive, class PrimitiveDesc>
Step convolutionStep(const OpCall& call, const PrimitiveDesc& pd, const dnnl::memory::desc& given,
                     std::vector<float> bias, const PlaceResidual& placeResidual) {
  Step step;
  step.kernel = kernelText(pd);
  step.scratchBytes = pd.scratchpad_desc().get_size();
  step.weightBytes = pd.weights_desc().get_size();
  dnnl::memory weights(pd.weights_desc(), engine()), from = wrap(given, call.input(1).value->bytes());
  dnnl::stream stream(engine());
  dnnl::reorder(from, weights).execute(stream, from, weights);
  stream.wait();
  const bool residual = call.has(kResidualInput);
  if (residual) step.inPlace = static_cast<int>(kResidualInput);
  for (const size_t i : {size_t{0}, kResidualInput})
    if (call.has(i) && call.input(i).value) step.constants.push_back(i);
  step.run = [primitive = Primitive(pd), pd, weights, bias = std::move(bias), residual,
              placeResidual](const Arguments& a) {
    if (residual && a.inputs[kResidualInput] != a.outputs[0]) placeResidual(a.inputs[kResidualInput], a.outputs[0]);
    std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_SRC, wrap(pd.src_desc(), a.inputs[0])},
                                                    {DNNL_ARG_WEIGHTS, weights},
                                                    {DNNL_ARG_DST, wrap(pd.dst_desc(), a.outputs[0])},
                                                    {DNNL_ARG_SCRATCHPAD, wrap(pd.scratchpad_desc(), a.scratch)}};
    if (!bias.empty()) arguments.emplace(DNNL_ARG_BIAS, wrap(pd.bias_desc(), bias.data()));
    primitive.execute(a.stream, arguments);
  };
  return step;
}

}  // namespace lynceus::nn::cpu
