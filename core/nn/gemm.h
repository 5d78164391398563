// Gemm: Y = alpha * A' * B' + beta * C, checked; shared by shape inference and every backend.
#pragma once

#include "core/nn/op_call.h"

namespace lynceus::nn {

struct Gemm {
  int64_t rows = 0, columns = 0, inner = 0;
  Shape strideA, strideB;  ///< in elements: of A by (row, inner), of B by (inner, column)
  float alpha = 1, beta = 1;
  bool addsC = false;  ///< false where C is absent, or beta is 0: then not even its infinities count
};

inline Expected<Gemm> gemmOf(const OpCall& call) {
  const Shape &a = call.shape(0), &b = call.shape(1);
  if (a.size() != 2 || b.size() != 2)
    return call.refuse("needs two matrices, not shapes {} and {}", shapeText(a), shapeText(b));
  const bool transA = call.integer("transA", 0) != 0, transB = call.integer("transB", 0) != 0;
  Gemm g;
  g.rows = a[transA ? 1 : 0];
  g.inner = a[transA ? 0 : 1];
  g.columns = b[transB ? 0 : 1];
  g.strideA = transA ? Shape{1, a[1]} : Shape{a[1], 1};
  g.strideB = transB ? Shape{1, b[1]} : Shape{b[1], 1};
  g.alpha = call.real("alpha", 1);
  g.beta = call.real("beta", 1);
  g.addsC = call.has(2) && g.beta != 0;
  if (b[transB ? 1 : 0] != g.inner) return call.refuse("shapes {} and {} do not fit", shapeText(a), shapeText(b));
  const Shape out{g.rows, g.columns};
  if (call.has(2) && broadcast(out, call.shape(2)) != out)
    return call.refuse("C of shape {} for a result of shape {}", shapeText(call.shape(2)), shapeText(out));
  return g;
}

}  // namespace lynceus::nn
