#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {

void Cases::add(const std::string& name, const nn::Shape& input, const Build& build, const Options& options) {
  OnnxBuilder b(options.opset);
  const auto seed = static_cast<unsigned>(m_cases.size()) + 1000;
  const std::string x = b.input("x", input);
  b.graph().add_output()->set_name(build(b, x));
  // The type is needed, the shape is not: ONNX Runtime infers it.
  b.graph().mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(OnnxBuilder::Proto::FLOAT);
  m_cases.push_back({name, b, {{"x", randomTensor(input, seed, options.low, options.high)}}, options.bound});
}

void addExporterHabits(Cases& cases) {
  cases.add("Shapes computed in the graph", {1, 3, 4, 5, 6}, [](OnnxBuilder& b, const std::string& x) {
    const std::string all = b.node("Shape", {x});
    const std::string space = b.node("Slice", {all, b.ints({2}), b.ints({5}), b.ints({0})});
    const std::string twice =
        b.node("Cast", {(std::string)b.node("Mul", {(std::string)b.node("Cast", {space}).integer("to", 1),
                                                    b.constant({{}, std::vector<float>{2}})})})
            .integer("to", 7);
    const std::string batch =
        b.node("Unsqueeze", {(std::string)b.node("Gather", {all, b.constant({{}, Ints{0}})}), b.ints({0})});
    const std::string sizes = b.node("Concat", {batch, b.ints({3}), twice}).integer("axis", 0);
    const std::string value = b.node("Constant", {}).tensor("value", {{1}, std::vector<float>{0.5F}});
    const std::string y = b.node("Resize", {x, "", "", sizes})
                              .text("mode", "nearest")
                              .text("coordinate_transformation_mode", "asymmetric")
                              .text("nearest_mode", "floor");
    return b.node("Mul", {y, value}).output();
  });
  cases.add("GroupNorm as exporters write it", {2, 8, 4, 5, 3}, [](OnnxBuilder& b, const std::string& x) {
    const std::string rows = b.node("Reshape", {x, b.ints({0, 4, -1})});
    const std::string normal = b.node("InstanceNormalization", {rows, b.constant({{4}, std::vector<float>(4, 1)}),
                                                                b.constant({{4}, std::vector<float>(4, 0)})});
    const std::string back = b.node("Reshape", {normal, (std::string)b.node("Shape", {x})});
    const std::string scaled = b.node("Mul", {back, b.weights({8, 1, 1, 1}, 1)});
    return b.node("Add", {scaled, b.weights({8, 1, 1, 1}, 2)}).output();
  });
  for (const int64_t wanted : {int64_t{1}, int64_t{2}})  // ONNX Runtime refuses a branch that is impossible
    cases.add("Squeeze of an axis of the wanted size", {2, 1, 4, 5}, [wanted](OnnxBuilder& b, const std::string& x) {
      const std::string size = b.node("Gather", {(std::string)b.node("Shape", {x}), b.constant({{}, Ints{1}})});
      const std::string isWanted = b.node("Equal", {size, b.constant({{}, Ints{wanted}})});
      const auto branch = [&](const char* op, const std::vector<std::string>& inputs, size_t rank) {
        OnnxBuilder inner;
        inner.graph().set_name(op);
        inner.output(inner.node(op, inputs), rank);
        return inner;
      };
      const std::string axes = b.ints({1});
      return b.node("If", {isWanted})
          .branch("then_branch", branch("Squeeze", {x, axes}, 3))
          .branch("else_branch", branch("Identity", {x}, 4))
          .output();
    });
}

std::vector<ConformanceCase> operatorCases() {
  Cases cases;
  for (const auto family : {addConvolutions, addPools, addActivations, addArithmetic, addNormalizations, addReductions,
                            addResizes, addSampling, addMatrices, addMovements, addIndexing, addExporterHabits})
    family(cases);
  return cases.take();
}

const std::vector<Exclusion>& exclusions() {
  static const std::vector<Exclusion> list = {
      {"Einsum, \"...\" of different ranks", "ONNX Runtime's shape inference refuses it; the standard broadcasts it"},
      {"Resize of a region whose size stays", "ONNX Runtime takes scale 1 for no change and ignores the region"},
  };
  return list;
}

}  // namespace lynceus::test
