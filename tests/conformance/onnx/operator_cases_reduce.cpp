#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {

using nn::Shape;
using Node = OnnxBuilder::NodeBuilder;

namespace {

// The axes as this operator set wants them.
Node reduce(OnnxBuilder& b, const std::string& op, const std::string& x, const Ints& axes, int opset) {
  const bool asInput = opset >= (op == "ReduceSum" ? 13 : 18);
  if (axes.empty()) return b.node(op, {x});
  return asInput ? b.node(op, {x, b.ints(axes)}) : b.node(op, {x}).ints("axes", axes);
}

void addReduce(Cases& cases) {
  const char* const ops[] = {"ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceMax",    "ReduceMin",
                             "ReduceProd", "ReduceL1",  "ReduceL2",        "ReduceLogSum", "ReduceLogSumExp"};
  const Ints axesLists[] = {{2, 3, 4}, {1}, {-1}, {0, 2}, {}, {3}};
  for (const std::string op : ops) {
    const bool chooses = op == "ReduceMax" || op == "ReduceMin";
    constexpr int kOpsets[] = {9, 13, 18};
    size_t turn = 0;
    for (const Ints& axes : axesLists)
      for (const int64_t keep : {0, 1}) {
        const int opset = kOpsets[turn++ % 3];
        cases.add(op + " " + std::to_string(opset) + " of " + std::to_string(axes.size()) + " axes", {2, 3, 5, 7, 3},
                  [&](OnnxBuilder& b, const std::string& x) {
                    return reduce(b, op, x, axes, opset).integer("keepdims", keep).output();
                  },
                  {opset, 0.7F, 1.3F, chooses ? kExact : kRelativeBound});
      }
    cases.add(op + " of 17 channels", {1, 17, 9, 5, 11},
              [&](OnnxBuilder& b, const std::string& x) {
                return reduce(b, op, x, {2, 3, 4}, 20).output();
              },
              {20, 0.9F, 1.1F});
    cases.add(op + " of nothing", {1, 3, 5},
              [&](OnnxBuilder& b, const std::string& x) {
                return b.node(op, {x}).integer("noop_with_empty_axes", 1).output();
              },
              {18, 0.5F, 1.5F});
  }
  for (const char* op : {"ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"})
    cases.add(std::string(op) + " of integers", {2, 3, 5},
              [&](OnnxBuilder& b, const std::string& x) {
                return asFloat(b, reduce(b, op, asInts(b, x), {1, 2}, 18));
              },
              {18, -3, 4, kExact});
}

void addOrdering(Cases& cases) {
  for (const char* op : {"ArgMax", "ArgMin"})
    for (const int64_t axis : {0, 1, 2, -1})
      for (const int opset : {11, 13}) {
        cases.add(op, {2, 17, 5, 3, 7},
                  [&](OnnxBuilder& b, const std::string& x) {
                    return asFloat(b, b.node(op, {x}).integer("axis", axis).integer("keepdims", axis & 1));
                  },
                  {opset, -1, 1, kExact});
        cases.add(std::string(op) + " of equals", {2, 5, 4, 9},
                  [&](OnnxBuilder& b, const std::string& x) {
                    const std::string few = b.node("Round", {x});
                    return asFloat(b,
                                   b.node(op, {few}).integer("axis", axis).integer("select_last_index", opset == 13));
                  },
                  {opset == 13 ? 13 : 12, -2, 2, kExact});
      }
  for (const int64_t axis : {1, 2, -1})
    for (const int64_t largest : {0, 1}) {
      cases.add(
          "TopK", {2, 7, 5, 9},
          [&](OnnxBuilder& b, const std::string& x) {
            const Node top = b.node("TopK", {x, b.ints({3})}, 2).integer("axis", axis).integer("largest", largest);
            return b.node("Add", {top.output(0), asFloat(b, top.output(1))}).output();
          },
          {11, -1, 1, kExact});
      cases.add(
          "TopK of equals", {2, 7, 5, 9},
          [&](OnnxBuilder& b, const std::string& x) {
            const std::string few = b.node("Round", {x});
            return asFloat(
                b, b.node("TopK", {few, b.ints({4})}, 2).integer("axis", axis).integer("largest", largest).output(1));
          },
          {17, -2, 2, kExact});
    }
  cases.add("TopK 9", {3, 11},
            [](OnnxBuilder& b, const std::string& x) { return b.node("TopK", {x}, 2).integer("k", 4).output(); },
            {9, -1, 1, kExact});
  for (const int64_t axis : {0, 2, -1})
    for (const int64_t flags : {0, 1, 2, 3})
      cases.add("CumSum", {2, 3, 5, 7},
                [&](OnnxBuilder& b, const std::string& x) {
                  return b.node("CumSum", {x, b.constant({{}, Ints{axis}})})
                      .integer("exclusive", flags & 1)
                      .integer("reverse", flags >> 1)
                      .output();
                },
                {flags < 2 ? 11 : 14, -1, 1});
}

}  // namespace

void addReductions(Cases& cases) {
  addReduce(cases);
  addOrdering(cases);
}

}  // namespace lynceus::test
