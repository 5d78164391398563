#include "core/nn/cpu/pieces.h"
#include "core/nn/cpu/via_reference.h"

namespace lynceus::nn::cpu {
namespace {

Expected<Step> softmax(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Shape& shape = outputs[0].shape;
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t axis = *checkedAxis(call.integer("axis", call.opset() < 13 ? 1 : -1), rank);
  if (elementCount(shape) == 0 || (call.opset() < 13 && axis != rank - 1)) return viaReference(call, outputs);
  const Shape strides = storedStrides(outputs[0]);
  const Type type = call.input(0).type.type;
  const dnnl::memory::desc layout({shape.begin(), shape.end()}, dataType(type),
                                  dnnl::memory::dims(strides.begin(), strides.end()));
  const dnnl::softmax_v2_forward::desc desc(
      dnnl::prop_kind::forward_inference,
      call.node().op == "Softmax" ? dnnl::algorithm::softmax_accurate : dnnl::algorithm::softmax_log, layout, layout,
      static_cast<int>(axis));
  const dnnl::softmax_v2_forward::primitive_desc pd(desc, scratchpadAttribute(), engine());
  Step step;
  step.inPlace = 0;
  step.kernel = kernelText(pd);
  step.scratchBytes = pd.scratchpad_desc().get_size();
  step.run = [primitive = dnnl::softmax_v2_forward(pd), layout, scratch = pd.scratchpad_desc()](const Arguments& a) {
    primitive.execute(a.stream, {{DNNL_ARG_SRC, wrap(layout, a.inputs[0])},
                                 {DNNL_ARG_DST, wrap(layout, a.outputs[0])},
                                 {DNNL_ARG_SCRATCHPAD, wrap(scratch, a.scratch)}});
  };
  return type == outputs[0].type ? step : withFloatResult(std::move(step), outputs[0]);
}

LYN_REGISTER_OP(cpu, "Softmax", opset(1, 21), (Kernel{softmax, alike, true}));
LYN_REGISTER_OP(cpu, "LogSoftmax", opset(1, 21), (Kernel{softmax, alike, true}));

}  // namespace
}  // namespace lynceus::nn::cpu
