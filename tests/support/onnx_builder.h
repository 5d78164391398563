// Builds ONNX models in memory, for tests: the same schema as the importer, none of its reading code.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/nn/onnx_tensor.h"
#include "core/nn/tensor.h"

namespace lynceus::test {

/// Numbers in [low, high) that depend on the seed alone, the same on every machine.
inline std::vector<float> randomFloats(size_t count, unsigned seed, float low = -1, float high = 1) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (float& v : values) v = low + (high - low) * static_cast<float>(generator() >> 8) * 0x1p-24F;
  return values;
}

inline nn::Tensor randomTensor(nn::Shape shape, unsigned seed, float low = -1, float high = 1) {
  const auto count = static_cast<size_t>(nn::elementCount(shape));
  return {std::move(shape), randomFloats(count, seed, low, high)};
}

/// `builder.node("Conv", {"x", builder.weights({8, 1, 3, 3, 3})}).ints("pads", {1, 1, 1, 1, 1, 1})`
class OnnxBuilder {
 public:
  using Proto = nn::onnx::TensorProto;

  class NodeBuilder {
   public:
    NodeBuilder(nn::onnx::NodeProto* node) : m_node(node) {}  // NOLINT: reads like the name of its output
    NodeBuilder& integer(const std::string& name, int64_t value) {
      auto* a = add(name, nn::onnx::AttributeProto::INT);
      a->set_i(value);
      return *this;
    }
    NodeBuilder& real(const std::string& name, float value) {
      auto* a = add(name, nn::onnx::AttributeProto::FLOAT);
      a->set_f(value);
      return *this;
    }
    NodeBuilder& text(const std::string& name, const std::string& value) {
      auto* a = add(name, nn::onnx::AttributeProto::STRING);
      a->set_s(value);
      return *this;
    }
    NodeBuilder& ints(const std::string& name, const std::vector<int64_t>& values) {
      auto* a = add(name, nn::onnx::AttributeProto::INTS);
      for (const int64_t v : values) a->add_ints(v);
      return *this;
    }
    NodeBuilder& floats(const std::string& name, const std::vector<float>& values) {
      auto* a = add(name, nn::onnx::AttributeProto::FLOATS);
      for (const float v : values) a->add_floats(v);
      return *this;
    }
    NodeBuilder& tensor(const std::string& name, const nn::Tensor& value) {
      nn::writeOnnxTensor(value, *add(name, nn::onnx::AttributeProto::TENSOR)->mutable_t());
      return *this;
    }
    /// A branch of an If, built by itself; it may read the values of this graph by their names.
    NodeBuilder& branch(const std::string& name, const OnnxBuilder& branch) {
      add(name, nn::onnx::AttributeProto::GRAPH)->set_g(branch.m_model.graph().SerializeAsString());
      return *this;
    }
    /// The name of output i.
    std::string output(int i = 0) const { return m_node->output(i); }
    operator std::string() const { return output(); }

   private:
    nn::onnx::AttributeProto* add(const std::string& name, int type) {
      auto* a = m_node->add_attribute();
      a->set_name(name);
      a->set_type(type);
      return a;
    }
    nn::onnx::NodeProto* m_node;
  };

  explicit OnnxBuilder(int opset = 17) {
    m_model.set_ir_version(8);
    m_model.add_opset_import()->set_version(opset);
  }

  nn::onnx::ModelProto& model() { return m_model; }
  nn::onnx::GraphProto& graph() { return *m_model.mutable_graph(); }

  /// -1 leaves a dimension open.
  std::string input(const std::string& name, const nn::Shape& shape) {
    describe(*graph().add_input(), name, shape);
    return name;
  }
  void output(const std::string& name, size_t rank) { describe(*graph().add_output(), name, nn::Shape(rank, -1)); }

  std::string constant(const nn::Tensor& value) {
    auto* proto = graph().add_initializer();
    nn::writeOnnxTensor(value, *proto);
    proto->set_name("constant" + std::to_string(m_names++));
    return proto->name();
  }
  std::string ints(const std::vector<int64_t>& values) {
    return constant({{static_cast<int64_t>(values.size())}, values});
  }
  /// Random weights whose outputs keep the size of the inputs: +-sqrt(3 / fan-in).
  std::string weights(const nn::Shape& shape, unsigned seed) {
    const auto fanIn = static_cast<float>(nn::elementCount(shape)) / static_cast<float>(shape[0]);
    const float limit = shape.size() > 1 ? std::sqrt(3.0F / fanIn) : 0.5F;
    return constant(randomTensor(shape, seed, -limit, limit));
  }

  NodeBuilder node(const std::string& op, const std::vector<std::string>& inputs, int outputs = 1) {
    auto* n = graph().add_node();
    n->set_op_type(op);
    n->set_name(op + "_" + std::to_string(m_names++));
    for (const std::string& name : inputs) n->add_input(name);
    for (int i = 0; i < outputs; ++i) n->add_output(n->name() + "_out" + (i == 0 ? "" : std::to_string(i)));
    return {n};
  }

  std::vector<std::byte> bytes() const {
    const std::string text = m_model.SerializeAsString();
    const auto* first = reinterpret_cast<const std::byte*>(text.data());
    return {first, first + text.size()};
  }

 private:
  static void describe(nn::onnx::ValueInfoProto& proto, const std::string& name, const nn::Shape& shape) {
    proto.set_name(name);
    auto* tensor = proto.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(Proto::FLOAT);
    auto* dims = tensor->mutable_shape();
    for (size_t i = 0; i < shape.size(); ++i) {
      auto* d = dims->add_dim();
      if (shape[i] >= 0)
        d->set_dim_value(shape[i]);
      else
        d->set_dim_param(name + "_d" + std::to_string(i));
    }
  }

  nn::onnx::ModelProto m_model;
  int m_names = 0;
};

}  // namespace lynceus::test
