#include <utility>

#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {

using nn::Shape;
using Node = OnnxBuilder::NodeBuilder;

namespace {

constexpr Cases::Options kMoves{17, -1, 1, kExact};

void addPads(Cases& cases) {
  struct PadCase {
    const char* mode;
    Ints pads;
    int opset;
  };
  const PadCase pads[] = {
      {"constant", {0, 0, 1, 0, 2, 0, 0, 0, 3, 1}, 11},    {"constant", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 13},
      {"constant", {0, 0, -1, 2, -2, 0, 1, -1, 0, 3}, 18}, {"constant", {0, -1, -1, -2, 0, 0, 0, 0, -1, -2}, 13},
      {"reflect", {0, 0, 1, 2, 3, 0, 0, 3, 1, 2}, 11},     {"reflect", {0, 0, 3, 4, 5, 0, 0, 3, 4, 5}, 13},
      {"reflect", {1, 2, 1, 1, 1, 1, 2, 1, 1, 1}, 18},     {"edge", {0, 0, 1, 2, 3, 0, 0, 3, 1, 2}, 11},
      {"edge", {1, 3, 7, 1, 9, 2, 1, 0, 6, 1}, 13},        {"edge", {0, 0, -1, 2, 0, 0, 0, 1, -2, 1}, 18},
      {"wrap", {0, 0, 1, 2, 3, 0, 0, 3, 1, 2}, 19},        {"wrap", {0, 1, 4, 5, 6, 0, 0, 0, 5, 6}, 21},
  };
  for (const PadCase& p : pads)
    cases.add(std::string("Pad ") + p.mode + " " + std::to_string(p.opset), {2, 3, 4, 5, 6},
              [&](OnnxBuilder& b, const std::string& x) {
                return b.node("Pad", {x, b.ints(p.pads), scalar(b, 0.5F)}).text("mode", p.mode).output();
              },
              {p.opset, -1, 1, kExact});
  for (const char* mode : {"constant", "reflect", "edge"}) {
    cases.add(std::string("Pad 7 ") + mode, {1, 17, 5, 3, 7},
              [&](OnnxBuilder& b, const std::string& x) {
                return b.node("Pad", {x})
                    .ints("pads", {0, 0, 1, 2, 3, 0, 0, 3, 1, 2})
                    .text("mode", mode)
                    .real("value", 2)
                    .output();
              },
              {7, -1, 1, kExact});
    cases.add(std::string("Pad of named axes ") + mode, {1, 3, 5, 4, 7},
              [&](OnnxBuilder& b, const std::string& x) {
                return b.node("Pad", {x, b.ints({1, 2, 3, 0}), "", b.ints({2, -1})}).text("mode", mode).output();
              },
              {18, -1, 1, kExact});
  }
}

void addTiles(Cases& cases) {
  for (const Ints& repeats : {Ints{1, 2, 1, 3, 2}, Ints{2, 1, 1, 1, 1}, Ints{1, 1, 2, 2, 2}, Ints{1, 1, 1, 1, 1}})
    cases.add(
        "Tile", {1, 3, 5, 2, 4},
        [&](OnnxBuilder& b, const std::string& x) {
          return b.node("Tile", {x, b.ints(repeats)}).output();
        },
        kMoves);
  for (const int opset : {9, 13}) {
    cases.add("SpaceToDepth", {2, 3, 6, 4},
              [](OnnxBuilder& b, const std::string& x) {
                return b.node("SpaceToDepth", {x}).integer("blocksize", 2).output();
              },
              {opset, -1, 1, kExact});
    cases.add("DepthToSpace", {2, 27, 3, 5},
              [](OnnxBuilder& b, const std::string& x) {
                return b.node("DepthToSpace", {x}).integer("blocksize", 3).output();
              },
              {opset, -1, 1, kExact});
  }
  for (const char* mode : {"DCR", "CRD"})
    cases.add(
        std::string("DepthToSpace ") + mode, {1, 12, 3, 5},
        [&](OnnxBuilder& b, const std::string& x) {
          return b.node("DepthToSpace", {x}).integer("blocksize", 2).text("mode", mode).output();
        },
        kMoves);
}

void addSlices(Cases& cases) {
  struct SliceCase {
    Ints starts, ends, axes, steps;
  };
  const SliceCase slices[] = {{{1, 1, 1}, {4, 100, -1}, {2, 3, 4}, {1, 2, 3}},
                              {{-1, -1, -1}, {-100, 0, 1}, {2, 3, 4}, {-1, -1, -2}},
                              {{0}, {2147483647}, {-1}, {2}},
                              {{2, 0}, {3, 1}, {1, 0}, {1, 1}},
                              {{-3, -2}, {-1, 9}, {4, 2}, {1, 1}}};
  for (const SliceCase& s : slices)
    for (const int opset : {10, 13})
      cases.add(
          "Slice", {2, 3, 5, 7, 6},
          [&](OnnxBuilder& b, const std::string& x) {
            return b.node("Slice", {x, b.ints(s.starts), b.ints(s.ends), b.ints(s.axes), b.ints(s.steps)}).output();
          },
          {opset, -1, 1, kExact});
  for (const Ints& perm : {Ints{0, 2, 3, 4, 1}, Ints{0, 4, 1, 2, 3}, Ints{4, 3, 2, 1, 0}, Ints{1, 0, 2, 4, 3}})
    cases.add(
        "Transpose", {2, 17, 3, 5, 4},
        [&](OnnxBuilder& b, const std::string& x) { return b.node("Transpose", {x}).ints("perm", perm).output(); },
        kMoves);
  for (const int64_t axis : {1, 2, -1})
    cases.add("Split into equal parts", {2, 6, 4, 8},
              [&](OnnxBuilder& b, const std::string& x) {
                const Node parts = b.node("Split", {x}, 2).integer("axis", axis);
                return b.node("Sub", {parts.output(0), parts.output(1)}).output();
              },
              {axis == 2 ? 11 : 13, -1, 1, kExact});
  cases.add("Split 18 by number", {2, 7, 3},
            [](OnnxBuilder& b, const std::string& x) {
              const Node parts = b.node("Split", {x}, 3).integer("axis", 1).integer("num_outputs", 3);
              return b.node("Concat", {parts.output(2), parts.output(0), parts.output(1)}).integer("axis", 1).output();
            },
            {18, -1, 1, kExact});
}

// Values that are integers while the network runs.
void addIntegerMovements(Cases& cases) {
  using Move = std::function<std::string(OnnxBuilder&, const std::string&)>;
  const std::pair<const char*, Move> moves[] = {
      {"Transpose",
       [](auto& b, auto& x) {
         return b.node("Transpose", {x}).ints("perm", {0, 2, 3, 4, 1}).output();
       }},
      {"Slice",
       [](auto& b, auto& x) {
         return b.node("Slice", {x, b.ints({1}), b.ints({3}), b.ints({3})}).output();
       }},
      {"Reshape",
       [](auto& b, auto& x) {
         return b.node("Reshape", {x, b.ints({2, -1})}).output();
       }},
      {"Concat",
       [](auto& b, auto& x) {
         return b.node("Concat", {x, x}).integer("axis", 1).output();
       }},
      {"Pad",
       [](auto& b, auto& x) {
         return b.node("Pad", {x, b.ints({0, 0, 1, 1, 1, 0, 0, 1, 1, 1})}).output();
       }},
      {"Tile",
       [](auto& b, auto& x) {
         return b.node("Tile", {x, b.ints({1, 2, 1, 1, 2})}).output();
       }},
      {"Expand",
       [](auto& b, auto& x) {
         return b.node("Expand", {x, b.ints({2, 2, 3, 4, 5, 3})}).output();
       }},
      {"Unsqueeze",
       [](auto& b, auto& x) {
         return b.node("Unsqueeze", {x, b.ints({1})}).output();
       }},
      {"Identity", [](auto& b, auto& x) { return b.node("Identity", {x}).output(); }},
      {"Where",
       [](auto& b, auto& x) {
         const std::string more = b.node("Greater", {x, b.constant({{}, Ints{0}})});
         return b.node("Where", {more, x, b.constant({{}, Ints{-7}})}).output();
       }},
      {"CumSum",
       [](auto& b, auto& x) {
         return b.node("CumSum", {x, b.constant({{}, Ints{2}})}).output();
       }},
  };
  for (const auto& [name, move] : moves)
    cases.add(std::string(name) + " of integers", {2, 3, 4, 5, 3},
              [&move = move](OnnxBuilder& b, const std::string& x) { return asFloat(b, move(b, asInts(b, x))); },
              {17, -20, 20, kExact});
  for (const int64_t type : {OnnxBuilder::Proto::INT8, OnnxBuilder::Proto::UINT8, OnnxBuilder::Proto::INT32,
                             OnnxBuilder::Proto::BOOL, OnnxBuilder::Proto::DOUBLE})
    cases.add("Cast to type " + std::to_string(type), {2, 3, 5, 7},
              [&](OnnxBuilder& b, const std::string& x) { return asFloat(b, b.node("Cast", {x}).integer("to", type)); },
              {13, 0, 100, kExact});
  cases.add(
      "CastLike a boolean", {2, 3, 5},
      [](OnnxBuilder& b, const std::string& x) {
        return asFloat(b, b.node("CastLike", {x, b.node("Greater", {x, scalar(b, 0)}).output()}));
      },
      kMoves);
  cases.add("CastLike", {2, 3, 5},
            [](OnnxBuilder& b, const std::string& x) {
              return asFloat(b, b.node("CastLike", {x, b.constant({{}, Ints{1}})}));
            },
            {15, -9, 9, kExact});
  cases.add(
      "ConstantOfShape", {2, 3, 5},
      [](OnnxBuilder& b, const std::string& x) {
        const std::string shape = b.node("Shape", {x});
        return b.node("Add", {x, (std::string)b.node("ConstantOfShape", {shape}).tensor("value", {{1}, Floats{2}})})
            .output();
      },
      kMoves);
}

}  // namespace

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
  cases.add("Slice 9", shape,
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Slice", {x}).ints("starts", {1, 0}).ints("ends", {3, -1}).ints("axes", {3, 4}).output();
            },
            {9});
  cases.add("Unsqueeze and Squeeze", {3, 4, 5}, [](OnnxBuilder& b, const std::string& x) {
    const std::string y = b.node("Unsqueeze", {x, b.ints({0, -1})});
    return b.node("Squeeze", {y, b.ints({0})}).output();
  });
  cases.add("Squeeze 11", {1, 4, 1, 5},
            [](OnnxBuilder& b, const std::string& x) { return b.node("Squeeze", {x}).ints("axes", {2}).output(); },
            {11});
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
  addPads(cases);
  addTiles(cases);
  addSlices(cases);
  addIntegerMovements(cases);
}

}  // namespace lynceus::test
