#include "core/nn/cpu/post_ops.h"

#include "core/nn/passes/fuse.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

// Numbers that mean the same to the operator whatever their order: no layout needed.
Expected<Step> onednnStep(const Eltwise& e, int64_t count, Type type) {
  const dnnl::memory::desc flat({count}, dataType(type), dnnl::memory::format_tag::a);
  const dnnl::eltwise_forward::desc desc(dnnl::prop_kind::forward_inference, e.algorithm, flat, e.alpha, e.beta);
  const dnnl::eltwise_forward::primitive_desc pd(desc, engine());
  const dnnl::eltwise_forward primitive(pd);
  Step step;
  step.kernel = kernelText(pd);
  step.inPlace = 0;
  step.run = [primitive, flat](const Arguments& a) {
    primitive.execute(a.stream, {{DNNL_ARG_SRC, wrap(flat, a.inputs[0])}, {DNNL_ARG_DST, wrap(flat, a.outputs[0])}});
  };
  return step;
}

Expected<Step> activationStep(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto a = nn::activation(call);
  if (!a) return passError(a);
  const int64_t count = elementCount(outputs[0].shape);
  if (const auto e = eltwise(call.node().op, a->alpha, a->beta)) return onednnStep(*e, count, Type::f32);
  Step step;
  step.inPlace = 0;
  step.run = [f = *a, count](const Arguments& arguments) {
    const float* x = arguments.in<float>(0);
    float* y = arguments.out<float>(0);
    parallelFor(
        count, [&](int64_t i) { y[i] = f.apply(x[i], f.alpha, f.beta); }, 4096);
  };
  return step;
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const std::string& op : activationOperators()) kernels().add(op, opset(1, 21), Kernel{activationStep, alike});
  return true;
}();

}  // namespace

std::optional<Eltwise> eltwise(const std::string& op, float alpha, float beta) {
  using dnnl::algorithm;
  if (op == "Relu") return Eltwise{algorithm::eltwise_relu, 0, 0};
  if (op == "LeakyRelu") return Eltwise{algorithm::eltwise_relu, alpha, 0};
  if (op == "Sigmoid") return Eltwise{algorithm::eltwise_logistic, 0, 0};
  if (op == "Clip") return Eltwise{algorithm::eltwise_clip, alpha, beta};
  if (op == "Exp") return Eltwise{algorithm::eltwise_exp, 0, 0};
  if (op == "Tanh") return Eltwise{algorithm::eltwise_tanh, 0, 0};
  return std::nullopt;
}

dnnl::primitive_attr fusedAttribute(const OpCall& call) {
  dnnl::primitive_attr attribute = scratchpadAttribute();
  dnnl::post_ops after;
  if (call.has(kResidualInput)) after.append_sum();
  const std::string op = call.text(kFusedActivation, "");
  if (const auto e = eltwise(op, call.real(kFusedAlpha, 0), call.real(kFusedBeta, 0)))
    after.append_eltwise(1, e->algorithm, e->alpha, e->beta);
  attribute.set_post_ops(after);
  return attribute;
}

}  // namespace lynceus::nn::cpu
