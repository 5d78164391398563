#include <functional>

#include "tests/conformance/onnx/cases.h"
#include "tests/support/networks/quantized.h"

namespace lynceus::test {
namespace {

using nn::Shape;

// Sums of integers rescaled in float: ours rounds the scales in another order than ONNX Runtime, so that a result
// within rounding of a tie may go to the other neighbour: one step of the output, which is 1 because cases end with a
// Cast of the integers to float. Where nothing is summed there is one division and one rounding on both sides: exact.
constexpr double kOneStep = 1, kNoStep = 0;

std::string one(OnnxBuilder& b, float v) { return b.constant({{}, std::vector<float>{v}}); }
std::string zero(OnnxBuilder& b, int8_t v) { return b.constant({{}, std::vector<int8_t>{v}}); }
std::string zero(OnnxBuilder& b, uint8_t v) { return b.constant({{}, std::vector<uint8_t>{v}}); }

template <class T>
nn::Tensor randomBytes(const Shape& shape, unsigned seed, int low, int high) {
  std::vector<T> values;
  for (const float v : randomFloats(static_cast<size_t>(nn::elementCount(shape)), seed))
    values.push_back(static_cast<T>(low + static_cast<int>((v + 1) / 2 * static_cast<float>(high - low))));
  return {shape, std::move(values)};
}

std::string toFloat(OnnxBuilder& b, const std::string& x) {
  return b.node("Cast", {x}).integer("to", OnnxBuilder::Proto::FLOAT);
}

class QuantizedCases {
 public:
  /// @param build  gets the builder and the input's name (values in -1..1), returns the output's.
  void add(const std::string& name, const Shape& input, double bound,
           const std::function<std::string(OnnxBuilder&, std::string)>& build, int opset = 17) {
    OnnxBuilder b(opset);
    const std::string x = b.input("x", input);
    b.graph().add_output()->set_name(build(b, x));
    b.graph().mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(OnnxBuilder::Proto::FLOAT);
    const auto seed = static_cast<unsigned>(m_cases.size()) + 5000;
    m_cases.push_back({name, b, {{"x", randomTensor(input, seed)}}, kRelativeBound, bound});
  }
  std::vector<ConformanceCase> take() { return std::move(m_cases); }

 private:
  std::vector<ConformanceCase> m_cases;
};

void addMaps(QuantizedCases& cases) {
  const Shape shape{2, 5, 3, 7, 4};
  const auto quantize = [](OnnxBuilder& b, const std::string& x, const std::string& scale,
                           const std::string& zeroPoint) {
    return b.node("QuantizeLinear", zeroPoint.empty() ? std::vector{x, scale} : std::vector{x, scale, zeroPoint});
  };
  // 2^-7: every second value of a grid is a tie. 0.003: most values saturate.
  for (const float scale : {0.0078125F, 0.02F, 0.003F})
    for (const int opset : {10, 13, 19, 21}) {
      const std::string what = " by " + std::to_string(scale) + ", opset " + std::to_string(opset);
      const auto add = [&](const std::string& name, const auto& zeroPoint) {
        cases.add(
            name + what, shape, kNoStep,
            [&](OnnxBuilder& b, const std::string& x) {
              return toFloat(b, quantize(b, x, one(b, scale), zeroPoint(b)));
            },
            opset);
      };
      add("QuantizeLinear uint8", [](OnnxBuilder& b) { return zero(b, uint8_t{100}); });
      add("QuantizeLinear int8", [](OnnxBuilder& b) { return zero(b, int8_t{-3}); });
      add("QuantizeLinear without zero point", [](OnnxBuilder&) { return std::string(); });
    }
  cases.add("QuantizeLinear of ties", shape, kNoStep, [&](OnnxBuilder& b, const std::string& x) {
    const std::string grid = b.node("Floor", {b.node("Mul", {x, one(b, 50)}).output()});
    return toFloat(b, quantize(b, grid, one(b, 2), zero(b, int8_t{1})));
  });
  cases.add(
      "QuantizeLinear with output_dtype", shape, kNoStep,
      [&](OnnxBuilder& b, const std::string& x) {
        return toFloat(b, quantize(b, x, one(b, 0.02F), "").integer("output_dtype", OnnxBuilder::Proto::INT8));
      },
      21);
  for (const int64_t axis : {0, 1, 3, -1, -4}) {
    const int64_t n = shape[static_cast<size_t>(axis < 0 ? axis + 5 : axis)];
    cases.add("Quantised along axis " + std::to_string(axis), shape, kNoStep,
              [&](OnnxBuilder& b, const std::string& x) {
                const std::string scales = b.constant(randomTensor({n}, 4, 0.005F, 0.02F));
                const std::string zeros = b.constant(randomBytes<int8_t>({n}, 5, -20, 20));
                const std::string q = quantize(b, x, scales, zeros).integer("axis", axis);
                return b.node("DequantizeLinear", {q, scales, zeros}).integer("axis", axis).output();
              });
  }
  cases.add(
      "DequantizeLinear of weights and an int32 bias", {1, 6, 5, 4, 3}, kNoStep,
      [](OnnxBuilder& b, const std::string& x) {
        nn::onnx::TensorProto& bias = *b.graph().add_initializer();
        bias.set_name("bias");
        bias.add_dims(8);
        bias.set_data_type(OnnxBuilder::Proto::INT32);
        for (const int32_t v : {1, -2, 300, -40000, 5000000, -16777216, 7, 0}) bias.add_int32_data(v);
        const std::string y =
            b.node("DequantizeLinear", {"bias", b.constant(randomTensor({8}, 2, 1e-6F, 2e-6F))}).integer("axis", 0);
        const std::string w =
            b.node("DequantizeLinear", {b.constant(randomBytes<int8_t>({8, 6, 3, 3, 3}, 3, -127, 127)),
                                        b.constant(randomTensor({8}, 4, 0.001F, 0.002F))})
                .integer("axis", 0);
        return b.node("Conv", {x, w, y}).ints("pads", Ints(6, 1)).output();
      });
  cases.add("DynamicQuantizeLinear", shape, kNoStep, [](OnnxBuilder& b, const std::string& x) {
    const auto q = b.node("DynamicQuantizeLinear", {x}, 3);
    return b.node("DequantizeLinear", {q.output(0), q.output(1), q.output(2)}).output();
  });
}

struct ConvCase {
  const char* name;
  Shape input, weights;
  Ints strides, pads, dilations;
  int64_t group = 1;
};

const ConvCase kConvs[] = {
    {"3x3x3", {1, 8, 5, 6, 7}, {16, 8, 3, 3, 3}, {}, Ints(6, 1), {}},
    {"odd sizes and channels", {2, 17, 7, 5, 9}, {19, 17, 3, 3, 3}, {}, Ints(6, 1), {}},
    {"1 channel, stride 2", {1, 1, 9, 10, 11}, {8, 1, 4, 4, 4}, {2, 2, 2}, Ints(6, 1), {}},
    {"uneven", {1, 3, 10, 9, 8}, {5, 3, 3, 2, 4}, {1, 2, 3}, {0, 1, 2, 1, 0, 1}, {}},
    {"groups", {1, 12, 6, 7, 5}, {9, 4, 3, 3, 3}, {}, Ints(6, 1), {}, 3},
    {"depthwise", {1, 16, 6, 5, 7}, {16, 1, 3, 3, 3}, {}, Ints(6, 1), {}, 16},
    {"dilation", {1, 4, 9, 8, 7}, {6, 4, 3, 3, 3}, {}, {2, 1, 2, 2, 1, 2}, {2, 1, 2}},
    {"2D", {2, 6, 9, 11}, {10, 6, 3, 3}, {2, 1}, Ints(4, 1), {}},
};

OnnxBuilder::NodeBuilder set(OnnxBuilder::NodeBuilder node, const ConvCase& c) {
  if (!c.strides.empty()) node.ints("strides", c.strides);
  if (!c.pads.empty()) node.ints("pads", c.pads);
  if (!c.dilations.empty()) node.ints("dilations", c.dilations);
  return node.integer("group", c.group);
}

void addConvolutions(QuantizedCases& cases) {
  for (const ConvCase& c : kConvs)
    for (const bool perAxis : {false, true}) {
      const int64_t channels = c.weights[0];
      // So that most results neither saturate nor vanish: a sum of n products of +-64 by +-64 steps.
      const auto fanIn = static_cast<float>(nn::elementCount(c.weights)) / static_cast<float>(channels);
      cases.add(std::string("QLinearConv ") + c.name + (perAxis ? ", per channel" : ""), c.input, kOneStep,
                [&](OnnxBuilder& b, const std::string& x) {
                  const std::string scale = one(b, 0.01F), zeroPoint = zero(b, uint8_t{100});
                  const std::string q = b.node("QuantizeLinear", {x, scale, zeroPoint});
                  const std::string w = b.constant(randomBytes<int8_t>(c.weights, 6, -127, 127));
                  const std::string ws =
                      perAxis ? b.constant(randomTensor({channels}, 7, 0.005F, 0.01F)) : one(b, 0.01F);
                  const std::string wz =
                      perAxis ? b.constant({{channels}, std::vector<int8_t>(static_cast<size_t>(channels))})
                              : zero(b, int8_t{0});
                  nn::onnx::TensorProto& bias = *b.graph().add_initializer();
                  bias.set_name("bias");
                  bias.add_dims(channels);
                  bias.set_data_type(OnnxBuilder::Proto::INT32);
                  for (const float v : randomFloats(static_cast<size_t>(channels), 8, -5000, 5000))
                    bias.add_int32_data(static_cast<int32_t>(v));
                  const std::string y =
                      set(b.node("QLinearConv", {q, scale, zeroPoint, w, ws, wz, one(b, 0.01F * std::sqrt(fanIn)),
                                                 zero(b, uint8_t{128}), "bias"}),
                          c);
                  return toFloat(b, y);
                });
    }
  // Integer sums stay below 2^24, where float is exact.
  for (const ConvCase& c : kConvs)
    cases.add(std::string("ConvInteger ") + c.name, c.input, kNoStep, [&](OnnxBuilder& b, const std::string& x) {
      const std::string zeroPoint = zero(b, uint8_t{77});
      const std::string q = b.node("QuantizeLinear", {x, one(b, 0.01F), zeroPoint});
      const std::string w = b.constant(randomBytes<int8_t>(c.weights, 9, -100, 100));
      return toFloat(b, set(b.node("ConvInteger", {q, w, zeroPoint}), c));
    });
}

void addMatrices(QuantizedCases& cases) {
  for (const bool perAxis : {false, true})
    cases.add(std::string("QLinearMatMul") + (perAxis ? ", per column" : ""), {5, 40}, kOneStep,
              [&](OnnxBuilder& b, const std::string& x) {
                const std::string scale = one(b, 0.01F), zeroPoint = zero(b, uint8_t{100});
                const std::string q = b.node("QuantizeLinear", {x, scale, zeroPoint});
                const std::string w = b.constant(randomBytes<int8_t>({40, 7}, 6, -127, 127));
                const std::string ws = perAxis ? b.constant(randomTensor({7}, 7, 0.005F, 0.01F)) : one(b, 0.01F);
                const std::string wz = perAxis ? b.constant(randomBytes<int8_t>({7}, 8, -9, 9)) : zero(b, int8_t{4});
                return toFloat(
                    b, b.node("QLinearMatMul", {q, scale, zeroPoint, w, ws, wz, one(b, 0.06F), zero(b, uint8_t{128})}));
              });
  cases.add("MatMulInteger", {5, 40}, kNoStep, [](OnnxBuilder& b, const std::string& x) {
    const std::string zeroPoint = zero(b, uint8_t{100});
    const std::string q = b.node("QuantizeLinear", {x, one(b, 0.01F), zeroPoint});
    return toFloat(b, b.node("MatMulInteger", {q, b.constant(randomBytes<int8_t>({40, 7}, 6, -127, 127)), zeroPoint,
                                               zero(b, int8_t{3})}));
  });
  cases.add("Dynamic quantisation as exporters write it", {5, 40}, kNoStep, [](OnnxBuilder& b, const std::string& x) {
    const auto q = b.node("DynamicQuantizeLinear", {x}, 3);
    const std::string sum =
        b.node("MatMulInteger", {q.output(0), b.constant(randomBytes<int8_t>({40, 7}, 6, -127, 127)), q.output(2)});
    const std::string scale = b.node("Mul", {q.output(1), one(b, 0.01F)});
    return b.node("Mul", {toFloat(b, sum), scale}).output();
  });
}

}  // namespace

std::vector<ConformanceCase> quantizedCases() {
  QuantizedCases cases;
  addMaps(cases);
  addConvolutions(cases);
  addMatrices(cases);
  std::vector<ConformanceCase> all = cases.take();
  const Shape image{1, 1, 8, 12, 16};
  const std::vector<nn::NamedTensor> input{{"x", randomTensor(image, 3)}};
  all.push_back({"A chain of quantised convolutions", quantizedChain(image), input, kExact});
  all.push_back({"Quantised residual blocks", quantizedResidualBlocks(image), input, kExact});
  all.push_back({"A quantised U-Net", quantizedUNet(image), input, kExact});
  return all;
}

}  // namespace lynceus::test
