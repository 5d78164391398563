#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {

using nn::Shape;
using Node = OnnxBuilder::NodeBuilder;

namespace {

void addGroups(Cases& cases) {
  struct GroupCase {
    Shape shape;
    int64_t groups;
  };
  const GroupCase groups[] = {
      {{2, 6, 5, 3, 7}, 3}, {{1, 33, 3, 5, 3}, 11}, {{1, 17, 4, 3, 5}, 1}, {{2, 17, 3, 3, 3}, 17},
      {{1, 1, 5, 7, 9}, 1}, {{2, 4, 9, 5}, 2},      {{3, 8, 5}, 4},        {{5, 6}, 2}};
  for (const GroupCase& g : groups)
    for (const int opset : {18, 21}) {
      const int64_t parameters = opset == 18 ? g.groups : g.shape[1];
      cases.add("GroupNormalization " + std::to_string(opset), g.shape,
                [&](OnnxBuilder& b, const std::string& x) {
                  return b
                      .node("GroupNormalization", {x, b.constant(randomTensor({parameters}, 1, 0.5F, 2)),
                                                   b.constant(randomTensor({parameters}, 2))})
                      .integer("num_groups", g.groups)
                      .real("epsilon", 1e-4F)
                      .output();
                },
                {opset, -2, 5});
    }
}

void addLayers(Cases& cases) {
  for (const Shape& shape : {Shape{2, 9, 17}, Shape{1, 3, 5, 7, 33}, Shape{2, 64, 48}})
    for (const int64_t axis : {-1, 1, 2})
      for (const bool bias : {true, false}) {
        const auto first = axis < 0 ? static_cast<int64_t>(shape.size()) + axis : axis;
        const Shape normalised(shape.begin() + first, shape.end());
        cases.add("LayerNormalization from axis " + std::to_string(axis), shape,
                  [&](OnnxBuilder& b, const std::string& x) {
                    std::vector<std::string> inputs{x, b.constant(randomTensor(normalised, 1, 0.5F, 2))};
                    if (bias) inputs.push_back(b.constant(randomTensor(normalised, 2)));
                    return b.node("LayerNormalization", inputs).integer("axis", axis).output();
                  },
                  {17, -2, 5});
      }
}

void addOthers(Cases& cases) {
  const Shape volume{2, 17, 5, 3, 7};
  cases.add("MeanVarianceNormalization", {2, 3, 5, 7},
            [](OnnxBuilder& b, const std::string& x) { return b.node("MeanVarianceNormalization", {x}).output(); },
            {9, -2, 5});
  for (const int opset : {9, 13})
    for (const Ints& axes : {Ints{2, 3, 4}, Ints{0, 2, 3, 4}, Ints{1}})
      cases.add("MeanVarianceNormalization of axes", volume,
                [&](OnnxBuilder& b, const std::string& x) {
                  return b.node("MeanVarianceNormalization", {x}).ints("axes", axes).output();
                },
                {opset, -2, 5});
  for (const int64_t axis : {1, 2, -1})
    for (const int64_t p : {1, 2})
      cases.add("LpNormalization", volume, [&](OnnxBuilder& b, const std::string& x) {
        return b.node("LpNormalization", {x}).integer("axis", axis).integer("p", p).output();
      });
  for (const Shape& shape : {Shape{2, 17, 5, 3}, Shape{1, 3, 5, 7}})
    for (const int64_t size : {1, 3, 5})
      cases.add("LRN", shape, [&](OnnxBuilder& b, const std::string& x) {
        return b.node("LRN", {x})
            .integer("size", size)
            .real("alpha", 0.5F)
            .real("beta", 0.6F)
            .real("bias", 1.5F)
            .output();
      });
  for (const char* op : {"LogSoftmax", "Hardmax"})
    for (const int opset : {7, 11, 13})
      for (const int64_t axis : {1, 2, 4})
        cases.add(std::string(op) + " " + std::to_string(opset), volume,
                  [&](OnnxBuilder& b, const std::string& x) { return b.node(op, {x}).integer("axis", axis).output(); },
                  {opset, -5, 5});
}

}  // namespace

void addNormalizations(Cases& cases) {
  for (const Shape& shape :
       {Shape{2, 17, 5, 4, 3}, Shape{1, 1, 6, 5, 7}, Shape{1, 32, 12, 12, 12}, Shape{2, 6, 9, 8}, Shape{3, 4, 50}}) {
    cases.add("InstanceNormalization", shape,
              [&](OnnxBuilder& b, const std::string& x) {
                return b
                    .node("InstanceNormalization",
                          {x, b.constant(randomTensor({shape[1]}, 1, 0.5F, 2)), b.weights({shape[1]}, 2)})
                    .real("epsilon", 1e-4F)
                    .output();
              },
              {17, -2, 5});
    cases.add("BatchNormalization", shape, [&](OnnxBuilder& b, const std::string& x) {
      return b
          .node("BatchNormalization", {x, b.constant(randomTensor({shape[1]}, 1, 0.5F, 2)), b.weights({shape[1]}, 2),
                                       b.weights({shape[1]}, 3), b.constant(randomTensor({shape[1]}, 4, 0.1F, 2))})
          .output();
    });
    cases.add("Softmax over channels", shape,
              [](OnnxBuilder& b, const std::string& x) { return b.node("Softmax", {x}).integer("axis", 1).output(); },
              {17, -5, 5});
    cases.add("Softmax over the last axis", shape,
              [](OnnxBuilder& b, const std::string& x) { return b.node("Softmax", {x}).output(); }, {13, -5, 5});
    cases.add("Softmax before opset 13", shape,
              [](OnnxBuilder& b, const std::string& x) { return b.node("Softmax", {x}).output(); }, {11, -5, 5});
  }
  cases.add("BatchNormalization of a matrix", {4, 9},
            [](OnnxBuilder& b, const std::string& x) {
              return b
                  .node("BatchNormalization", {x, b.weights({9}, 1), b.weights({9}, 2), b.weights({9}, 3),
                                               b.constant(randomTensor({9}, 4, 0.1F, 2))})
                  .output();
            },
            {9});
  for (const char* conv : {"Conv", "ConvTranspose"})
    cases.add(
        std::string("BatchNormalization behind ") + conv, {1, 6, 5, 6, 7}, [&](OnnxBuilder& b, const std::string& x) {
          const bool plain = std::string(conv) == "Conv";
          const std::string y =
              b.node(conv, {x, b.weights(plain ? Shape{8, 3, 3, 3, 3} : Shape{6, 4, 2, 2, 2}, 5), b.weights({8}, 6)})
                  .integer("group", 2);
          return b
              .node("BatchNormalization", {y, b.constant(randomTensor({8}, 1, 0.5F, 2)), b.weights({8}, 2),
                                           b.weights({8}, 3), b.constant(randomTensor({8}, 4, 0.1F, 2))})
              .output();
        });
  addGroups(cases);
  addLayers(cases);
  addOthers(cases);
}

}  // namespace lynceus::test
