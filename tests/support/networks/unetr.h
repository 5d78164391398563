// MONAI's UNETR: a vision transformer as the encoder of a U-Net.
#pragma once

#include "tests/support/networks/torch_export.h"

namespace lynceus::test {

/// The defaults are the published network; `layers` is a multiple of four.
struct UnetrOptions {
  int64_t patch = 16, hidden = 768, layers = 12, heads = 12, mlp = 3072, features = 16, classes = 14;
  bool decomposedNorm = false;  ///< LayerNorm as ReduceMean, Sub, Pow and so on: exporters before opset 17
  bool einsum = false;          ///< attention products as Einsum instead of MatMul with transposed keys
  bool split = false;           ///< query, key, value by Split and Squeeze instead of Gather
};

class UnetrEncoder {
 public:
  UnetrEncoder(TorchExport& t, const UnetrOptions& o) : m_t(t), m_o(o) {}

  /// (N, C, D, H, W) to (N, patches, hidden).
  std::string embed(const std::string& image, int64_t channels, int64_t patches) {
    const std::string maps = m_t.conv(
        image, {.from = channels, .to = m_o.hidden, .kernel = m_o.patch, .stride = nn::Shape(3, m_o.patch), .gain = 1});
    const std::string rows = m_t.node("Reshape", {maps, m_t.joinSizes({m_t.sizesOf(maps, 0, 2), m_t.ints({-1})})});
    const std::string tokens = m_t.node("Transpose", {rows}).ints("perm", {0, 2, 1});
    return m_t.add(tokens, m_t.weights({1, patches, m_o.hidden}, 3));
  }

  std::string block(const std::string& x) {
    const std::string y = m_t.add(x, attention(norm(x)));
    std::string z = gelu(m_t.linear(norm(y), m_o.hidden, m_o.mlp));
    z = m_t.linear(z, m_o.mlp, m_o.hidden);
    return m_t.add(y, z);
  }

  std::string norm(const std::string& x) {
    const std::string scale = m_t.scales({m_o.hidden}), bias = m_t.biases({m_o.hidden});
    if (!m_o.decomposedNorm)
      return m_t.node("LayerNormalization", {x, scale, bias}).integer("axis", -1).real("epsilon", 1e-5F).output();
    const auto mean = [&](const std::string& of) {
      return m_t.node("ReduceMean", {of}).ints("axes", {-1}).integer("keepdims", 1).output();
    };
    const std::string centred = m_t.node("Sub", {x, mean(x)});
    const std::string squares = m_t.node("Pow", {centred, m_t.scalar(2)});
    const std::string deviation = m_t.node("Sqrt", {m_t.add(mean(squares), m_t.scalar(1e-5F))});
    const std::string unit = m_t.node("Div", {centred, deviation});
    const std::string scaled = m_t.node("Mul", {unit, scale});
    return m_t.add(scaled, bias);
  }

 private:
  std::string gelu(const std::string& x) {
    const std::string divided = m_t.node("Div", {x, m_t.scalar(1.41421356F)});
    const std::string erf = m_t.node("Erf", {divided});
    const std::string product = m_t.node("Mul", {x, m_t.add(erf, m_t.scalar(1))});
    return m_t.node("Mul", {product, m_t.scalar(0.5F)});
  }

  // Query, key and value, each (N, heads, patches, hidden / heads).
  std::vector<std::string> queryKeyValue(const std::string& x) {
    const std::string all = m_t.linear(x, m_o.hidden, 3 * m_o.hidden, false);
    const std::string shape = m_t.joinSizes(
        {m_t.sizeOf(x, 0), m_t.sizeOf(x, 1), m_t.ints({3}), m_t.ints({m_o.heads}), m_t.ints({m_o.hidden / m_o.heads})});
    const std::string parted = m_t.node("Reshape", {all, shape});
    const std::string first = m_t.node("Transpose", {parted}).ints("perm", {2, 0, 3, 1, 4});
    std::vector<std::string> parts;
    if (m_o.split) {
      const auto three = m_t.node("Split", {first, m_t.ints({1, 1, 1})}, 3).integer("axis", 0);
      for (const int i : {0, 1, 2}) parts.push_back(m_t.node("Squeeze", {three.output(i), m_t.ints({0})}));
    } else {
      for (const int i : {0, 1, 2}) parts.push_back(m_t.node("Gather", {first, m_t.index(i)}).integer("axis", 0));
    }
    return parts;
  }

  std::string attention(const std::string& x) {
    const auto parts = queryKeyValue(x);
    const auto product = [&](const std::string& a, const std::string& b, const char* equation) {
      return m_t.node("Einsum", {a, b}).text("equation", equation).output();
    };
    std::string scores;
    if (m_o.einsum) {
      scores = product(parts[0], parts[1], "blxd,blyd->blxy");
    } else {
      const std::string keys = m_t.node("Transpose", {parts[1]}).ints("perm", {0, 1, 3, 2});
      scores = m_t.node("MatMul", {parts[0], keys});
    }
    const float scale = 1 / std::sqrt(static_cast<float>(m_o.hidden / m_o.heads));
    scores = m_t.node("Mul", {scores, m_t.scalar(scale)});
    const std::string weights = m_t.node("Softmax", {scores}).integer("axis", -1);
    const std::string mixed =
        m_o.einsum ? product(weights, parts[2], "bhxy,bhyd->bhxd") : m_t.node("MatMul", {weights, parts[2]}).output();
    const std::string back = m_t.node("Transpose", {mixed}).ints("perm", {0, 2, 1, 3});
    const std::string shape = m_t.joinSizes({m_t.sizeOf(x, 0), m_t.sizeOf(x, 1), m_t.ints({m_o.hidden})});
    return m_t.linear(m_t.node("Reshape", {back, shape}), m_o.hidden, m_o.hidden);
  }

  TorchExport& m_t;
  const UnetrOptions& m_o;
};

/// conv3-norm-LeakyReLU-conv3-norm, plus the input (through conv1-norm where the width changes), LeakyReLU.
inline std::string unetrBlock(TorchExport& t, const std::string& x, int64_t from, int64_t to) {
  const auto unit = [&](const std::string& in, int64_t channels, int64_t kernel) {
    return t.instanceNorm(t.conv(in, {.from = channels, .to = to, .kernel = kernel, .bias = false}), to, false);
  };
  const std::string y = unit(t.leakyRelu(unit(x, from, 3)), to, 3);
  return t.leakyRelu(t.add(y, from == to ? x : unit(x, from, 1)));
}

/// @param image  (N, C, D, H, W), input "image", sides divisible by options.patch and, N apart, not open; 96^3 in the
/// real one. Output "logits" (N, classes, D, H, W).
inline OnnxBuilder unetr(const UnetrOptions& o, const nn::Shape& image) {
  TorchExport t;
  UnetrEncoder encoder(t, o);
  const nn::Shape grid{image[2] / o.patch, image[3] / o.patch, image[4] / o.patch};
  const std::string input = t.input("image", image);
  std::string x = encoder.embed(input, image[1], nn::elementCount(grid));
  std::vector<std::string> hidden;  // after each quarter of the layers, the last normalised
  for (int64_t i = 1; i <= o.layers; ++i) {
    x = encoder.block(x);
    if (i == o.layers) x = encoder.norm(x);
    if (i % (o.layers / 4) == 0) hidden.push_back(x);
  }
  const auto maps = [&](const std::string& tokens) {
    const std::string shape = t.joinSizes({t.sizeOf(tokens, 0), t.ints(grid), t.ints({o.hidden})});
    const std::string parted = t.node("Reshape", {tokens, shape});
    return t.node("Transpose", {parted}).ints("perm", {0, 4, 1, 2, 3}).output();
  };
  const auto skip = [&](const std::string& tokens, int64_t to, int more) {
    std::string y = t.convTranspose(maps(tokens), o.hidden, to, false);
    for (int i = 0; i < more; ++i) y = unetrBlock(t, t.convTranspose(y, to, to, false), to, to);
    return y;
  };
  const int64_t f = o.features;
  const std::vector<std::string> skips{unetrBlock(t, input, image[1], f), skip(hidden[0], 2 * f, 2),
                                       skip(hidden[1], 4 * f, 1), skip(hidden[2], 8 * f, 0)};
  std::string y = maps(hidden[3]);
  int64_t from = o.hidden;
  for (size_t level = 4; level-- > 0;) {
    const int64_t to = f << level;
    y = unetrBlock(t, t.concatChannels({t.convTranspose(y, from, to, false), skips[level]}), 2 * to, to);
    from = to;
  }
  t.conv(y, {.from = f, .to = o.classes, .kernel = 1, .gain = 1});
  t.output("logits", 5);
  return t.take();
}

}  // namespace lynceus::test
