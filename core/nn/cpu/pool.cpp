#include "core/nn/pooling.h"

#include "core/nn/cpu/pieces.h"
#include "core/nn/cpu/via_reference.h"

namespace lynceus::nn::cpu {
namespace {

dnnl::memory::dims dims(const Int3& v) { return {v[0], v[1], v[2]}; }

Step onednnPool(const OpCall& call, const Window& w, dnnl::algorithm algorithm) {
  const Shape5 in = lift(call.shape(0));
  const Type type = call.input(0).type.type;
  dnnl::memory::dims gaps, padEnd;
  for (int a = 0; a < 3; ++a) {
    gaps.push_back(w.dilation[a] - 1);
    // ceil_mode lets the last window reach behind the stated padding.
    padEnd.push_back(
        std::max(w.padEnd[a], (w.output[a] - 1) * w.stride[a] + w.extent(a) - in.space[a] - w.padBegin[a]));
  }
  const dnnl::pooling_v2_forward::desc desc(
      dnnl::prop_kind::forward_inference, algorithm, channelsLastDesc(in.n, in.c, in.space, type),
      channelsLastDesc(in.n, in.c, w.output, type), dims(w.stride), dims(w.kernel), gaps, dims(w.padBegin), padEnd);
  const dnnl::pooling_v2_forward::primitive_desc pd(desc, scratchpadAttribute(), engine());
  Step step;
  step.kernel = kernelText(pd);
  step.scratchBytes = pd.scratchpad_desc().get_size();
  step.run = [primitive = dnnl::pooling_v2_forward(pd), pd](const Arguments& a) {
    primitive.execute(a.stream, {{DNNL_ARG_SRC, wrap(pd.src_desc(), a.inputs[0])},
                                 {DNNL_ARG_DST, wrap(pd.dst_desc(), a.outputs[0])},
                                 {DNNL_ARG_SCRATCHPAD, wrap(pd.scratchpad_desc(), a.scratch)}});
  };
  return step;
}

Expected<Step> poolOrReference(const OpCall& call, const std::vector<ValueType>& outputs, dnnl::algorithm algorithm) {
  const auto window = poolingWindow(call);
  if (!window) return passError(window);
  if (!call.isDynamic(0) || hasEmptyWindow(*window, lift(call.shape(0)).space)) return viaReference(call, outputs);
  try {
    Step step = onednnPool(call, *window, algorithm);
    if (call.input(0).type.type != outputs[0].type) return withFloatResult(std::move(step), outputs[0]);
    return step;
  } catch (const dnnl::error&) {
    return viaReference(call, outputs);  // oneDNN refuses some paddings
  }
}

Expected<Step> maxPool(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (outputs.size() > 1) return viaReference(call, outputs);  // oneDNN has no indices of the whole input
  return poolOrReference(call, outputs, dnnl::algorithm::pooling_max);
}

Expected<Step> averagePool(const OpCall& call, const std::vector<ValueType>& outputs) {
  const bool withPadding = call.integer("count_include_pad", 0) != 0;
  // oneDNN would count the voxels that ceil_mode adds behind the padding.
  if (withPadding && call.integer("ceil_mode", 0) != 0) return viaReference(call, outputs);
  return poolOrReference(
      call, outputs,
      withPadding ? dnnl::algorithm::pooling_avg_include_padding : dnnl::algorithm::pooling_avg_exclude_padding);
}

LYN_REGISTER_OP(cpu, "MaxPool", opset(1, 21), (Kernel{maxPool, channelsLastOnly, true}));
LYN_REGISTER_OP(cpu, "AveragePool", opset(7, 21), (Kernel{averagePool, channelsLastOnly, true}));

}  // namespace
}  // namespace lynceus::nn::cpu
