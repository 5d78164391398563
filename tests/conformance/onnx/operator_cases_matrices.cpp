#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {

using nn::Shape;
using Node = OnnxBuilder::NodeBuilder;

void addMatrices(Cases& cases) {
  struct GemmCase {
    Shape a, b, c;
    int64_t transA, transB;
    float alpha, beta;
  };
  const GemmCase gemms[] = {{{3, 64}, {64, 10}, {10}, 0, 0, 1, 1},     {{1, 512}, {2, 512}, {2}, 0, 1, 1, 1},
                            {{17, 5}, {17, 9}, {5, 9}, 1, 0, 0.5F, 2}, {{7, 6}, {9, 7}, {6, 1}, 1, 1, 1, 0.25F},
                            {{4, 8}, {8, 3}, {1}, 0, 0, 1, 0.5F},      {{4, 8}, {8, 3}, {}, 0, 0, 2, 1},
                            {{5, 8}, {8, 6}, {1, 6}, 0, 0, 1, 3},      {{5, 8}, {8, 6}, {5, 6}, 0, 0, 2, 0},
                            {{6, 8}, {8, 6}, {6, 1}, 0, 0, -1, 0.5F},  {{5, 8}, {8, 6}, {6}, 0, 0, 0, 2}};
  for (const GemmCase& g : gemms)
    cases.add("Gemm", g.a, [&](OnnxBuilder& b, const std::string& x) {
      std::vector<std::string> inputs{x, b.weights(g.b, 1)};
      if (!g.c.empty()) inputs.push_back(b.constant(randomTensor(g.c, 2)));
      return b.node("Gemm", inputs)
          .integer("transA", g.transA)
          .integer("transB", g.transB)
          .real("alpha", g.alpha)
          .real("beta", g.beta)
          .output();
    });
  cases.add("MatMul", {6, 40}, [](OnnxBuilder& b, const std::string& x) {
    return b.node("MatMul", {x, b.weights({40, 7}, 1)}).output();
  });
  cases.add("MatMul in batches", {2, 1, 6, 8}, [](OnnxBuilder& b, const std::string& x) {
    return b.node("MatMul", {x, b.weights({3, 8, 5}, 1)}).output();
  });
  struct EinsumCase {
    const char* equation;
    Shape first;
    std::vector<Shape> others;
  };
  const EinsumCase einsums[] = {
      {"ij,jk->ik", {5, 7}, {{7, 3}}},
      {"bij,bjk->bik", {3, 5, 7}, {{3, 7, 2}}},
      {"bchw,bkhw->bck", {2, 3, 5, 7}, {{2, 4, 5, 7}}},
      {"bcdhw,kc->bkdhw", {2, 3, 5, 4, 7}, {{17, 3}}},
      {"bnhd,bmhd->bhnm", {1, 9, 3, 5}, {{1, 7, 3, 5}}},
      {"bhnm,bmhd->bnhd", {1, 3, 9, 7}, {{1, 7, 3, 5}}},
      {"ij->ji", {5, 7}, {}},
      {"ii->i", {5, 5}, {}},
      {"ii", {5, 5}, {}},
      {"ij->", {5, 7}, {}},
      {"ij,jk", {5, 7}, {{7, 3}}},
      {"ba,ca", {5, 7}, {{3, 7}}},
      {"i,j->ij", {5}, {{7}}},
      {"i,i->", {5}, {{5}}},
      {"...ij,...jk->...ik", {2, 3, 5, 7}, {{1, 3, 7, 2}}},
      {"...i,...i", {2, 3, 5}, {{2, 3, 5}}},
      {"i...->...", {2, 3, 5}, {}},
      {"...i->i...", {2, 3, 5}, {}},
      {"ij,jk,kl->il", {3, 5}, {{5, 4}, {4, 7}}},
      {"abc,cd,be->ade", {2, 3, 5}, {{5, 4}, {3, 7}}},
      {"bij , bij -> b", {2, 3, 5}, {{2, 3, 5}}},
      {"ijk,jil->kl", {3, 5, 4}, {{5, 3, 2}}},
  };
  for (const EinsumCase& e : einsums)
    cases.add(std::string("Einsum ") + e.equation, e.first, [&](OnnxBuilder& b, const std::string& x) {
      std::vector<std::string> inputs{x};
      for (const Shape& other : e.others) inputs.push_back(b.constant(randomTensor(other, 3)));
      return b.node("Einsum", inputs).text("equation", e.equation).output();
    });
  for (const Shape& other : {Shape{5, 3}, Shape{4, 5, 3}, Shape{2, 4, 5, 3}, Shape{1, 1, 5, 17}})
    cases.add("MatMul broadcasts", {2, 4, 7, 5}, [&](OnnxBuilder& b, const std::string& x) {
      return b.node("MatMul", {x, b.constant(randomTensor(other, 4))}).output();
    });
  const std::pair<Shape, Shape> vectors[] = {
      {{2, 4, 7, 5}, {5}}, {{7, 5}, {5}}, {{5}, {5, 3}}, {{5}, {2, 5, 3}}, {{5}, {5}}};
  for (const auto& [first, second] : vectors)
    cases.add("MatMul of a vector", first, [&shape = second](OnnxBuilder& b, const std::string& x) {
      return b.node("MatMul", {x, b.constant(randomTensor(shape, 5))}).output();
    });
}

}  // namespace lynceus::test
