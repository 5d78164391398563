#include "core/nn/quantize.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/nn/magnitude_histogram.h"
#include "core/nn/node_names.h"
#include "core/nn/onnx_import.h"
#include "core/nn/quantize_file.h"
#include "core/parallel.h"

namespace lynceus::nn {
namespace {

std::span<const std::byte> asBytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// A network with other outputs, on samples of any shape.
class Runner {
 public:
  static Expected<Runner> create(std::span<const std::byte> onnx, const std::string& file, compute::Device& device) {
    auto graph = parseOnnx(onnx, file);
    if (!graph) return passError(graph);
    return Runner(std::move(*graph), file, device);
  }

  void addOutput(const std::string& value) { m_graph.outputs.push_back({value, {}}); }
  const std::vector<ValueInfo>& outputs() const { return m_graph.outputs; }
  const std::vector<ValueInfo>& inputs() const { return m_graph.inputs; }

  Expected<std::vector<Tensor>> run(const Sample& sample) {
    if (sample.size() != inputs().size())
      return makeError(ErrorCode::wrongUse, "{}: the network has {} inputs, but a sample has {}", m_file,
                       inputs().size(), sample.size());
    std::map<std::string, Shape> shapes;
    for (size_t i = 0; i < sample.size(); ++i) shapes[inputs()[i].name] = sample[i].shape;
    if (!m_executable || shapes != m_compiledFor) {
      auto compiled = m_device->compile(m_graph, shapes);
      if (!compiled) return makeError(compiled.error().code, "{}: {}", m_file, compiled.error().message);
      m_executable = std::move(*compiled);
      m_compiledFor = std::move(shapes);
    }
    return m_executable->run(sample);
  }

 private:
  Runner(Graph graph, std::string file, compute::Device& device)
      : m_graph(std::move(graph)), m_file(std::move(file)), m_device(&device) {}

  Graph m_graph;
  std::string m_file;
  compute::Device* m_device;
  std::map<std::string, Shape> m_compiledFor;
  std::unique_ptr<compute::Executable> m_executable;
};

Expected<void> checkSamples(std::span<const Sample> samples, const std::string& file) {
  if (samples.empty()) return makeError(ErrorCode::wrongUse, "{}: quantisation needs samples of its input", file);
  for (const Sample& sample : samples) {
    if (sample.size() != samples[0].size())
      return makeError(ErrorCode::wrongUse, "{}: one sample has {} tensors, another {}: give each all inputs", file,
                       samples[0].size(), sample.size());
    if (!std::all_of(sample.begin(), sample.end(), [](const Tensor& t) { return t.isFloat(); }))
      return makeError(ErrorCode::wrongUse, "{}: a sample holds integers", file);
  }
  return {};
}

// What the float network computes for each group of the plan.
Expected<std::vector<QuantizedValue>> calibrate(const std::string& onnx, const std::string& file,
                                                const QuantizePlan& plan, std::span<const Sample> samples,
                                                compute::Device& device) {
  auto runner = Runner::create(asBytes(onnx), file, device);
  if (!runner) return passError(runner);
  const size_t before = runner->outputs().size();
  for (const ValueGroup& group : plan.groups)
    for (const std::string& value : group.values) runner->addOutput(value);
  std::vector<MagnitudeHistogram> histograms(runner->outputs().size() - before);
  std::vector<char> finite(histograms.size(), 1);
  for (const Sample& sample : samples) {
    const auto tensors = runner->run(sample);
    if (!tensors) return passError(tensors);
    parallelFor(static_cast<int64_t>(histograms.size()), [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      if (!histograms[at].add((*tensors)[before + at].floats())) finite[at] = 0;
    });
  }
  for (size_t i = 0; i < finite.size(); ++i)
    if (!finite[i])
      return makeError(ErrorCode::badInput, "{}: the value \"{}\" is infinite or NaN for a sample: check the samples",
                       file, runner->outputs()[before + i].name);
  std::vector<QuantizedValue> values;
  size_t next = 0;
  for (const ValueGroup& group : plan.groups) {
    MagnitudeHistogram all = histograms[next++];
    for (size_t i = 1; i < group.values.size(); ++i) all.add(histograms[next++]);
    const Type type = group.neverNegative ? Type::u8 : Type::i8;
    values.push_back({group.values, type, all.largest(), all.bestThreshold(type == Type::u8 ? 255 : 127)});
  }
  return values;
}

Expected<void> checkKeepFloat(const onnx::GraphProto& graph, const QuantizeOptions& options, const std::string& file) {
  for (const std::string& wanted : options.keepFloat) {
    const auto named = [&](const onnx::NodeProto& node) { return node.name() == wanted; };
    if (std::none_of(graph.node().begin(), graph.node().end(), named))
      return makeError(ErrorCode::wrongUse, "{}: there is no node \"{}\" to keep in float32", file, wanted);
  }
  return {};
}

bool neverNegative(std::span<const Sample> samples, size_t input) {
  return std::all_of(samples.begin(), samples.end(), [&](const Sample& sample) {
    const std::vector<float>& values = sample[input].floats();
    return std::all_of(values.begin(), values.end(), [](float v) { return v >= 0; });
  });
}

}  // namespace

Expected<QuantizedModel> quantizeModel(std::span<const std::byte> onnx, const std::string& file,
                                       std::span<const Sample> samples, compute::Device& device,
                                       const QuantizeOptions& options) {
  if (auto ok = checkSamples(samples, file); !ok) return passError(ok);
  auto original = Runner::create(onnx, file, device);
  if (!original) return passError(original);
  if (auto ok = original->run(samples[0]); !ok) return passError(ok);  // whatever is wrong with the file comes out here
  onnx::ModelProto model;
  model.ParseFromArray(onnx.data(), static_cast<int>(onnx.size()));
  nameNodes(*model.mutable_graph());
  if (auto ok = checkKeepFloat(model.graph(), options, file); !ok) return passError(ok);
  if (auto ok = prepareToQuantize(model, file); !ok) return passError(ok);
  QuantizedModel result;
  result.foldedOnnx = model.SerializeAsString();
  std::set<std::string> nonNegative;
  for (size_t i = 0; i < original->inputs().size(); ++i)
    if (neverNegative(samples, i)) nonNegative.insert(original->inputs()[i].name);
  const QuantizePlan plan = planQuantization(model.graph(), options.keepFloat, nonNegative);
  if (plan.convolutions.empty())
    return makeError(ErrorCode::unsupported, "{}: there is no convolution with constant weights to quantise", file);
  auto values = calibrate(result.foldedOnnx, file, plan, samples, device);
  if (!values) return passError(values);
  result.values = std::move(*values);
  result.convolutions = plan.convolutions.size();
  for (const auto& node : model.graph().node()) result.floatConvolutions += isConvolution(node) ? 1 : 0;
  result.floatConvolutions -= result.convolutions;
  if (auto ok = insertQuantization(model, plan, result.values, file); !ok) return passError(ok);
  result.onnx = model.SerializeAsString();
  return result;
}

namespace {

/// Sums over pairs of numbers, from which every figure follows.
struct PairSums {
  double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0, errors = 0, largestError = 0;

  void add(const std::vector<float>& expected, const std::vector<float>& actual) {
    for (size_t i = 0; i < expected.size(); ++i) {
      const double a = expected[i], b = actual[i], off = a - b;
      n += 1, x += a, y += b, xx += a * a, yy += b * b, xy += a * b, errors += off * off;
      largestError = std::max(largestError, std::fabs(off));
    }
  }
  double snrDb() const { return 10 * std::log10(std::max(xx, 1e-300) / std::max(errors, 1e-300)); }
  double rms() const { return std::sqrt(xx / n); }
  double correlation() const {
    const double spread = std::sqrt((xx - x * x / n) * (yy - y * y / n));
    return spread > 0 ? (xy - x * y / n) / spread : 1;
  }
};

}  // namespace

Expected<QuantizationErrors> compareQuantized(const QuantizedModel& model, std::span<const Sample> samples,
                                              compute::Device& device, const OutputsSeen& seen) {
  auto expected = Runner::create(asBytes(model.foldedOnnx), "the float32 network", device);
  if (!expected) return passError(expected);
  auto actual = Runner::create(asBytes(model.onnx), "the quantised network", device);
  if (!actual) return passError(actual);
  const size_t outputs = expected->outputs().size();
  for (const QuantizedValue& value : model.values)
    for (const std::string& name : value.names) {
      expected->addOutput(name);
      actual->addOutput(dequantizedName(name));
    }
  std::vector<PairSums> sums(expected->outputs().size());
  for (const Sample& sample : samples) {
    auto a = expected->run(sample);
    if (!a) return passError(a);
    auto b = actual->run(sample);
    if (!b) return passError(b);
    parallelFor(static_cast<int64_t>(sums.size()), [&](int64_t i) {
      const auto at = static_cast<size_t>(i);
      if ((*a)[at].isFloat()) sums[at].add((*a)[at].floats(), (*b)[at].floats());
    });
    if (!seen) continue;
    std::vector<NamedTensor> float32, quantized;
    for (size_t i = 0; i < outputs; ++i) {
      float32.push_back({expected->outputs()[i].name, std::move((*a)[i])});
      quantized.push_back({expected->outputs()[i].name, std::move((*b)[i])});
    }
    if (auto ok = seen(float32, quantized); !ok) return passError(ok);
  }
  QuantizationErrors errors;
  for (size_t i = 0; i < sums.size(); ++i) {
    const std::string& name = expected->outputs()[i].name;
    const PairSums& s = sums[i];
    const double rms = s.n > 0 && s.xx > 0 ? s.rms() : 1;
    if (i < outputs)
      errors.outputs.push_back(
          {name, s.largestError / rms, s.n > 0 ? std::sqrt(s.errors / s.n) / rms : 0, s.correlation()});
    else
      errors.values.push_back({name, s.snrDb()});
  }
  return errors;
}

}  // namespace lynceus::nn
