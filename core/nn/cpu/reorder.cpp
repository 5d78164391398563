#include "core/nn/cpu/kernel.h"
#include "core/nn/cpu/storage.h"

namespace lynceus::nn::cpu {
namespace {

// chooseStorage() has set both types; nothing is left to choose.
Layouts asStored(const OpCall& call, const ValueType& output) { return {call.input(0).type.layout, output.layout}; }

dnnl::memory::desc descOf(const ValueType& type) {
  const Shape strides = storedStrides(type);
  return {{type.shape.begin(), type.shape.end()}, dataType(type.type), {strides.begin(), strides.end()}};
}

Step throughOnednn(const ValueType& from, const ValueType& to) {
  const dnnl::memory::desc in = descOf(from), out = descOf(to);
  const dnnl::reorder::primitive_desc pd(engine(), in, engine(), out, scratchpadAttribute());
  Step step;
  step.kernel = kernelText(pd);
  step.scratchBytes = pd.scratchpad_desc().get_size();
  step.run = [primitive = dnnl::reorder(pd), in, out, scratch = pd.scratchpad_desc()](const Arguments& a) {
    primitive.execute(a.stream, {{DNNL_ARG_FROM, wrap(in, a.inputs[0])},
                                 {DNNL_ARG_TO, wrap(out, a.outputs[0])},
                                 {DNNL_ARG_SCRATCHPAD, wrap(scratch, a.scratch)}});
  };
  return step;
}

Expected<Step> build(const OpCall& call, const std::vector<ValueType>& outputs) {
  const ValueType &from = call.input(0).type, &to = outputs[0];
  const bool empty = elementCount(from.shape) == 0;
  Step step;
  if (from.type != Type::i64 && !from.shape.empty() && !empty)
    step = throughOnednn(from, to);
  else
    step.run = [from, to](const Arguments& a) { reorder(from, a.inputs[0], to, a.outputs[0]); };
  if (call.input(0).value) step.constants.push_back(0);
  return step;
}

LYN_REGISTER_OP(cpu, kReorder, opset(1, 21), (Kernel{build, asStored}));

}  // namespace
}  // namespace lynceus::nn::cpu
