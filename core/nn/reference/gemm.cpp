// Gemm and MatMul.
#include "core/nn/gemm.h"

#include <algorithm>

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferGemm(const OpCall& call) {
  const auto g = gemmOf(call);
  if (!g) return passError(g);
  return oneOutput({g->rows, g->columns});
}

std::vector<Tensor> gemm(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Gemm g = *gemmOf(call);
  Tensor out = Tensor::zeros(outputs[0].shape);
  const Shape c = call.has(2) ? call.shape(2) : Shape{};
  const int64_t stepColumn = !c.empty() && c.back() != 1 ? 1 : 0;
  const int64_t stepRow = c.size() == 2 && c[0] != 1 ? c[1] : 0;
  for (int64_t i = 0; i < g.rows; ++i)
    for (int64_t j = 0; j < g.columns; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < g.inner; ++k)
        sum += static_cast<double>(call.floats(0)[i * g.strideA[0] + k * g.strideA[1]]) *
               call.floats(1)[k * g.strideB[0] + j * g.strideB[1]];
      const double added = g.addsC ? static_cast<double>(g.beta) * call.floats(2)[i * stepRow + j * stepColumn] : 0.0;
      out.floats()[i * g.columns + j] = static_cast<float>(g.alpha * sum + added);
    }
  return oneTensor(std::move(out));
}

// Both operands as matrices: a vector is a row on the left and a column on the right, and the result lacks that axis.
struct Product {
  Shape a, b;

  explicit Product(const OpCall& call) : a(call.shape(0)), b(call.shape(1)) {
    if (a.size() == 1) a.insert(a.begin(), 1);
    if (b.size() == 1) b.push_back(1);
  }
};

Expected<std::vector<ValueType>> inferMatMul(const OpCall& call) {
  const auto [a, b] = Product(call);
  if (a.empty() || b.empty() || a.back() != b[b.size() - 2])
    return call.refuse("shapes {} and {} do not fit", shapeText(call.shape(0)), shapeText(call.shape(1)));
  auto out = broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!out) return call.refuse("shapes {} and {} do not broadcast", shapeText(call.shape(0)), shapeText(call.shape(1)));
  if (call.shape(0).size() > 1) out->push_back(a[a.size() - 2]);
  if (call.shape(1).size() > 1) out->push_back(b.back());
  return oneOutput(std::move(*out));
}

// Where matrix `batch` of the broadcast result comes from in an operand.
int64_t matrixOffset(int64_t batch, const Shape& out, const Shape& operand) {
  int64_t offset = 0;
  const Shape strides = stridesOf(operand);
  for (size_t d = out.size() - 2; d-- > 0; batch /= out[d]) {
    const size_t missing = out.size() - operand.size();
    if (d >= missing && operand[d - missing] != 1) offset += batch % out[d] * strides[d - missing];
    if (d == 0) break;
  }
  return offset;
}

std::vector<Tensor> matMul(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  const Product p(call);
  const int64_t rows = p.a[p.a.size() - 2], columns = p.b.back(), inner = p.a.back();
  Shape shape = *broadcast(Shape(p.a.begin(), p.a.end() - 2), Shape(p.b.begin(), p.b.end() - 2));
  const int64_t batches = elementCount(shape);
  shape.insert(shape.end(), {rows, columns});
  float* y = out.floats().data();
  for (int64_t batch = 0; batch < batches; ++batch) {
    const float* a = call.floats(0) + matrixOffset(batch, shape, p.a);
    const float* b = call.floats(1) + matrixOffset(batch, shape, p.b);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < inner; ++k) sum += static_cast<double>(a[i * inner + k]) * b[k * columns + j];
        *y++ = static_cast<float>(sum);
      }
  }
  return oneTensor(std::move(out));
}

double gemmWork(const OpCall& call, const std::vector<ValueType>&) {
  const Gemm g = *gemmOf(call);
  return static_cast<double>(g.rows) * static_cast<double>(g.columns) * static_cast<double>(g.inner);
}

double matMulWork(const OpCall& call, const std::vector<ValueType>& outputs) {
  return static_cast<double>(elementCount(outputs[0].shape)) * static_cast<double>(call.shape(0).back());
}

LYN_REGISTER_OP(reference, "Gemm", opset(7, 21), (Kernel{inferGemm, gemm, 2, 3, Accepts::floats, gemmWork}));
LYN_REGISTER_OP(reference, "MatMul", opset(1, 21), (Kernel{inferMatMul, matMul, 2, 2, Accepts::floats, matMulWork}));

}  // namespace
}  // namespace lynceus::nn::reference
