#include "core/nn/cpu/conv_disjoint.h"

#include <cstring>

#include "core/nn/cpu/post_ops.h"

namespace lynceus::nn::cpu {
namespace {

using dnnl::memory;

bool isDisjoint(const Convolution& c) {
  const Window& w = c.window;
  for (int a = 0; a < 3; ++a)
    if (w.output[a] != c.input.space[a] * w.stride[a]) return false;
  const Int3 none{0, 0, 0}, ones{1, 1, 1};
  return c.groups == 1 && w.kernel == w.stride && w.dilation == ones && w.padBegin == none;
}

/// Weights (C, M, taps) of the taps from `tap` on, one after the other along x, as a matrix of C by kernel[2] * M.
std::vector<float> rowOfTaps(const Convolution& c, const float* weights, int64_t tap) {
  std::vector<float> row;
  for (int64_t i = 0; i < c.input.c; ++i)
    for (int64_t x = 0; x < c.window.kernel[2]; ++x)
      for (int64_t o = 0; o < c.outputChannels; ++o)
        row.push_back(weights[(i * c.outputChannels + o) * c.window.taps() + tap + x]);
  return row;
}

}  // namespace

std::optional<Step> disjointStep(const OpCall& call, const Convolution& c, const ValueType& output) {
  if (!isDisjoint(c) || elementCount(output.shape) == 0) return std::nullopt;
  const Int3 &in = c.input.space, &out = c.window.output, &kernel = c.window.kernel;
  const int64_t planes = c.input.n * in[0], columns = kernel[2] * c.outputChannels;
  const int64_t rowLength = out[2] * c.outputChannels;
  const auto typeIn = dataType(call.input(0).type.type), typeOut = dataType(output.type);
  const memory::desc x({planes, in[1], in[2], c.input.c}, typeIn, memory::format_tag::abcd);
  const memory::desc w({1, 1, c.input.c, columns}, typeIn, memory::format_tag::any);
  const memory::desc y({planes, in[1], in[2], columns}, typeOut,
                       {kernel[0] * out[1] * rowLength, kernel[1] * rowLength, columns, 1});
  const memory::desc b({1, 1, 1, columns}, memory::data_type::f32, memory::format_tag::abcd);
  const dnnl::matmul::desc desc = call.has(2) ? dnnl::matmul::desc(x, w, b, y) : dnnl::matmul::desc(x, w, y);
  const dnnl::matmul::primitive_desc pd(desc, fusedAttribute(call), engine(), true);  // true: may be empty
  if (!pd || std::strncmp(pd.impl_info_str(), "ref", 3) == 0) return std::nullopt;

  const memory::desc given({1, 1, c.input.c, columns}, memory::data_type::f32, memory::format_tag::abcd);
  std::vector<memory> weights;
  dnnl::stream stream(engine());
  for (int64_t row = 0; row < kernel[0] * kernel[1]; ++row) {
    const std::vector<float> values = rowOfTaps(c, call.floats(1), row * kernel[2]);
    memory from = wrap(given, values.data());
    dnnl::reorder(from, weights.emplace_back(pd.weights_desc(), engine())).execute(stream, from, weights.back());
    stream.wait();
  }
  std::vector<float> bias;
  for (int64_t i = 0; call.has(2) && i < kernel[2]; ++i)
    bias.insert(bias.end(), call.floats(2), call.floats(2) + c.outputChannels);

  Step step;
  step.scratchBytes = pd.scratchpad_desc().get_size();
  step.weightBytes = weights.size() * pd.weights_desc().get_size();
  step.kernel = kernelText(pd);
  step.run = [primitive = dnnl::matmul(pd), pd, weights, bias, kernel, b,
              rowBytes = static_cast<size_t>(rowLength) * bytesOf(output.type),
              rowsOfPlane = out[1]](const Arguments& a) {
    for (size_t i = 0; i < weights.size(); ++i) {
      const auto z = static_cast<int64_t>(i) / kernel[1], r = static_cast<int64_t>(i) % kernel[1];
      std::byte* first = a.out<std::byte>(0) + static_cast<size_t>(z * rowsOfPlane + r) * rowBytes;
      std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, wrap(pd.src_desc(), a.inputs[0])},
                                                {DNNL_ARG_WEIGHTS, weights[i]},
                                                {DNNL_ARG_DST, wrap(pd.dst_desc(), first)},
                                                {DNNL_ARG_SCRATCHPAD, wrap(pd.scratchpad_desc(), a.scratch)}};
      if (!bias.empty()) arguments.emplace(DNNL_ARG_BIAS, wrap(b, bias.data()));
      primitive.execute(a.stream, arguments);
    }
  };
  return step;
}

}  // namespace lynceus::nn::cpu
