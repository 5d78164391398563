#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {
namespace {

using nn::Shape;
using Node = OnnxBuilder::NodeBuilder;

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

}  // namespace

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
      cases.add(std::string("AveragePool ") + p.name + (padded ? ", padding counts" : ""), p.input,
                [&](OnnxBuilder& b, const std::string& x) {
                  return set(b.node("AveragePool", {x}), p).integer("count_include_pad", padded).output();
                },
                {19});
  }
  for (const PoolCase& p : pools) {
    for (const int64_t power : {1, 2, 3})
      cases.add(std::string("LpPool ") + p.name, p.input,
                [&](OnnxBuilder& b, const std::string& x) {
                  return set(b.node("LpPool", {x}), p).integer("p", power).output();
                },
                {18});
    for (const int64_t order : {0, 1})
      cases.add(std::string("MaxPool's indices ") + p.name + (order ? ", columns first" : ""), p.input,
                [&](OnnxBuilder& b, const std::string& x) {
                  const Node pool = set(b.node("MaxPool", {x}, 2), p).integer("storage_order", order);
                  return b.node("Add", {pool.output(0), asFloat(b, pool.output(1))}).output();
                },
                {12, -1, 1, kExact});
  }
  // Some windows see nothing of the image.
  for (const char* op : {"MaxPool", "AveragePool", "LpPool"})
    cases.add(std::string(op) + " of the padding alone", {1, 3, 2, 4, 3},
              [&](OnnxBuilder& b, const std::string& x) {
                return b.node(op, {x})
                    .ints("kernel_shape", {2, 1, 2})
                    .ints("pads", {1, 0, 1, 1, 0, 1})
                    .ints("dilations", {3, 1, 4})
                    .output();
              },
              {19});
  for (const char* op : {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"})
    for (const Shape& shape :
         {Shape{2, 17, 5, 6, 7}, Shape{1, 1, 3, 3, 3}, Shape{1, 33, 11, 9, 7}, Shape{2, 3, 9}, Shape{2, 5, 7, 3}})
      cases.add(op, shape, [&](OnnxBuilder& b, const std::string& x) { return b.node(op, {x}).output(); });
  for (const Shape& shape : {Shape{2, 3, 6, 4, 8}, Shape{1, 17, 4, 6}, Shape{2, 1, 8}})
    cases.add("MaxUnpool", shape,
              [&](OnnxBuilder& b, const std::string& x) {
                const Ints two(shape.size() - 2, 2);
                const Node pool = b.node("MaxPool", {x}, 2).ints("kernel_shape", two).ints("strides", two);
                return b.node("MaxUnpool", {pool.output(0), pool.output(1)})
                    .ints("kernel_shape", two)
                    .ints("strides", two)
                    .output();
              },
              {11, -1, 1, kExact});
}

}  // namespace lynceus::test
