#include "plugins/host/networks.h"

#include <algorithm>

#include "core/detect/network.h"
#include "plugins/host/foreign_struct.h"
#include "plugins/host/text.h"

struct lynceus_network {
  lynceus_network(std::string name, lynceus::detect::Network read) : file(std::move(name)), network(std::move(read)) {}

  std::string file;
  lynceus::detect::Network network;
  std::vector<lynceus::nn::NamedTensor> outputs;  ///< of the last run, as floats
  std::vector<lynceus_tensor> views;              ///< the same for the plugin
};

namespace lynceus::plugins {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostNetworks = 64;
constexpr uint32_t kMostRank = 8;
constexpr int64_t kMostValues = int64_t{1} << 31;

/// The real file that a name of the plugin stands for.
Expected<fs::path> fileWithin(const fs::path& folder, std::string_view name) {
  const fs::path relative(name);
  const bool climbs = std::any_of(relative.begin(), relative.end(), [](const fs::path& part) { return part == ".."; });
  if (name.empty() || relative.is_absolute() || climbs || !isPrintable(name)) {
    return makeError(ErrorCode::wrongUse, "'{}' is not a file of the plugin's folder, named relative to it",
                     logLine(std::string(name).c_str()));
  }
  std::error_code failed;
  const fs::path root = fs::canonical(folder, failed);
  if (failed) return makeError(ErrorCode::resource, "{}: {}", folder.string(), failed.message());
  const fs::path file = fs::canonical(root / relative, failed);
  if (failed || !fs::is_regular_file(file, failed))
    return makeError(ErrorCode::resource, "{}: there is no such file", (root / relative).string());
  if (std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first != root.end()) {
    return makeError(ErrorCode::wrongUse, "{} is a link that leads out of the plugin's folder, to {}",
                     (root / relative).string(), file.string());
  }
  return file;
}

/// A tensor of the plugin, copied.
Expected<nn::NamedTensor> readTensor(const lynceus_tensor* from) {
  const auto raw = copyStruct(from, "an input");
  if (!raw) return passError(raw);
  const auto name = boundedText(raw->name, 500);
  if (!name || !isPrintable(*name))
    return makeError(ErrorCode::badInput, "an input has no name, or one without an end");
  if (raw->rank > kMostRank || (raw->rank > 0 && !raw->shape) || !raw->values) {
    return makeError(ErrorCode::badInput, "input \"{}\" has {} dimensions or no values; 0 to {} are possible", *name,
                     raw->rank, kMostRank);
  }
  nn::NamedTensor tensor{std::string(*name), {}};
  int64_t count = 1;
  for (uint32_t i = 0; i < raw->rank; ++i) {
    const int64_t size = raw->shape[i];
    if (size < 1 || size > kMostValues / count) {
      return makeError(ErrorCode::badInput, "input \"{}\": its shape stands for no or more than {} values", *name,
                       kMostValues);
    }
    count *= size;
    tensor.tensor.shape.push_back(size);
  }
  tensor.tensor.data = std::vector<float>(raw->values, raw->values + count);
  return tensor;
}

/// The plugin's inputs in the order of the graph.
Expected<std::vector<nn::Tensor>> readInputs(const nn::Graph& graph, const lynceus_tensor* inputs, uint32_t count) {
  if (count != graph.inputs.size() || (count > 0 && !inputs))
    return makeError(ErrorCode::badInput, "the network takes {} inputs, not {}", graph.inputs.size(), count);
  std::vector<nn::Tensor> tensors(count);
  std::vector<bool> given(count);
  for (uint32_t i = 0; i < count; ++i) {
    auto input = readTensor(inputs + i);
    if (!input) return passError(input);
    const auto slot = std::find_if(graph.inputs.begin(), graph.inputs.end(),
                                   [&](const nn::ValueInfo& info) { return info.name == input->name; });
    const auto place = static_cast<size_t>(slot - graph.inputs.begin());
    if (place == count || given[place])
      return makeError(ErrorCode::badInput, "the network has no input \"{}\", or it was given twice", input->name);
    tensors[place] = std::move(input->tensor);
    given[place] = true;
  }
  return tensors;
}

void makeFloats(nn::Tensor& tensor) {
  if (tensor.isFloat()) return;
  auto floats =
      std::visit([](const auto& values) { return std::vector<float>(values.begin(), values.end()); }, tensor.data);
  tensor.data = std::move(floats);
}

}  // namespace

Networks::Networks(fs::path folder, std::shared_ptr<compute::Device> device, compute::Precision precision)
    : m_folder(std::move(folder)), m_device(std::move(device)), m_precision(precision) {}

Networks::~Networks() = default;

Expected<lynceus_network*> Networks::open(std::string_view file) {
  if (m_networks.size() >= kMostNetworks)
    return makeError(ErrorCode::resource, "{} networks are open, no more are possible", kMostNetworks);
  const auto path = fileWithin(m_folder, file);
  if (!path) return passError(path);
  auto network = detect::Network::read(*path);
  if (!network) return passError(network);
  m_networks.push_back(std::make_unique<lynceus_network>(path->filename().string(), std::move(*network)));
  return m_networks.back().get();
}

Expected<const std::vector<lynceus_tensor>*> Networks::run(const lynceus_network* network, const lynceus_tensor* inputs,
                                                           uint32_t count, const job::Context& context) {
  const auto known =
      std::find_if(m_networks.begin(), m_networks.end(), [&](const auto& one) { return one.get() == network; });
  if (known == m_networks.end())
    return makeError(ErrorCode::wrongUse, "network_run was given a network that network_open did not return");
  lynceus_network& own = **known;
  const auto fail = [&](const Error& error) { return makeError(error.code, "{}: {}", own.file, error.message); };
  const auto tensors = readInputs(own.network.graph(), inputs, count);
  if (!tensors) return fail(tensors.error());
  own.views.clear();
  own.outputs.clear();
  auto outputs = own.network.run(*m_device, *tensors, m_precision, context);
  if (!outputs) return fail(outputs.error());
  own.outputs = std::move(*outputs);
  for (nn::NamedTensor& output : own.outputs) {
    makeFloats(output.tensor);
    own.views.push_back({sizeof(lynceus_tensor), output.name.c_str(), output.tensor.shape.data(),
                         output.tensor.floats().data(), static_cast<uint32_t>(output.tensor.shape.size())});
  }
  return &own.views;
}

}  // namespace lynceus::plugins
