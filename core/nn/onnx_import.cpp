#include "core/nn/onnx_import.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <new>
#include <queue>
#include <set>

#include "core/nn/cast_like.h"
#include "core/nn/inline_branches.h"
#include "core/nn/node_names.h"
#include "core/nn/onnx_tensor.h"
#include "core/nn/registry.h"

namespace lynceus::nn {
namespace {

using onnx::AttributeProto;

// Newer exporters write the type; files of IR version 1 do not.
int attributeType(const AttributeProto& a) {
  if (a.type() != AttributeProto::UNDEFINED) return a.type();
  if (a.has_f()) return AttributeProto::FLOAT;
  if (a.has_i()) return AttributeProto::INT;
  if (a.has_s()) return AttributeProto::STRING;
  if (a.has_t()) return AttributeProto::TENSOR;
  if (a.floats_size() > 0) return AttributeProto::FLOATS;
  return a.ints_size() > 0 ? AttributeProto::INTS : AttributeProto::UNDEFINED;
}

// Kinds of attributes that no operator of ours has (subgraphs, lists of strings) are left out: operators that need
// them are refused by name when the graph is compiled.
Expected<void> readAttribute(const AttributeProto& a, ExternalData& external, Node& node) {
  if (a.name().rfind("lynceus.", 0) == 0) return {};  // what our passes note on nodes, no file may say
  Attribute value;
  switch (attributeType(a)) {
    case AttributeProto::FLOAT: value = a.f(); break;
    case AttributeProto::INT: value = a.i(); break;
    case AttributeProto::STRING: value = a.s(); break;
    case AttributeProto::FLOATS: value = std::vector<float>(a.floats().begin(), a.floats().end()); break;
    case AttributeProto::INTS: value = std::vector<int64_t>(a.ints().begin(), a.ints().end()); break;
    case AttributeProto::TENSOR: {
      auto tensor = readOnnxTensor(a.t(), external);
      if (!tensor) return passError(tensor);
      value = std::move(*tensor);
      break;
    }
    default: return {};
  }
  if (!node.attributes.emplace(a.name(), std::move(value)).second)
    return makeError(ErrorCode::badInput, "it is there twice");
  return {};
}

constexpr int kMostNodes = 100000;  // ten times the largest that networks for volumes have

class Importer {
 public:
  /// Takes the weights out of the model as it reads them: they are large.
  Importer(onnx::ModelProto& model, const std::string& file, const std::filesystem::path& folder)
      : m_model(model), m_file(file), m_external{folder} {}

  Expected<Graph> import() {
    if (auto ok = inlineBranches(*m_model.mutable_graph()); !ok)
      return makeError(ok.error().code, "{}: {}", m_file, ok.error().message);
    nameNodes(*m_model.mutable_graph());
    for (const auto step : {&Importer::readOpset, &Importer::readConstants, &Importer::readInputs, &Importer::readNodes,
                            &Importer::sortNodes, &Importer::readOutputs})
      if (auto ok = (this->*step)(); !ok) return passError(ok);
    settleCastLike(m_graph, std::move(m_booleans));
    return std::move(m_graph);
  }

 private:
  template <class... Args>
  tl::unexpected<Error> fail(fmt::format_string<Args...> text, Args&&... args) const {
    return makeError(ErrorCode::badInput, "{}: {}", m_file, fmt::format(text, std::forward<Args>(args)...));
  }
  tl::unexpected<Error> failBecause(const Error& cause, const std::string& what) const {
    return makeError(cause.code, "{}: {}: {}", m_file, what, cause.message);
  }

  Expected<void> readOpset() {
    if (m_model.graph().node_size() == 0) return fail("there is no network in this file: is it an ONNX model?");
    int64_t version = 0;
    for (const auto& set : m_model.opset_import())
      if (set.domain().empty() || set.domain() == "ai.onnx") version = std::max(version, set.version());
    if (version < kFirstOpset || version > kLastOpset)
      return makeError(ErrorCode::unsupported, "{}: operator set {} is not supported: export it with opset {} to {}",
                       m_file, version, kFirstOpset, kLastOpset);
    m_graph.opset = static_cast<int>(version);
    if (m_model.graph().node_size() > kMostNodes)
      return makeError(ErrorCode::unsupported, "{}: {} nodes are too many: at most {} are supported", m_file,
                       m_model.graph().node_size(), kMostNodes);
    return {};
  }

  Expected<void> readConstants() {
    for (auto& init : *m_model.mutable_graph()->mutable_initializer()) {
      auto tensor = readOnnxTensor(init, m_external);
      if (!tensor) return failBecause(tensor.error(), fmt::format("initialiser \"{}\"", init.name()));
      if (init.name().empty() || !m_known.insert(init.name()).second)
        return fail("initialiser \"{}\" is there twice or has no name", init.name());
      if (init.data_type() == onnx::TensorProto::BOOL) m_booleans.insert(init.name());
      m_graph.constants[init.name()] = std::move(*tensor);
      onnx::TensorProto().Swap(&init);  // clearing alone would keep the memory
    }
    return {};
  }

  ValueInfo valueInfo(const onnx::ValueInfoProto& proto) const {
    ValueInfo info{proto.name(), {}};
    for (const auto& d : proto.type().tensor_type().shape().dim())
      info.shape.push_back(d.has_dim_value() && d.dim_value() > 0 ? d.dim_value() : -1);
    return info;
  }

  Expected<void> readInputs() {
    for (const auto& input : m_model.graph().input()) {
      if (m_graph.constants.count(input.name())) continue;  // IR version 3 lists initialisers as inputs too
      const int type = input.type().tensor_type().elem_type();
      using Proto = onnx::TensorProto;
      if (type != Proto::FLOAT && type != Proto::FLOAT16 && type != Proto::DOUBLE && type != Proto::BFLOAT16)
        return makeError(ErrorCode::unsupported, "{}: input \"{}\" is {}: export the network with float inputs", m_file,
                         input.name(), onnxTypeName(type));
      if (input.name().empty() || !m_known.insert(input.name()).second)
        return fail("input \"{}\" is there twice or has no name", input.name());
      m_graph.inputs.push_back(valueInfo(input));
    }
    return {};
  }

  Expected<void> readNodes() {
    for (int i = 0; i < m_model.graph().node_size(); ++i) {
      const auto& proto = m_model.graph().node(i);
      Node node{proto.name(), operatorName(proto), {}, {}, {}};
      node.inputs.assign(proto.input().begin(), proto.input().end());
      node.outputs.assign(proto.output().begin(), proto.output().end());
      for (const auto& a : proto.attribute())
        if (auto ok = readAttribute(a, m_external, node); !ok)
          return failBecause(ok.error(), fmt::format("attribute {} of node \"{}\"", a.name(), node.name));
      for (const std::string& name : node.outputs)
        if (!name.empty() && (m_known.count(name) || !m_producers.emplace(name, static_cast<size_t>(i)).second))
          return fail("node \"{}\" ({}) computes \"{}\", which exists already", node.name, node.op, name);
      if (isBoolean(proto)) m_booleans.insert(node.outputs.begin(), node.outputs.end());
      m_graph.nodes.push_back(std::move(node));
    }
    return {};
  }

  // True for a Constant or ConstantOfShape of booleans.
  static bool isBoolean(const onnx::NodeProto& node) {
    const bool isConstant = node.op_type() == "Constant" || node.op_type() == "ConstantOfShape";
    return isConstant && std::any_of(node.attribute().begin(), node.attribute().end(), [](const AttributeProto& a) {
             return a.name() == "value" && a.t().data_type() == onnx::TensorProto::BOOL;
           });
  }

  // Exporters exist that write nodes in any order: each comes behind those whose outputs it takes, else as in the file.
  Expected<void> sortNodes() {
    std::vector<Node>& nodes = m_graph.nodes;
    std::vector<std::vector<size_t>> readers(nodes.size());
    std::vector<size_t> waitsFor(nodes.size(), 0);
    for (size_t i = 0; i < nodes.size(); ++i)
      for (const std::string& name : nodes[i].inputs) {
        if (name.empty() || m_known.count(name)) continue;
        const auto producer = m_producers.find(name);
        if (producer == m_producers.end())
          return fail("node \"{}\" ({}) takes \"{}\", which nothing produces", nodes[i].name, nodes[i].op, name);
        readers[producer->second].push_back(i);
        ++waitsFor[i];
      }
    std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
    for (size_t i = 0; i < nodes.size(); ++i)
      if (waitsFor[i] == 0) ready.push(i);
    std::vector<size_t> order;
    while (!ready.empty()) {
      const size_t i = order.emplace_back(ready.top());
      ready.pop();
      for (const size_t reader : readers[i])
        if (--waitsFor[reader] == 0) ready.push(reader);
    }
    if (order.size() < nodes.size()) return refuseCycle(waitsFor);
    std::vector<Node> sorted;
    for (const size_t i : order) sorted.push_back(std::move(nodes[i]));
    nodes = std::move(sorted);
    return {};
  }

  // Nodes that still wait lie on a cycle or behind one: walking to what they wait for must end in circles.
  tl::unexpected<Error> refuseCycle(const std::vector<size_t>& waitsFor) const {
    const auto before = [&](size_t i) {
      for (const std::string& name : m_graph.nodes[i].inputs) {
        const auto producer = m_producers.find(name);
        if (producer != m_producers.end() && waitsFor[producer->second] > 0) return producer->second;
      }
      return i;
    };
    size_t first = 0;
    while (waitsFor[first] == 0) ++first;
    for (size_t steps = 0; steps < m_graph.nodes.size(); ++steps) first = before(first);
    std::vector<std::string> names;
    constexpr size_t kMostNames = 8;
    size_t at = first, length = 0;
    do {
      if (length < kMostNames)
        names.insert(names.begin(), fmt::format("\"{}\" ({})", m_graph.nodes[at].name, m_graph.nodes[at].op));
      ++length;
      at = before(at);
    } while (at != first);
    return fail("{} nodes form a cycle, {}{}: export the network by tracing", length, fmt::join(names, ", "),
                length > kMostNames ? " and more" : "");
  }

  Expected<void> readOutputs() {
    for (const auto& output : m_model.graph().output()) {
      if (!m_known.count(output.name()) && !m_producers.count(output.name()))
        return fail("output \"{}\" is computed by no node", output.name());
      m_graph.outputs.push_back(valueInfo(output));
    }
    if (m_graph.outputs.empty()) return fail("the network has no output");
    return {};
  }

  onnx::ModelProto& m_model;
  const std::string& m_file;
  ExternalData m_external;
  Graph m_graph;
  std::set<std::string> m_known;              // inputs and initialisers
  std::map<std::string, size_t> m_producers;  // value -> position of the node that computes it
  std::set<std::string> m_booleans;           // values known to hold them
};

constexpr size_t kMostBytes = (size_t{1} << 31) - 1;  // of the file format itself

tl::unexpected<Error> tooLarge(const std::string& file) {
  return makeError(ErrorCode::unsupported, "{}: larger than 2 GiB: export it with external data", file);
}

tl::unexpected<Error> damaged(const std::string& file, uintmax_t bytes) {
  return makeError(ErrorCode::badInput, "{}: damaged or not an ONNX file ({} bytes)", file, bytes);
}

}  // namespace

Expected<Graph> parseOnnx(std::span<const std::byte> bytes, const std::string& name,
                          const std::filesystem::path& folder) {
  if (bytes.size() > kMostBytes) return tooLarge(name);
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return damaged(name, bytes.size());
  return Importer(model, name, folder).import();
}

Expected<Graph> importOnnx(const std::filesystem::path& file) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed))
    return makeError(ErrorCode::resource, "{}: the model cannot be opened: check the path", file.string());
  const auto size = std::filesystem::file_size(file, failed);
  if (failed || size > kMostBytes) return tooLarge(file.string());
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return makeError(ErrorCode::resource, "{}: the model cannot be opened: check its access rights", file.string());
  try {
    onnx::ModelProto model;
    if (!model.ParseFromIstream(&in)) return damaged(file.string(), size);
    return Importer(model, file.string(), file.has_parent_path() ? file.parent_path() : ".").import();
  } catch (const std::bad_alloc&) {
    return makeError(ErrorCode::resource, "{}: there is not enough memory for its weights", file.string());
  }
}

}  // namespace lynceus::nn
