#include "core/nn/onnx_import.h"

#include <fstream>
#include <set>

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
Expected<void> readAttribute(const AttributeProto& a, const std::filesystem::path& folder, Node& node) {
  Attribute value;
  switch (attributeType(a)) {
    case AttributeProto::FLOAT: value = a.f(); break;
    case AttributeProto::INT: value = a.i(); break;
    case AttributeProto::STRING: value = a.s(); break;
    case AttributeProto::FLOATS: value = std::vector<float>(a.floats().begin(), a.floats().end()); break;
    case AttributeProto::INTS: value = std::vector<int64_t>(a.ints().begin(), a.ints().end()); break;
    case AttributeProto::TENSOR: {
      auto tensor = readOnnxTensor(a.t(), folder);
      if (!tensor) return passError(tensor);
      value = std::move(*tensor);
      break;
    }
    default: return {};
  }
  node.attributes[a.name()] = std::move(value);
  return {};
}

class Importer {
 public:
  Importer(const onnx::ModelProto& model, const std::string& file, const std::filesystem::path& folder)
      : m_model(model), m_file(file), m_folder(folder) {}

  Expected<Graph> import() {
    for (const auto step : {&Importer::readOpset, &Importer::readConstants, &Importer::readInputs, &Importer::readNodes,
                            &Importer::readOutputs})
      if (auto ok = (this->*step)(); !ok) return passError(ok);
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
    for (const auto& n : m_model.graph().node())
      for (const auto& output : n.output()) m_laterOutputs.insert(output);
    return {};
  }

  Expected<void> readConstants() {
    for (const auto& init : m_model.graph().initializer()) {
      auto tensor = readOnnxTensor(init, m_folder);
      if (!tensor) return failBecause(tensor.error(), fmt::format("initialiser \"{}\"", init.name()));
      if (init.name().empty() || !m_known.insert(init.name()).second)
        return fail("initialiser \"{}\" is there twice or has no name", init.name());
      m_graph.constants[init.name()] = std::move(*tensor);
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
      Node node;
      node.op = proto.op_type();
      if (!proto.domain().empty() && proto.domain() != "ai.onnx") node.op = proto.domain() + "." + node.op;
      node.name = proto.name().empty() ? fmt::format("{}#{}", node.op, i) : proto.name();
      node.inputs.assign(proto.input().begin(), proto.input().end());
      node.outputs.assign(proto.output().begin(), proto.output().end());
      if (auto ok = checkNames(node); !ok) return ok;
      for (const auto& a : proto.attribute())
        if (auto ok = readAttribute(a, m_folder, node); !ok)
          return failBecause(ok.error(), fmt::format("attribute {} of node \"{}\"", a.name(), node.name));
      m_graph.nodes.push_back(std::move(node));
    }
    return {};
  }

  Expected<void> checkNames(const Node& node) {
    for (const std::string& name : node.inputs) {
      if (name.empty() || m_known.count(name)) continue;
      if (m_laterOutputs.count(name))
        return fail(
            "node \"{}\" ({}) takes \"{}\", which is computed later: the graph has a cycle or is not in execution "
            "order",
            node.name, node.op, name);
      return fail("node \"{}\" ({}) takes \"{}\", which nothing produces", node.name, node.op, name);
    }
    for (const std::string& name : node.outputs)
      if (!name.empty() && !m_known.insert(name).second)
        return fail("node \"{}\" ({}) computes \"{}\", which exists already", node.name, node.op, name);
    return {};
  }

  Expected<void> readOutputs() {
    for (const auto& output : m_model.graph().output()) {
      if (!m_known.count(output.name())) return fail("output \"{}\" is computed by no node", output.name());
      m_graph.outputs.push_back(valueInfo(output));
    }
    if (m_graph.outputs.empty()) return fail("the network has no output");
    return {};
  }

  const onnx::ModelProto& m_model;
  const std::string& m_file;
  const std::filesystem::path& m_folder;
  Graph m_graph;
  std::set<std::string> m_known;         // values that exist before the node at hand
  std::set<std::string> m_laterOutputs;  // outputs of all nodes
};

constexpr size_t kMostBytes = (size_t{1} << 31) - 1;  // of the file format itself

tl::unexpected<Error> tooLarge(const std::string& file) {
  return makeError(ErrorCode::unsupported, "{}: larger than 2 GiB: export it with external data", file);
}

}  // namespace

Expected<Graph> parseOnnx(std::span<const std::byte> bytes, const std::string& name,
                          const std::filesystem::path& folder) {
  if (bytes.size() > kMostBytes) return tooLarge(name);
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return makeError(ErrorCode::badInput, "{}: damaged or not an ONNX file ({} bytes)", name, bytes.size());
  return Importer(model, name, folder).import();
}

Expected<Graph> importOnnx(const std::filesystem::path& file) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(file, failed);
  std::ifstream in(file, std::ios::binary);
  if (failed || !in)
    return makeError(ErrorCode::resource, "{}: the model cannot be opened: check the path", file.string());
  if (size > kMostBytes) return tooLarge(file.string());
  std::vector<std::byte> bytes(size);
  if (!in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size)))
    return makeError(ErrorCode::resource, "{}: the model cannot be read", file.string());
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  return parseOnnx(bytes, file.string(), folder);
}

}  // namespace lynceus::nn
