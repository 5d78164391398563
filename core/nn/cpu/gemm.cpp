// Gemm and MatMul.
#include "core/nn/gemm.h"

#include "core/nn/cpu/via_reference.h"

namespace lynceus::nn::cpu {
namespace {

using dnnl::memory;

// beta * C as one number for each column; nothing where C has another shape or is not constant.
std::optional<std::vector<float>> rowBias(const OpCall& call, const Gemm& g) {
  const auto values = call.constantFloats(2);
  const auto count = values ? static_cast<int64_t>(values->size()) : 0;
  if (!values || (count != 1 && (count != g.columns || call.shape(2).back() != g.columns))) return std::nullopt;
  std::vector<float> bias(static_cast<size_t>(g.columns));
  for (size_t j = 0; j < bias.size(); ++j) bias[j] = g.beta * (*values)[count == 1 ? 0 : j];
  return bias;
}

Step multiply(const OpCall& call, const Gemm& g, std::vector<float> bias) {
  const auto matrix = [](int64_t rows, int64_t columns, const Shape& strides) {
    return memory::desc({rows, columns}, memory::data_type::f32, memory::dims(strides.begin(), strides.end()));
  };
  const memory::desc a = matrix(g.rows, g.inner, g.strideA), b = matrix(g.inner, g.columns, g.strideB);
  const memory::desc y = matrix(g.rows, g.columns, {g.columns, 1});
  const memory::desc added = bias.empty() ? memory::desc() : matrix(1, g.columns, {g.columns, 1});
  const dnnl::matmul::desc desc = bias.empty() ? dnnl::matmul::desc(a, b, y) : dnnl::matmul::desc(a, b, added, y);
  const dnnl::matmul::primitive_desc pd(desc, scratchpadAttribute(), engine());
  Step step;
  step.kernel = kernelText(pd);
  step.scratchBytes = pd.scratchpad_desc().get_size();
  for (const size_t i : {size_t{0}, size_t{1}})
    if (call.input(i).value) step.constants.push_back(i);
  step.run = [primitive = dnnl::matmul(pd), a, b, y, added, bias = std::move(bias),
              scratch = pd.scratchpad_desc()](const Arguments& arguments) {
    std::unordered_map<int, memory> all{{DNNL_ARG_SRC, wrap(a, arguments.inputs[0])},
                                        {DNNL_ARG_WEIGHTS, wrap(b, arguments.inputs[1])},
                                        {DNNL_ARG_DST, wrap(y, arguments.outputs[0])},
                                        {DNNL_ARG_SCRATCHPAD, wrap(scratch, arguments.scratch)}};
    if (!bias.empty()) all.emplace(DNNL_ARG_BIAS, wrap(added, bias.data()));
    primitive.execute(arguments.stream, all);
  };
  return step;
}

Expected<Step> gemm(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto g = gemmOf(call);
  if (!g) return passError(g);
  if (g->alpha != 1 || elementCount(outputs[0].shape) == 0 || g->inner == 0) return viaReference(call, outputs);
  if (!call.has(2)) return multiply(call, *g, {});
  auto bias = rowBias(call, *g);
  return bias ? multiply(call, *g, std::move(*bias)) : viaReference(call, outputs);
}

Expected<Step> matMul(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (call.shape(0).size() != 2 || call.shape(1).size() != 2 || elementCount(outputs[0].shape) == 0)
    return viaReference(call, outputs);
  return gemm(call, outputs);
}

LYN_REGISTER_OP(cpu, "Gemm", opset(7, 21), (Kernel{gemm, rowMajorOnly}));
LYN_REGISTER_OP(cpu, "MatMul", opset(1, 21), (Kernel{matMul, rowMajorOnly}));

}  // namespace
}  // namespace lynceus::nn::cpu
