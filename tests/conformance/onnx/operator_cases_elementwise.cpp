#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {

using nn::Shape;
using Node = OnnxBuilder::NodeBuilder;

namespace {

const Shape kShapes[] = {{2, 3, 5, 7, 9}, {1, 17, 3, 5, 3}, {1, 1, 7, 5, 3}, {33}};

void addUnary(Cases& cases) {
  struct Unary {
    const char* op;
    int opset;
    float low, high;
    double bound = kRelativeBound;
  };
  const Unary unaries[] = {
      {"Abs", 7, -4, 4, kExact},
      {"Acos", 7, -1, 1},
      {"Acosh", 9, 1, 4},
      {"Asin", 7, -1, 1},
      {"Asinh", 9, -4, 4},
      {"Atan", 7, -4, 4},
      {"Atanh", 9, -0.9F, 0.9F},
      {"Ceil", 7, -4, 4, kExact},
      {"Celu", 12, -4, 4},
      {"Cos", 7, -4, 4},
      {"Cosh", 9, -4, 4},
      {"Dropout", 17, -4, 4, kExact},
      {"Elu", 7, -4, 4},
      {"Erf", 9, -4, 4},
      {"Exp", 7, -4, 4},
      {"Floor", 7, -4, 4, kExact},
      {"Gelu", 20, -4, 4},
      {"HardSigmoid", 7, -4, 4},
      {"HardSwish", 14, -4, 4},
      {"Identity", 7, -4, 4, kExact},
      {"LeakyRelu", 7, -4, 4},
      {"Log", 7, 0.1F, 4},
      {"Mish", 18, -4, 4},
      {"Neg", 7, -4, 4, kExact},
      {"Reciprocal", 7, 0.5F, 4},
      {"Relu", 7, -4, 4, kExact},
      {"Round", 11, -4, 4, kExact},
      {"Selu", 7, -4, 4},
      {"Shrink", 9, -4, 4},
      {"Sigmoid", 7, -4, 4},
      {"Sign", 9, -4, 4, kExact},
      {"Sin", 7, -4, 4},
      {"Sinh", 9, -4, 4},
      {"Softplus", 7, -4, 4},
      {"Softsign", 7, -4, 4},
      {"Sqrt", 7, 0.1F, 4},
      {"Tan", 7, -1.2F, 1.2F},
      {"Tanh", 7, -4, 4},
      {"ThresholdedRelu", 10, -4, 4, kExact},
  };
  size_t turn = 0;
  for (const Unary& u : unaries)
    for (const Shape& shape : {kShapes[0], kShapes[1 + turn++ % 3]})
      cases.add(u.op, shape, [&](OnnxBuilder& b, const std::string& x) { return b.node(u.op, {x}).output(); },
                {u.opset, u.low, u.high, u.bound});
}

void addParameters(Cases& cases) {
  struct Parameter {
    const char *op, *name;
    float value;
    int opset;
  };
  const Parameter parameters[] = {{"LeakyRelu", "alpha", 0.2F, 17},  {"Elu", "alpha", 0.5F, 17},
                                  {"Celu", "alpha", 1.7F, 17},       {"Selu", "gamma", 2, 17},
                                  {"Selu", "alpha", 0.5F, 17},       {"HardSigmoid", "alpha", 0.1F, 17},
                                  {"HardSigmoid", "beta", 0.3F, 17}, {"ThresholdedRelu", "alpha", 0.25F, 17},
                                  {"Shrink", "lambd", 1, 17},        {"Shrink", "bias", 0.5F, 17},
                                  {"Dropout", "ratio", 0.5F, 7}};
  for (const Parameter& p : parameters)
    cases.add(std::string(p.op) + " " + p.name, kShapes[0],
              [&](OnnxBuilder& b, const std::string& x) { return b.node(p.op, {x}).real(p.name, p.value).output(); },
              {p.opset, -4, 4});
  for (const char* approximation : {"none", "tanh"})
    cases.add(std::string("Gelu ") + approximation, kShapes[0],
              [&](OnnxBuilder& b, const std::string& x) {
                return b.node("Gelu", {x}).text("approximate", approximation).output();
              },
              {20, -5, 5});
  cases.add("Round of halves", {17}, [](OnnxBuilder& b, const std::string& x) {
    Floats halves;
    for (int i = -8; i <= 8; ++i) halves.push_back(static_cast<float>(i) / 2);
    const std::string none = b.node("Mul", {x, scalar(b, 0)});
    return b.node("Round", {(std::string)b.node("Add", {none, b.constant({{17}, halves})})}).output();
  });
}

void addClips(Cases& cases) {
  const Shape& shape = kShapes[0];
  cases.add("Clip by inputs", shape,
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Clip", {x, scalar(b, -0.25F), scalar(b, 0.5F)}).output();
            },
            {17, -1, 1, kExact});
  cases.add("Clip from below", shape,
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Clip", {x, scalar(b, -0.25F)}).output();
            },
            {17, -1, 1, kExact});
  cases.add("Clip from above", shape,
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Clip", {x, "", scalar(b, 0.25F)}).output();
            },
            {12, -1, 1, kExact});
  cases.add("Clip by attributes", shape,
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Clip", {x}).real("min", -0.5F).real("max", 0.25F).output();
            },
            {7, -1, 1, kExact});
  cases.add("Clip of integers", shape,
            [](OnnxBuilder& b, const std::string& x) {
              const std::string low = b.constant({{}, Ints{-2}}), high = b.constant({{}, Ints{3}});
              return asFloat(b, b.node("Clip", {asInts(b, x), low, high}));
            },
            {17, -9, 9, kExact});
  for (const char* op : {"Abs", "Neg", "Sign"})
    cases.add(std::string(op) + " of integers", shape,
              [&](OnnxBuilder& b, const std::string& x) { return asFloat(b, b.node(op, {asInts(b, x)})); },
              {17, -9, 9, kExact});
}

const Shape kOthers[] = {{2, 3, 5, 7, 9}, {1, 3, 1, 1, 1}, {3, 1, 1, 1}, {9}, {}, {2, 1, 5, 1, 9}, {7, 9}};

void addBinary(Cases& cases) {
  struct Binary {
    const char* op;
    int opset;
    double bound = kRelativeBound;
  };
  const Binary binaries[] = {{"Add", 7},   {"Sub", 14},        {"Mul", 13},         {"Div", 7}, {"Pow", 7},
                             {"PRelu", 9}, {"Max", 8, kExact}, {"Min", 13, kExact}, {"Sum", 8}, {"Mean", 8}};
  for (const Binary& op : binaries)
    for (const Shape& other : kOthers)
      for (const bool first : {false, true}) {
        if (first && std::string(op.op) == "PRelu") continue;
        cases.add(std::string(op.op) + " of rank " + std::to_string(other.size()) + (first ? " first" : ""), kShapes[0],
                  [&](OnnxBuilder& b, const std::string& x) {
                    const std::string y = b.constant(randomTensor(other, 5, 0.5F, 2));
                    return (first ? b.node(op.op, {y, x}) : b.node(op.op, {x, y})).output();
                  },
                  {op.opset, 0.5F, 2, op.bound});
      }
  cases.add("Add broadcasts the input", {5, 1, 1, 1}, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Add", {x, b.constant(randomTensor({2, 5, 3, 4, 5}, 6))}).output();
  });
  cases.add("Add of itself", kShapes[0], [](OnnxBuilder& b, const std::string& x) {
    return b.node("Add", {x, x}).output();
  });
  for (const char* op : {"Max", "Min", "Sum", "Mean"})
    for (const size_t more : {size_t{0}, size_t{2}, size_t{4}})
      cases.add(std::string(op) + " of " + std::to_string(more + 1), kShapes[0],
                [&](OnnxBuilder& b, const std::string& x) {
                  std::vector<std::string> inputs{x};
                  for (size_t i = 0; i < more; ++i)
                    inputs.push_back(b.constant(randomTensor(kOthers[i], static_cast<unsigned>(i))));
                  return b.node(op, inputs).output();
                },
                {17, -1, 1});
}

void addIntegers(Cases& cases) {
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Max", "Min", "Mod", "Pow"})
    cases.add(std::string(op) + " of integers", kShapes[0],
              [&](OnnxBuilder& b, const std::string& x) {
                const std::string y = b.constant({{9}, Ints{1, 2, 3, 4, 3, 2, 1, 2, 3}});
                return asFloat(b, b.node(op, {asInts(b, x), y}));
              },
              {17, -20, 20, kExact});
  cases.add("Mod by negative integers", kShapes[0],
            [](OnnxBuilder& b, const std::string& x) {
              return asFloat(b, b.node("Mod", {asInts(b, x), b.constant({{}, Ints{-3}})}));
            },
            {13, -20, 20, kExact});
  cases.add("Mod of integers as in C", kShapes[0],
            [](OnnxBuilder& b, const std::string& x) {
              return asFloat(b, b.node("Mod", {asInts(b, x), b.constant({{}, Ints{-3}})}).integer("fmod", 1));
            },
            {13, -20, 20, kExact});
  cases.add("Mod of floats", kShapes[0],
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Mod", {x, scalar(b, 1.5F)}).integer("fmod", 1).output();
            },
            {13, -20, 20});
  cases.add("Pow with an integer exponent", kShapes[0],
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Pow", {x, b.constant({{}, Ints{3}})}).output();
            },
            {15, -2, 2});
}

void addLogic(Cases& cases) {
  struct Comparison {
    const char* op;
    int opset;
  };
  const Comparison comparisons[] = {
      {"Equal", 11}, {"Greater", 9}, {"Less", 9}, {"GreaterOrEqual", 12}, {"LessOrEqual", 16}};
  for (const Comparison& c : comparisons)
    for (const Shape& other : kOthers)
      for (const bool integers : {false, true})
        cases.add(std::string(c.op) + (integers ? " of integers" : ""), kShapes[0],
                  [&](OnnxBuilder& b, const std::string& x) {
                    const std::string y = b.constant(randomTensor(other, 3, -3, 3));
                    const std::string left = integers ? asInts(b, x) : x, right = integers ? asInts(b, y) : y;
                    return asFloat(b, b.node(c.op, {left, right}));
                  },
                  {c.opset, -3, 3, kExact});
  for (const char* op : {"And", "Or", "Xor"})
    cases.add(op, kShapes[0],
              [&](OnnxBuilder& b, const std::string& x) {
                const std::string more = b.node("Greater", {x, scalar(b, -0.5F)}),
                                  less = b.node("Less", {x, scalar(b, 0.5F)});
                return asFloat(b, b.node("Not", {(std::string)b.node(op, {more, less})}));
              },
              {17, -1, 1, kExact});
  for (const Shape& other : kOthers)
    cases.add("Where", kShapes[0],
              [&](OnnxBuilder& b, const std::string& x) {
                const std::string condition = b.node("Greater", {x, scalar(b, 0)});
                return b.node("Where", {condition, b.constant(randomTensor(other, 4)), x}).output();
              },
              {17, -1, 1, kExact});
  cases.add("IsNaN and IsInf", kShapes[0],
            [](OnnxBuilder& b, const std::string& x) {
              const std::string root = b.node("Sqrt", {x}), far = b.node("Div", {x, scalar(b, 0)});
              const std::string nan = asFloat(b, b.node("IsNaN", {root}));
              return b.node("Add", {nan, asFloat(b, b.node("IsInf", {far}).integer("detect_negative", 0))}).output();
            },
            {17, -1, 1, kExact});
}

}  // namespace

void addActivations(Cases& cases) {
  addUnary(cases);
  addParameters(cases);
  addClips(cases);
}

void addArithmetic(Cases& cases) {
  addBinary(cases);
  addIntegers(cases);
  addLogic(cases);
}

}  // namespace lynceus::test
