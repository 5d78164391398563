// Small quantised networks in the form that files have.
//
// Their scales are powers of two, which makes every float operation exact: sums of products of integers stay below 2^24
// steps. So every correct implementation, on integers or in float, gives the same bits at any depth.
#pragma once

#include "tests/support/onnx_builder.h"

namespace lynceus::test {

/// Builds the form that files have: every operator between DequantizeLinear and QuantizeLinear.
class QuantizedBuilder {
 public:
  explicit QuantizedBuilder(bool powersOfTwo, const nn::Shape& image) : m_powersOfTwo(powersOfTwo) {
    m_x = quantize(b.input("x", image), -7, nn::Type::i8);
  }

  std::string input() const { return m_x; }

  /// @param exponent  of the scale, which is a little more unless all are powers of two.
  std::string quantize(const std::string& x, int exponent, nn::Type type) {
    const float scale = std::ldexp(m_powersOfTwo ? 1.0F : 1.37F, exponent);
    const std::string s = b.constant({{}, std::vector<float>{scale}}), z = b.constant(nn::Tensor::zeros({}, type));
    m_scale = scale;
    return b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, s, z}).output(), s, z});
  }
  float lastScale() const { return m_scale; }

  /// Weights of about 1 / sqrt(fan-in), a bias in multiples of 2^-10.
  std::string convolve(const std::string& x, const char* op, const nn::Shape& weights,
                       const std::vector<int64_t>& strides, const std::vector<int64_t>& pads, int64_t group = 1) {
    const size_t axis = std::string(op) == "Conv" ? 0 : 1;
    const int64_t channels = weights[axis];
    const auto fanIn = static_cast<double>(nn::elementCount(weights)) / static_cast<double>(channels);
    const auto base = static_cast<int>(std::floor(std::log2(1 / (64 * std::sqrt(fanIn)))));
    std::vector<float> scales;
    for (int64_t c = 0; c < channels; ++c)
      scales.push_back(
          std::ldexp(m_powersOfTwo ? 1.0F : 1.1F + 0.01F * static_cast<float>(c), base - static_cast<int>(c % 3)));
    std::vector<int8_t> integers;
    for (const float v : randomFloats(static_cast<size_t>(nn::elementCount(weights)), ++m_seed, -127, 127))
      integers.push_back(static_cast<int8_t>(v));
    const std::string w =
        b.node("DequantizeLinear", {b.constant({weights, integers}), b.constant({{channels}, scales})})
            .integer("axis", static_cast<int64_t>(axis));
    const int64_t all = axis == 0 ? channels : channels * group;
    std::vector<float> bias;
    for (const float v : randomFloats(static_cast<size_t>(all), ++m_seed, -200, 200))
      bias.push_back(std::round(v) / 1024);
    return b.node(op, {x, w, b.constant({{all}, bias})})
        .ints("strides", strides)
        .ints("pads", pads)
        .integer("group", group);
  }
  std::string conv3(const std::string& x, int64_t in, int64_t out) {
    return convolve(x, "Conv", {out, in, 3, 3, 3}, {1, 1, 1}, std::vector<int64_t>(6, 1));
  }
  std::string relu(const std::string& x) { return b.node("Relu", {x}); }

  OnnxBuilder b;

 private:
  bool m_powersOfTwo;
  float m_scale = 0;
  unsigned m_seed = 100;
  std::string m_x;
};

inline OnnxBuilder quantizedChain(const nn::Shape& image) {
  QuantizedBuilder q(true, image);
  std::string x = q.quantize(q.relu(q.conv3(q.input(), image[1], 16)), -6, nn::Type::u8);
  x = q.quantize(q.b.node("LeakyRelu", {q.conv3(x, 16, 17)}).real("alpha", 0.25F), -6, nn::Type::i8);
  x = q.quantize(q.convolve(x, "Conv", {18, 17, 2, 3, 4}, {2, 1, 2}, {0, 1, 2, 1, 0, 1}), -6, nn::Type::i8);
  x = q.quantize(q.convolve(x, "Conv", {12, 6, 3, 3, 3}, {1, 1, 1}, std::vector<int64_t>(6, 1), 3), -6, nn::Type::i8);
  x = q.quantize(q.b.node("Clip", {q.conv3(x, 12, 8), q.b.constant({{}, std::vector<float>{0}}),
                                   q.b.constant({{}, std::vector<float>{1}})}),
                 -7, nn::Type::u8);
  q.b.output(q.convolve(x, "Conv", {3, 8, 1, 1, 1}, {1, 1, 1}, std::vector<int64_t>(6, 0)), 5);
  return q.b;
}

inline OnnxBuilder quantizedResidualBlocks(const nn::Shape& image) {
  QuantizedBuilder q(true, image);
  std::string x = q.quantize(q.relu(q.conv3(q.input(), image[1], 16)), -6, nn::Type::u8);
  for (const nn::Type type : {nn::Type::u8, nn::Type::i8}) {  // the residual is of the result's type, and of another
    const std::string middle = q.quantize(q.relu(q.conv3(x, 16, 16)), -6, nn::Type::u8);
    const std::string sum = q.b.node("Add", {x, q.conv3(middle, 16, 16)});
    x = q.quantize(type == nn::Type::u8 ? q.relu(sum) : sum, type == nn::Type::u8 ? -5 : -4, type);
  }
  const std::string last = q.b.node("Add", {q.conv3(x, 16, 16), x});
  q.b.output(q.relu(last), 5);  // float behind a residual of integers
  return q.b;
}

inline OnnxBuilder quantizedUNet(const nn::Shape& image) {
  QuantizedBuilder q(true, image);
  const std::string top = q.quantize(q.relu(q.conv3(q.input(), image[1], 16)), -6, nn::Type::u8);
  const auto pooled = [&](const std::string& x) {
    return q.b.node("MaxPool", {x}).ints("kernel_shape", {2, 2, 2}).ints("strides", {2, 2, 2}).output();
  };
  std::string x = q.quantize(pooled(top), -6, nn::Type::u8);
  x = q.quantize(q.relu(q.conv3(x, 16, 24)), -6, nn::Type::u8);
  const std::string low = x;
  x = q.quantize(pooled(x), -6, nn::Type::u8);
  x = q.quantize(q.relu(q.conv3(x, 24, 24)), -6, nn::Type::u8);
  x = q.quantize(q.b.node("Resize", {x, "", q.b.constant({{5}, std::vector<float>{1, 1, 2, 2, 2}})})
                     .text("mode", "nearest")
                     .text("coordinate_transformation_mode", "asymmetric")
                     .text("nearest_mode", "floor"),
                 -6, nn::Type::u8);
  x = q.quantize(q.b.node("Concat", {x, low}).integer("axis", 1), -6, nn::Type::u8);
  x = q.quantize(q.relu(q.conv3(x, 48, 16)), -6, nn::Type::u8);
  x = q.quantize(q.convolve(x, "ConvTranspose", {16, 16, 2, 2, 2}, {2, 2, 2}, std::vector<int64_t>(6, 0)), -6,
                 nn::Type::i8);
  x = q.quantize(q.relu(q.b.node("Add", {x, top})), -5, nn::Type::u8);
  q.b.output(q.convolve(x, "Conv", {2, 16, 1, 1, 1}, {1, 1, 1}, std::vector<int64_t>(6, 0)), 5);
  return q.b;
}

}  // namespace lynceus::test
