// Writes the layers of a network as PyTorch's exporter does at opset 17: shapes and scalars as Constant nodes, sizes
// computed in the graph from Shape, GroupNorm out of InstanceNormalization. The weights are random, of a size that
// keeps activations near 1 at any depth.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "tests/support/onnx_builder.h"

namespace lynceus::test {

/// sqrt(2): keeps the mean square through a layer and a ReLU (He et al. 2015).
inline constexpr float kReluGain = 1.41421356F;

/// Odd kernels are padded so that stride 1 keeps the size, even ones not at all.
struct ConvOptions {
  int64_t from, to;
  int64_t kernel = 3;
  nn::Shape stride = {1, 1, 1};
  bool bias = true;
  float gain = kReluGain;
};

/// A layer with its weights written; applied twice, it shares them.
struct ConvLayer {
  ConvOptions options;
  std::vector<std::string> weights;
};
struct GroupNormLayer {
  int64_t groups;
  std::string scale, bias;
};

class TorchExport {
 public:
  using Ints = std::vector<int64_t>;

  OnnxBuilder take() { return std::move(m_b); }

  std::string input(const std::string& name, const nn::Shape& shape) { return m_b.input(name, shape); }
  /// Makes x, the output of the newest node, an output of the network.
  void output(const std::string& name, size_t rank) {
    m_b.graph().mutable_node(m_b.graph().node_size() - 1)->set_output(0, name);
    m_b.output(name, rank);
  }

  OnnxBuilder::NodeBuilder node(const std::string& op, const std::vector<std::string>& inputs, int outputs = 1) {
    return m_b.node(op, inputs, outputs);
  }
  std::string scalar(float value) { return constantNode({{}, std::vector<float>{value}}); }
  std::string index(int64_t value) { return constantNode({{}, Ints{value}}); }
  std::string ints(const Ints& values) { return constantNode({{static_cast<int64_t>(values.size())}, values}); }

  std::string weights(const nn::Shape& shape, int64_t fanIn, float gain = 1) {
    const float limit = gain * std::sqrt(3.0F / static_cast<float>(fanIn));
    return m_b.constant(randomTensor(shape, m_seed++, -limit, limit));
  }
  std::string biases(const nn::Shape& shape) { return m_b.constant(randomTensor(shape, m_seed++, -0.1F, 0.1F)); }
  std::string scales(const nn::Shape& shape) { return m_b.constant(randomTensor(shape, m_seed++, 0.7F, 1.3F)); }

  ConvLayer makeConv(const ConvOptions& o) {
    const int64_t k = o.kernel;
    ConvLayer layer{o, {weights({o.to, o.from, k, k, k}, o.from * k * k * k, o.gain)}};
    if (o.bias) layer.weights.push_back(biases({o.to}));
    return layer;
  }
  std::string conv(const std::string& x, const ConvLayer& layer) {
    std::vector<std::string> inputs{x};
    inputs.insert(inputs.end(), layer.weights.begin(), layer.weights.end());
    const int64_t k = layer.options.kernel;
    return node("Conv", inputs)
        .ints("dilations", Ints(3, 1))
        .integer("group", 1)
        .ints("kernel_shape", Ints(3, k))
        .ints("pads", Ints(6, k % 2 == 0 ? 0 : k / 2))
        .ints("strides", layer.options.stride)
        .output();
  }
  std::string conv(const std::string& x, const ConvOptions& o) { return conv(x, makeConv(o)); }

  /// Doubles the size: kernel 2, stride 2.
  std::string convTranspose(const std::string& x, int64_t from, int64_t to, bool bias) {
    std::vector<std::string> inputs{x, weights({from, to, 2, 2, 2}, from)};
    if (bias) inputs.push_back(biases({to}));
    return node("ConvTranspose", inputs)
        .ints("dilations", Ints(3, 1))
        .integer("group", 1)
        .ints("kernel_shape", Ints(3, 2))
        .ints("pads", Ints(6, 0))
        .ints("strides", Ints(3, 2))
        .output();
  }

  std::string maxPool(const std::string& x, int64_t kernel, int64_t stride, int64_t pad, int outputs = 1) {
    return node("MaxPool", {x}, outputs)
        .integer("ceil_mode", 0)
        .ints("dilations", Ints(3, 1))
        .ints("kernel_shape", Ints(3, kernel))
        .ints("pads", Ints(6, pad))
        .ints("strides", Ints(3, stride))
        .output();
  }

  std::string relu(const std::string& x) { return node("Relu", {x}); }
  std::string leakyRelu(const std::string& x) { return node("LeakyRelu", {x}).real("alpha", 0.01F).output(); }
  std::string add(const std::string& a, const std::string& b) { return node("Add", {a, b}); }
  std::string concatChannels(const std::vector<std::string>& parts) {
    return node("Concat", parts).integer("axis", 1).output();
  }

  std::string batchNorm(const std::string& x, int64_t channels) {
    return node("BatchNormalization",
                {x, scales({channels}), biases({channels}), biases({channels}), scales({channels})})
        .real("epsilon", 1e-5F)
        .real("momentum", 0.9F)
        .output();
  }
  std::string instanceNorm(const std::string& x, int64_t channels, bool affine) {
    const auto same = [&](float v) { return m_b.constant({{channels}, std::vector<float>(size_t(channels), v)}); };
    return node("InstanceNormalization",
                {x, affine ? scales({channels}) : same(1), affine ? biases({channels}) : same(0)})
        .real("epsilon", 1e-5F)
        .output();
  }

  GroupNormLayer makeGroupNorm(int64_t channels, int64_t groups) {
    return {groups, scales({channels, 1, 1, 1}), biases({channels, 1, 1, 1})};
  }
  std::string groupNorm(const std::string& x, const GroupNormLayer& layer) {
    const std::string rows = node("Reshape", {x, ints({0, layer.groups, -1})});
    const auto same = [&](float v) {
      return constantNode({{layer.groups}, std::vector<float>(size_t(layer.groups), v)});
    };
    const std::string ones = same(1), zeros = same(0);
    const std::string normal = node("InstanceNormalization", {rows, ones, zeros}).real("epsilon", 1e-5F);
    const std::string shape = node("Shape", {x});
    const std::string back = node("Reshape", {normal, shape});
    const std::string scaled = node("Mul", {back, layer.scale});
    return add(scaled, layer.bias);
  }

  /// y = x W + bias on the last axis, of any rank.
  std::string linear(const std::string& x, int64_t from, int64_t to, bool bias = true, float gain = 1) {
    const std::string y = node("MatMul", {x, weights({from, to}, from, gain)});
    return bias ? add(biases({to}), y) : y;
  }
  /// The same for matrices.
  std::string gemm(const std::string& x, int64_t from, int64_t to, float gain) {
    return node("Gemm", {x, weights({to, from}, from, gain), biases({to})})
        .real("alpha", 1)
        .real("beta", 1)
        .integer("transB", 1)
        .output();
  }

  std::string sizeOf(const std::string& x, int64_t axis) {
    const std::string shape = node("Shape", {x}), position = index(axis);
    const std::string size = node("Gather", {shape, position}).integer("axis", 0);
    return node("Unsqueeze", {size, ints({0})});
  }
  /// Dimensions [first, last) of x.
  std::string sizesOf(const std::string& x, int64_t first, int64_t last) {
    const std::string shape = node("Shape", {x});
    const std::string axes = ints({0}), start = ints({first}), end = ints({last});
    return node("Slice", {shape, start, end, axes});
  }
  std::string joinSizes(const std::vector<std::string>& parts) {
    return node("Concat", parts).integer("axis", 0).output();
  }

 private:
  std::string constantNode(const nn::Tensor& value) { return node("Constant", {}).tensor("value", value).output(); }

  OnnxBuilder m_b;
  unsigned m_seed = 1;
};

}  // namespace lynceus::test
