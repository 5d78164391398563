#include <functional>

#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {
namespace {

using nn::Shape;
using Ints = std::vector<int64_t>;
using Node = OnnxBuilder::NodeBuilder;

class Cases {
 public:
  /// @param build  gets the builder and the input's name, returns the output's.
  void add(const std::string& name, const Shape& input,
           const std::function<std::string(OnnxBuilder&, std::string)>& build, int opset = 17, float low = -1,
           float high = 1) {
    OnnxBuilder b(opset);
    const auto seed = static_cast<unsigned>(m_cases.size()) + 1000;
    const std::string x = b.input("x", input);
    b.graph().add_output()->set_name(build(b, x));
    // The type is needed, the shape is not: ONNX Runtime infers it.
    b.graph().mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(OnnxBuilder::Proto::FLOAT);
    m_cases.push_back({name, b, {{"x", randomTensor(input, seed, low, high)}}});
  }
  std::vector<ConformanceCase> take() { return std::move(m_cases); }

 private:
  std::vector<ConformanceCase> m_cases;
};

struct ConvCase {
  const char* name;
  Shape input, weights;
  Ints strides, pads, dilations;
  int64_t group = 1;
  const char* autoPad = nullptr;
  Ints outputPadding = {}, outputShape = {};
};

Node& set(Node& node, const ConvCase& c) {
  if (!c.strides.empty()) node.ints("strides", c.strides);
  if (!c.pads.empty()) node.ints("pads", c.pads);
  if (!c.dilations.empty()) node.ints("dilations", c.dilations);
  if (!c.outputPadding.empty()) node.ints("output_padding", c.outputPadding);
  if (!c.outputShape.empty()) node.ints("output_shape", c.outputShape);
  if (c.autoPad) node.text("auto_pad", c.autoPad);
  return node.integer("group", c.group);
}

void addConvolutions(Cases& cases) {
  const Ints pad1(6, 1);
  const ConvCase convs[] = {
      {"3x3x3, 1 channel", {1, 1, 9, 11, 13}, {8, 1, 3, 3, 3}, {}, pad1, {}},
      {"3x3x3, 17 to 19 channels", {1, 17, 7, 9, 5}, {19, 17, 3, 3, 3}, {}, pad1, {}},
      {"3x3x3, 16 to 32 channels", {2, 16, 8, 8, 8}, {32, 16, 3, 3, 3}, {}, pad1, {}},
      {"stride 2, odd size", {2, 8, 9, 7, 11}, {16, 8, 3, 3, 3}, {2, 2, 2}, pad1, {}},
      {"uneven stride and padding", {1, 3, 10, 9, 8}, {5, 3, 3, 2, 4}, {1, 2, 3}, {0, 1, 2, 1, 0, 1}, {}},
      {"k4 s2", {1, 1, 16, 16, 16}, {32, 1, 4, 4, 4}, {2, 2, 2}, pad1, {}},
      {"dilation", {1, 4, 12, 11, 13}, {6, 4, 3, 3, 3}, {}, {2, 1, 3, 2, 1, 3}, {2, 1, 3}},
      {"groups", {1, 12, 6, 7, 5}, {9, 4, 3, 3, 3}, {}, pad1, {}, 3},
      {"depthwise", {1, 16, 7, 7, 7}, {16, 1, 3, 3, 3}, {}, pad1, {}, 16},
      {"1x1x1", {2, 33, 5, 6, 7}, {3, 33, 1, 1, 1}, {}, {}, {}},
      {"1x1x1 stride 2", {1, 16, 7, 8, 9}, {32, 16, 1, 1, 1}, {2, 2, 2}, {}, {}},
      {"SAME_UPPER", {1, 3, 9, 10, 11}, {4, 3, 4, 4, 4}, {2, 2, 2}, {}, {}, 1, "SAME_UPPER"},
      {"SAME_LOWER", {1, 3, 9, 10, 11}, {4, 3, 4, 4, 4}, {2, 2, 2}, {}, {}, 1, "SAME_LOWER"},
      {"VALID", {1, 3, 9, 10, 11}, {4, 3, 3, 3, 3}, {}, {}, {}, 1, "VALID"},
      {"2D", {2, 6, 17, 15}, {10, 6, 3, 3}, {2, 1}, {1, 1, 1, 1}, {}},
      {"1D", {2, 6, 33}, {10, 6, 5}, {2}, {2, 2}, {}},
      {"7x7x7 stem", {1, 1, 20, 20, 10}, {16, 1, 7, 7, 7}, {2, 2, 1}, {3, 3, 3, 3, 3, 3}, {}},
  };
  for (const ConvCase& c : convs)
    for (const bool bias : {true, false})
      cases.add(std::string("Conv ") + c.name + (bias ? "" : ", no bias"), c.input,
                [&](OnnxBuilder& b, const std::string& x) {
                  std::vector<std::string> inputs{x, b.weights(c.weights, 7)};
                  if (bias) inputs.push_back(b.weights({c.weights[0]}, 8));
                  Node n = b.node("Conv", inputs);
                  return set(n, c).output();
                });
  const ConvCase transposed[] = {
      {"k2 s2", {1, 16, 5, 6, 7}, {16, 8, 2, 2, 2}, {2, 2, 2}, {}, {}},
      {"k2 s2, 1 channel", {2, 1, 5, 4, 3}, {1, 3, 2, 2, 2}, {2, 2, 2}, {}, {}},
      {"k3 s2 output_padding", {1, 17, 4, 5, 6}, {17, 9, 3, 3, 3}, {2, 2, 2}, pad1, {}, 1, nullptr, {1, 1, 1}},
      {"k4 s2 p1", {1, 8, 5, 5, 5}, {8, 4, 4, 4, 4}, {2, 2, 2}, pad1, {}},
      {"k3 s1 p1", {1, 5, 6, 5, 4}, {5, 7, 3, 3, 3}, {}, pad1, {}},
      {"groups", {1, 6, 4, 5, 3}, {6, 2, 3, 3, 3}, {2, 2, 2}, pad1, {}, 3},
      {"dilation", {1, 3, 5, 5, 5}, {3, 2, 3, 3, 3}, {2, 1, 2}, {}, {2, 2, 1}},
      {"k1 s2", {1, 4, 3, 4, 5}, {4, 4, 1, 1, 1}, {2, 2, 2}, {}, {}},
      {"uneven", {1, 4, 3, 4, 5}, {4, 6, 1, 2, 3}, {1, 2, 2}, {0, 0, 1, 0, 0, 0}, {}},
      {"output_shape", {1, 2, 5, 5, 5}, {2, 3, 3, 3, 3}, {2, 2, 2}, {}, {}, 1, nullptr, {}, {10, 10, 10}},
      {"SAME_UPPER", {1, 2, 5, 5, 5}, {2, 3, 3, 3, 3}, {2, 2, 2}, {}, {}, 1, "SAME_UPPER"},
      {"2D", {1, 6, 7, 5}, {6, 4, 2, 2}, {2, 2}, {}, {}},
      {"1D", {1, 6, 9}, {6, 4, 3}, {3}, {1, 1}, {}, 1, nullptr, {1}},
  };
  for (const ConvCase& c : transposed)
    cases.add(std::string("ConvTranspose ") + c.name, c.input, [&](OnnxBuilder& b, const std::string& x) {
      Node n = b.node("ConvTranspose", {x, b.weights(c.weights, 9), b.weights({c.weights[1] * c.group}, 10)});
      return set(n, c).output();
    });
}

void addPools(Cases& cases) {
  struct PoolCase {
    const char* name;
    Shape input;
    Ints kernel, strides, pads, dilations;
    int64_t ceil = 0;
    const char* autoPad = nullptr;
  };
  const PoolCase pools[] = {
      {"k2 s2", {1, 16, 8, 10, 6}, {2, 2, 2}, {2, 2, 2}, {}, {}},
      {"k3 s2 p1, 17 channels", {2, 17, 9, 7, 11}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1, 1, 1, 1}, {}},
      {"k3 s2 ceil", {1, 3, 8, 9, 10}, {3, 3, 3}, {2, 2, 2}, {}, {}, 1},
      {"k3 s2 p1 ceil, 1 channel", {1, 1, 8, 9, 10}, {3, 3, 3}, {2, 2, 2}, {1, 1, 1, 1, 1, 1}, {}, 1},
      {"uneven", {1, 4, 7, 8, 9}, {1, 2, 3}, {1, 2, 2}, {0, 0, 1, 0, 1, 1}, {}},
      {"k1 s2", {1, 5, 7, 8, 9}, {1, 1, 1}, {2, 2, 2}, {}, {}},
      {"SAME_UPPER", {1, 4, 7, 8, 9}, {3, 2, 3}, {2, 2, 2}, {}, {}, 0, "SAME_UPPER"},
      {"SAME_LOWER", {1, 4, 7, 8, 9}, {3, 2, 3}, {2, 2, 2}, {}, {}, 0, "SAME_LOWER"},
      {"2D", {1, 4, 17, 15}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {}},
      {"1D", {1, 4, 17}, {2}, {2}, {}, {}, 1},
      {"dilation", {1, 6, 9, 10, 11}, {2, 3, 2}, {1, 2, 1}, {1, 1, 1, 1, 1, 1}, {2, 2, 3}},
  };
  const auto set = [](Node n, const PoolCase& p) {
    n.ints("kernel_shape", p.kernel).ints("strides", p.strides).integer("ceil_mode", p.ceil);
    if (!p.pads.empty()) n.ints("pads", p.pads);
    if (!p.dilations.empty()) n.ints("dilations", p.dilations);
    if (p.autoPad) n.text("auto_pad", p.autoPad);
    return n;
  };
  for (const PoolCase& p : pools) {
    cases.add(std::string("MaxPool ") + p.name, p.input,
              [&](OnnxBuilder& b, const std::string& x) { return set(b.node("MaxPool", {x}), p).output(); });
    for (const int64_t padded : {0, 1})
      cases.add(
          std::string("AveragePool ") + p.name + (padded ? ", padding counts" : ""), p.input,
          [&](OnnxBuilder& b, const std::string& x) {
            return set(b.node("AveragePool", {x}), p).integer("count_include_pad", padded).output();
          },
          19);
  }
  for (const Shape& shape : {Shape{2, 17, 5, 6, 7}, Shape{1, 1, 3, 3, 3}, Shape{1, 64, 12, 12, 12}, Shape{2, 3, 9}})
    cases.add("GlobalAveragePool", shape,
              [](OnnxBuilder& b, const std::string& x) { return b.node("GlobalAveragePool", {x}).output(); });
}

void addElementwise(Cases& cases) {
  const Shape shape{2, 5, 4, 3, 7};
  for (const char* op : {"Relu", "LeakyRelu", "Sigmoid", "Exp", "Tanh", "Neg", "Abs", "Floor", "Ceil", "Elu",
                         "Softplus", "HardSigmoid", "Erf", "Identity", "Dropout"})
    cases.add(
        op, shape, [&](OnnxBuilder& b, const std::string& x) { return b.node(op, {x}).output(); }, 17, -4, 4);
  for (const char* op : {"Sqrt", "Log"})
    cases.add(
        op, shape, [&](OnnxBuilder& b, const std::string& x) { return b.node(op, {x}).output(); }, 17, 0.1F, 4);
  cases.add("LeakyRelu 0.2", shape,
            [](OnnxBuilder& b, const std::string& x) { return b.node("LeakyRelu", {x}).real("alpha", 0.2F).output(); });
  cases.add("Clip by inputs", shape, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Clip", {x, b.constant({{}, std::vector<float>{-0.25F}}), b.constant({{}, std::vector<float>{0.5F}})})
        .output();
  });
  cases.add("Clip from below", shape, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Clip", {x, b.constant({{}, std::vector<float>{-0.25F}})}).output();
  });
  cases.add(
      "Clip by attributes", shape,
      [](OnnxBuilder& b, const std::string& x) {
        return b.node("Clip", {x}).real("min", -0.5F).real("max", 0.25F).output();
      },
      7);
  cases.add(
      "Dropout 7", shape,
      [](OnnxBuilder& b, const std::string& x) { return b.node("Dropout", {x}).real("ratio", 0.5F).output(); }, 7);
  const Shape others[] = {{2, 5, 4, 3, 7}, {1, 5, 1, 1, 1}, {5, 1, 1, 1}, {7}, {}, {2, 1, 4, 1, 7}, {3, 7}};
  for (const char* op : {"Add", "Sub", "Mul", "Div", "PRelu"})
    for (const Shape& other : others)
      for (const bool first : {false, true}) {
        if (first && std::string(op) == "PRelu") continue;
        cases.add(
            std::string(op) + " of rank " + std::to_string(other.size()) + (first ? " first" : ""), shape,
            [&](OnnxBuilder& b, const std::string& x) {
              const std::string y = b.constant(randomTensor(other, 5, 0.5F, 2));
              return (first ? b.node(op, {y, x}) : b.node(op, {x, y})).output();
            },
            17, 0.5F, 2);
      }
  cases.add("Add broadcasts the input", {5, 1, 1, 1}, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Add", {x, b.constant(randomTensor({2, 5, 3, 4, 5}, 6))}).output();
  });
  cases.add(
      "Pow", shape,
      [](OnnxBuilder& b, const std::string& x) {
        return b.node("Pow", {x, b.constant({{}, std::vector<float>{1.5F}})}).output();
      },
      17, 0.1F, 3);
  cases.add("Add of itself", shape, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Add", {x, x}).output();
  });
}

void addNormalizations(Cases& cases) {
  for (const Shape& shape :
       {Shape{2, 17, 5, 4, 3}, Shape{1, 1, 6, 5, 7}, Shape{1, 32, 12, 12, 12}, Shape{2, 6, 9, 8}, Shape{3, 4, 50}}) {
    cases.add(
        "InstanceNormalization", shape,
        [&](OnnxBuilder& b, const std::string& x) {
          return b
              .node("InstanceNormalization",
                    {x, b.constant(randomTensor({shape[1]}, 1, 0.5F, 2)), b.weights({shape[1]}, 2)})
              .real("epsilon", 1e-4F)
              .output();
        },
        17, -2, 5);
    cases.add("BatchNormalization", shape, [&](OnnxBuilder& b, const std::string& x) {
      return b
          .node("BatchNormalization", {x, b.constant(randomTensor({shape[1]}, 1, 0.5F, 2)), b.weights({shape[1]}, 2),
                                       b.weights({shape[1]}, 3), b.constant(randomTensor({shape[1]}, 4, 0.1F, 2))})
          .output();
    });
    cases.add(
        "Softmax over channels", shape,
        [](OnnxBuilder& b, const std::string& x) { return b.node("Softmax", {x}).integer("axis", 1).output(); }, 17, -5,
        5);
    cases.add(
        "Softmax over the last axis", shape,
        [](OnnxBuilder& b, const std::string& x) { return b.node("Softmax", {x}).output(); }, 13, -5, 5);
    cases.add(
        "Softmax before opset 13", shape,
        [](OnnxBuilder& b, const std::string& x) { return b.node("Softmax", {x}).output(); }, 11, -5, 5);
  }
  cases.add(
      "BatchNormalization of a matrix", {4, 9},
      [](OnnxBuilder& b, const std::string& x) {
        return b
            .node("BatchNormalization", {x, b.weights({9}, 1), b.weights({9}, 2), b.weights({9}, 3),
                                         b.constant(randomTensor({9}, 4, 0.1F, 2))})
            .output();
      },
      9);
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
}

void addResizes(Cases& cases) {
  const Shape shape{1, 5, 4, 5, 6};
  const auto resize = [&](const std::string& name, const std::string& mode, const std::string& coordinates,
                          const std::string& nearest, const std::vector<float>& scales, const Ints& sizes,
                          const Shape& input, int opset) {
    cases.add(
        "Resize " + name, input,
        [&](OnnxBuilder& b, const std::string& x) {
          std::vector<std::string> inputs{
              x, "", scales.empty() ? "" : b.constant({{static_cast<int64_t>(scales.size())}, scales})};
          if (!sizes.empty()) inputs.push_back(b.ints(sizes));
          Node n = b.node("Resize", inputs).text("mode", mode).text("coordinate_transformation_mode", coordinates);
          if (!nearest.empty()) n.text("nearest_mode", nearest);
          return n.output();
        },
        opset);
  };
  for (const char* coordinates :
       {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"}) {
    const int opset = std::string(coordinates) == "half_pixel_symmetric" ? 19 : 13;
    for (const std::vector<float>& scales : {std::vector<float>{1, 1, 2, 2, 2}, std::vector<float>{1, 1, 1.5F, 3, 1}}) {
      resize(std::string("linear ") + coordinates, "linear", coordinates, "", scales, {}, shape, opset);
      for (const char* nearest : {"floor", "round_prefer_floor", "round_prefer_ceil", "ceil"})
        resize(std::string("nearest ") + coordinates + " " + nearest, "nearest", coordinates, nearest, scales, {},
               shape, opset);
    }
    resize(std::string("linear to sizes ") + coordinates, "linear", coordinates, "", {}, {1, 5, 7, 9, 11}, shape,
           opset);
    resize(std::string("nearest to sizes ") + coordinates, "nearest", coordinates, "floor", {}, {1, 5, 8, 10, 9}, shape,
           opset);
    resize(std::string("linear, smaller ") + coordinates, "linear", coordinates, "", {1, 1, 0.5F, 0.6F, 0.5F}, {},
           shape, opset);
  }
  resize("linear, 1 channel", "linear", "half_pixel", "", {1, 1, 2, 2, 2}, {}, {2, 1, 3, 4, 5}, 17);
  resize("linear 2D", "linear", "half_pixel", "", {1, 1, 2, 2}, {}, {2, 3, 4, 5}, 17);
  resize("nearest 1D", "nearest", "asymmetric", "floor", {1, 1, 2}, {}, {2, 3, 4}, 17);
  cases.add(
      "Resize 10 nearest", shape,
      [](OnnxBuilder& b, const std::string& x) {
        return b.node("Resize", {x, b.constant({{5}, std::vector<float>{1, 1, 2, 2, 2}})})
            .text("mode", "nearest")
            .output();
      },
      10);
  cases.add(
      "Upsample 9 nearest", shape,
      [](OnnxBuilder& b, const std::string& x) {
        return b.node("Upsample", {x, b.constant({{5}, std::vector<float>{1, 1, 2, 2, 2}})})
            .text("mode", "nearest")
            .output();
      },
      9);
  cases.add(
      "Resize 18 with axes", shape,
      [](OnnxBuilder& b, const std::string& x) {
        return b.node("Resize", {x, "", b.constant({{3}, std::vector<float>{2, 2, 2}})})
            .ints("axes", {2, 3, 4})
            .text("mode", "linear")
            .output();
      },
      18);
}

void addMatrices(Cases& cases) {
  struct GemmCase {
    Shape a, b, c;
    int64_t transA, transB;
    float alpha, beta;
  };
  const GemmCase gemms[] = {{{3, 64}, {64, 10}, {10}, 0, 0, 1, 1},     {{1, 512}, {2, 512}, {2}, 0, 1, 1, 1},
                            {{17, 5}, {17, 9}, {5, 9}, 1, 0, 0.5F, 2}, {{7, 6}, {9, 7}, {6, 1}, 1, 1, 1, 0.25F},
                            {{4, 8}, {8, 3}, {1}, 0, 0, 1, 0.5F},      {{4, 8}, {8, 3}, {}, 0, 0, 2, 1},
                            {{5, 8}, {8, 6}, {1, 6}, 0, 0, 1, 3}};
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
}

void addMovements(Cases& cases) {
  const Shape shape{2, 3, 4, 5, 6};
  cases.add("Flatten", shape, [](OnnxBuilder& b, const std::string& x) { return b.node("Flatten", {x}).output(); });
  cases.add("Flatten from axis -2", shape,
            [](OnnxBuilder& b, const std::string& x) { return b.node("Flatten", {x}).integer("axis", -2).output(); });
  cases.add("Reshape", shape, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Reshape", {x, b.ints({0, -1, 10})}).output();
  });
  cases.add("Reshape to 5 axes", {2, 360}, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Reshape", {x, b.ints({2, 3, 4, 5, 6})}).output();
  });
  cases.add("Transpose", shape, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Transpose", {x}).ints("perm", {0, 2, 3, 4, 1}).output();
  });
  cases.add("Transpose, reversed", {3, 4, 5},
            [](OnnxBuilder& b, const std::string& x) { return b.node("Transpose", {x}).output(); });
  cases.add("Slice", shape, [](OnnxBuilder& b, const std::string& x) {
    return b
        .node("Slice", {x, b.ints({1, -1, 0}), b.ints({4, -100, 2147483647}), b.ints({2, -1, 3}), b.ints({2, -2, 1})})
        .output();
  });
  cases.add(
      "Slice 9", shape,
      [](OnnxBuilder& b, const std::string& x) {
        return b.node("Slice", {x}).ints("starts", {1, 0}).ints("ends", {3, -1}).ints("axes", {3, 4}).output();
      },
      9);
  cases.add("Gather", shape, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Gather", {x, b.constant({{2, 2}, Ints{0, 2, -1, 1}})}).integer("axis", 1).output();
  });
  cases.add("Unsqueeze and Squeeze", {3, 4, 5}, [](OnnxBuilder& b, const std::string& x) {
    const std::string y = b.node("Unsqueeze", {x, b.ints({0, -1})});
    return b.node("Squeeze", {y, b.ints({0})}).output();
  });
  cases.add(
      "Squeeze 11", {1, 4, 1, 5},
      [](OnnxBuilder& b, const std::string& x) { return b.node("Squeeze", {x}).ints("axes", {2}).output(); }, 11);
  cases.add("Expand", {3, 1, 5}, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Expand", {x, b.ints({2, 1, 4, 1})}).output();
  });
  cases.add("Pad", shape, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Pad", {x, b.ints({0, 0, 1, 0, 2, 0, 0, 0, 3, 1}), b.constant({{}, std::vector<float>{0.5F}})})
        .output();
  });
  cases.add("Split", shape, [](OnnxBuilder& b, const std::string& x) {
    const Node parts = b.node("Split", {x, b.ints({1, 2})}, 2).integer("axis", 1);
    return b.node("Add", {parts.output(1), parts.output(0)}).output();
  });
  for (const int64_t axis : {0, 1, 2, 4, -2})
    for (const bool constant : {false, true})
      cases.add("Concat along " + std::to_string(axis) + (constant ? " with a constant" : ""), shape,
                [&](OnnxBuilder& b, const std::string& x) {
                  const std::string y = b.node("Sigmoid", {x});
                  Shape other = shape;
                  other[static_cast<size_t>(axis < 0 ? axis + 5 : axis)] = 1;
                  return b.node("Concat", {x, constant ? b.constant(randomTensor(other, 3)) : y, y})
                      .integer("axis", axis)
                      .output();
                });
  cases.add("Concat of matrices", {3, 4}, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Concat", {x, x}).integer("axis", 1).output();
  });
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
}

}  // namespace

std::vector<ConformanceCase> operatorCases() {
  Cases cases;
  addConvolutions(cases);
  addPools(cases);
  addElementwise(cases);
  addNormalizations(cases);
  addResizes(cases);
  addMatrices(cases);
  addMovements(cases);
  addExporterHabits(cases);
  return cases.take();
}

}  // namespace lynceus::test
