// Operators on single numbers. Each number is read and written once, in place where the input is not needed any more.
#include "core/nn/cpu/loop_function.h"
#include "core/nn/cpu/pieces.h"
#include "core/nn/cpu/post_ops.h"
#include "core/nn/cpu/via_reference.h"
#include "core/nn/passes/fuse.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

constexpr int64_t kChunk = 16;  // pieces that a thread takes at a time

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

/// function(x, y, count) on floats, piece after piece.
template <class Function>
Step loopStep(const ValueType& in, const ValueType& out, const Function& function) {
  Step step;
  if (in.type == out.type) step.inPlace = 0;
  const int64_t count = elementCount(out.shape);
  step.run = [from = in.type, to = out.type, count, function](const Arguments& a) {
    parallelFor((count + kPiece - 1) / kPiece,
                [&](int64_t i) {
                  PieceBuffer source, result;
                  const int64_t first = i * kPiece, size = std::min(kPiece, count - first);
                  const float* x = widened(a.inputs[0], from, first, size, source);
                  float* y = target(a.outputs[0], to, first, result);
                  function(x, y, size);
                  narrow(y, a.outputs[0], to, first, size);
                },
                kChunk);
  };
  return step;
}

Expected<Step> activationStep(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (!call.isDynamic(0) || !call.input(0).type.isFloat()) return viaReference(call, outputs);
  const auto a = nn::activation(call);
  if (!a) return passError(a);
  const ValueType &in = call.input(0).type, &out = outputs[0];
  const int64_t count = elementCount(out.shape);
  const std::string op = call.node().op + (call.text("approximate", "none") == "tanh" ? "Tanh" : "");
  if (const auto e = eltwise(op, a->alpha, a->beta); e && in.type == out.type && count > 0)
    return onednnStep(*e, count, in.type);
  if (const auto loop = loopFunction(op, a->alpha, a->beta)) return loopStep(in, out, *loop);
  return loopStep(in, out, [f = *a](const float* x, float* y, int64_t size) {
    for (int64_t i = 0; i < size; ++i) y[i] = f.apply(x[i], f.alpha, f.beta);
  });
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const std::string& op : activationOperators())
    kernels().add(op, opset(1, 21), Kernel{activationStep, alike, true});
  return true;
}();

}  // namespace

// Not in here: what oneDNN defines or rounds in another way (Softplus overflows, Log is off by 1e-6).
std::optional<Eltwise> eltwise(const std::string& op, float alpha, float beta) {
  using dnnl::algorithm;
  if (op == "Relu") return Eltwise{algorithm::eltwise_relu, 0, 0};
  if (op == "LeakyRelu") return Eltwise{algorithm::eltwise_relu, alpha, 0};
  if (op == "Sigmoid") return Eltwise{algorithm::eltwise_logistic, 0, 0};
  if (op == "Clip") return Eltwise{algorithm::eltwise_clip, alpha, beta};
  if (op == "Exp") return Eltwise{algorithm::eltwise_exp, 0, 0};
  if (op == "Tanh") return Eltwise{algorithm::eltwise_tanh, 0, 0};
  if (op == "Elu") return Eltwise{algorithm::eltwise_elu, alpha, 0};
  if (op == "HardSwish") return Eltwise{algorithm::eltwise_hardswish, 0, 0};
  if (op == "Gelu") return Eltwise{algorithm::eltwise_gelu_erf, 0, 0};
  if (op == "GeluTanh") return Eltwise{algorithm::eltwise_gelu_tanh, 0, 0};
  if (op == "Mish") return Eltwise{algorithm::eltwise_mish, 0, 0};
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
