// Gemm and MatMul of any rank through oneDNN: operands are read where they lie, by strides, whatever their order;
// constant weights are brought once into the order that the primitive wants.
#include "core/nn/gemm.h"

#include <algorithm>

#include "core/nn/cpu/post_ops.h"
#include "core/nn/cpu/via_reference.h"
#include "core/nn/passes/fold_transpose.h"

namespace lynceus::nn::cpu {
namespace {

using dnnl::memory;

/// A product of matrices as oneDNN takes it. Ranks are equal; axes in front of the last two count matrices, and one of
/// size 1 is broadcast.
struct Product {
  memory::dims a, b, y;                       // shapes
  memory::dims stridesA, stridesB, stridesY;  // in elements
  std::vector<float> bias;                    // one for each column, or none
  float factor = 1;                           // of a * b; other than 1 only where one of them is constant
};

memory::dims dims(const Shape& shape) { return {shape.begin(), shape.end()}; }

// With ones in front up to `rank`.
memory::dims padded(const Shape& shape, size_t rank) {
  memory::dims all(rank - shape.size(), 1);
  all.insert(all.end(), shape.begin(), shape.end());
  return all;
}

memory::desc descOf(const memory::dims& shape, Type type, const memory::dims& strides) {
  return {shape, dataType(type), strides};
}

/// Weights that are known, times a factor: oneDNN chooses their order and type.
memory packed(const memory::desc& wanted, const memory::desc& given, const float* values, float factor) {
  memory to(wanted, engine());
  memory from = wrap(given, values);
  dnnl::primitive_attr scaled;
  if (factor != 1) scaled.set_output_scales(0, {factor});
  dnnl::stream stream(engine());
  dnnl::reorder(from, to, scaled).execute(stream, from, to);
  stream.wait();
  return to;
}

Step multiply(const OpCall& call, const Product& p, Type out) {
  const Type in = call.input(0).type.type;
  const bool constantA = call.input(0).value != nullptr, constantB = call.input(1).value != nullptr;
  const memory::desc givenA = descOf(p.a, constantA ? Type::f32 : in, p.stridesA);
  const memory::desc givenB = descOf(p.b, constantB ? Type::f32 : call.input(1).type.type, p.stridesB);
  const Type type = constantA ? call.input(1).type.type : in;  // of both, once constants are converted
  const auto chosen = [&](const memory::desc& given, bool constant) {
    return constant ? memory::desc(given.dims(), dataType(type), memory::format_tag::any) : given;
  };
  const memory::desc y = descOf(p.y, out, p.stridesY);
  memory::desc added;
  if (!p.bias.empty()) {
    memory::dims shape(p.y.size(), 1);
    shape.back() = p.y.back();
    added = {shape, memory::data_type::f32, memory::dims(stridesOf({shape.begin(), shape.end()}))};
  }
  const memory::desc a = chosen(givenA, constantA), b = chosen(givenB, constantB);
  const dnnl::matmul::desc desc = added.is_zero() ? dnnl::matmul::desc(a, b, y) : dnnl::matmul::desc(a, b, added, y);
  const dnnl::matmul::primitive_desc pd(desc, fusedAttribute(call), engine());
  Step step;
  step.kernel = kernelText(pd);
  step.scratchBytes = pd.scratchpad_desc().get_size();
  memory weightsA, weightsB;
  if (constantA) weightsA = packed(pd.src_desc(), givenA, call.floats(0), p.factor);
  if (constantB) weightsB = packed(pd.weights_desc(), givenB, call.floats(1), constantA ? 1 : p.factor);
  step.weightBytes = (constantA ? pd.src_desc().get_size() : 0) + (constantB ? pd.weights_desc().get_size() : 0);
  step.run = [primitive = dnnl::matmul(pd), pd, weightsA, weightsB, bias = p.bias, added](const Arguments& arguments) {
    std::unordered_map<int, memory> all{
        {DNNL_ARG_SRC, weightsA ? weightsA : wrap(pd.src_desc(), arguments.inputs[0])},
        {DNNL_ARG_WEIGHTS, weightsB ? weightsB : wrap(pd.weights_desc(), arguments.inputs[1])},
        {DNNL_ARG_DST, wrap(pd.dst_desc(), arguments.outputs[0])},
        {DNNL_ARG_SCRATCHPAD, wrap(pd.scratchpad_desc(), arguments.scratch)}};
    if (!bias.empty()) all.emplace(DNNL_ARG_BIAS, wrap(added, bias.data()));
    primitive.execute(arguments.stream, all);
  };
  return step;
}

// beta * C as one number for each column; nothing where C has another shape or is not constant.
std::optional<std::vector<float>> rowBias(const OpCall& call, int64_t columns, float beta) {
  const auto values = call.constantFloats(2);
  const auto count = values ? static_cast<int64_t>(values->size()) : 0;
  if (!values || (count != 1 && (count != columns || call.shape(2).back() != columns))) return std::nullopt;
  std::vector<float> bias(static_cast<size_t>(columns));
  for (size_t j = 0; j < bias.size(); ++j) bias[j] = beta * (*values)[count == 1 ? 0 : j];
  return bias;
}

Expected<Step> gemm(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto g = gemmOf(call);
  if (!g) return passError(g);
  const bool scalesWeights = !call.isDynamic(0) || !call.isDynamic(1);
  if ((g->alpha != 1 && !scalesWeights) || elementCount(outputs[0].shape) == 0 || g->inner == 0)
    return viaReference(call, outputs);
  Product p{{g->rows, g->inner},
            {g->inner, g->columns},
            {g->rows, g->columns},
            dims(g->strideA),
            dims(g->strideB),
            {g->columns, 1},
            {},
            g->alpha};
  if (g->addsC) {
    auto bias = rowBias(call, g->columns, g->beta);
    if (!bias) return viaReference(call, outputs);
    p.bias = std::move(*bias);
  }
  return multiply(call, p, outputs[0].type);
}

/// An operand as the product reads it: through the transposition that the fold pass left on the node.
struct Operated {
  Shape shape, strides;
};

Operated operated(const OpCall& call, const Shape& shape, const char* attribute) {
  const Shape order = call.integers(attribute), strides = stridesOf(shape);
  if (order.empty()) return {shape, strides};
  Operated o;
  for (const int64_t d : order) {
    o.shape.push_back(shape[d]);
    o.strides.push_back(strides[d]);
  }
  return o;
}

Expected<Step> matMul(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Operated a = operated(call, call.shape(0), kTransposeA), b = operated(call, call.shape(1), kTransposeB);
  const size_t rank = std::max(a.shape.size(), b.shape.size());
  const bool suits = a.shape.size() >= 2 && b.shape.size() >= 2 && rank <= DNNL_MAX_NDIMS &&
                     elementCount(outputs[0].shape) != 0 && a.shape.back() != 0;
  if (!suits) return viaReference(call, outputs);
  const Shape& out = outputs[0].shape;
  std::vector<float> bias;
  if (call.has(2)) bias = *rowBias(call, out.back(), 1);
  if (b.shape.size() == 2 && call.integers(kTransposeA).empty()) {  // all matrices of A as one
    const int64_t inner = a.shape.back(), rows = elementCount(a.shape) / inner, columns = out.back();
    return multiply(call,
                    {{rows, inner}, dims(b.shape), {rows, columns}, {inner, 1}, dims(b.strides), {columns, 1}, bias},
                    outputs[0].type);
  }
  // Along an axis of size 1 the stride means nothing.
  const auto paddedStrides = [&](const Operated& o) {
    memory::dims strides(rank - o.strides.size(), elementCount(o.shape));
    strides.insert(strides.end(), o.strides.begin(), o.strides.end());
    return strides;
  };
  return multiply(call,
                  {padded(a.shape, rank), padded(b.shape, rank), dims(out), paddedStrides(a), paddedStrides(b),
                   dims(stridesOf(out)), bias},
                  outputs[0].type);
}

LYN_REGISTER_OP(cpu, "Gemm", opset(7, 21), (Kernel{gemm, rowMajorOnly, true}));
LYN_REGISTER_OP(cpu, "MatMul", opset(1, 21), (Kernel{matMul, rowMajorOnly, true}));

}  // namespace
}  // namespace lynceus::nn::cpu
