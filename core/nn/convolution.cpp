#include "core/nn/convolution.h"

namespace lynceus::nn {
namespace {

Expected<Convolution> read(const OpCall& call, bool transposed) {
  const Shape& x = call.shape(0);
  const Shape& w = call.shape(1);
  if (x.size() < 3 || x.size() != w.size())
    return call.refuse("input of shape {} and weights of shape {} do not fit", shapeText(x), shapeText(w));
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  if (const auto stated = call.integers("kernel_shape"); !stated.empty() && stated != kernel)
    return call.refuse("kernel_shape is {}, but the weights have shape {}", shapeText(stated), shapeText(w));
  const auto window = transposed ? transposedWindow(call, kernel) : slidingWindow(call, kernel);
  if (!window) return passError(window);
  Convolution c;
  c.window = *window;
  c.input = lift(x);
  c.groups = call.integer("group", 1);
  if (c.groups < 1 || c.groups > c.input.c || c.input.c % c.groups != 0 || w[0] < 1 || w[1] < 1)
    return call.refuse("{} groups do not divide {} input channels", c.groups, c.input.c);
  c.outputChannels = transposed ? w[1] * c.groups : w[0];
  const bool fits = transposed ? w[0] == c.input.c : w[1] == c.inputsPerGroup() && w[0] % c.groups == 0;
  if (!fits)
    return call.refuse("weights of shape {} do not fit {} input channels in {} groups", shapeText(w), c.input.c,
                       c.groups);
  if (call.has(2) && call.shape(2) != Shape{c.outputChannels})
    return call.refuse("bias of shape {} for {} output channels", shapeText(call.shape(2)), c.outputChannels);
  return c;
}

}  // namespace

Expected<Convolution> convolution(const OpCall& call) { return read(call, false); }
Expected<Convolution> transposedConvolution(const OpCall& call) { return read(call, true); }

}  // namespace lynceus::nn
