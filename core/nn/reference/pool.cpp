// MaxPool, AveragePool, LpPool, their global forms, and MaxUnpool.
#include "core/nn/pooling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferPool(const OpCall& call) {
  const auto window = poolingWindow(call);
  if (!window) return passError(window);
  return oneOutput(windowShape(call.shape(0), call.shape(0)[1], *window));
}

/// What a window sees.
struct View {
  std::array<Span, 3> spans;

  int64_t inside() const {
    int64_t n = 1;
    for (const Span& s : spans) n *= s.last - s.first;
    return n;
  }
  int64_t covered() const { return spans[0].covered * spans[1].covered * spans[2].covered; }

  /// Calls body(offset in the plane) for every voxel inside the input.
  template <class Body>
  void forEach(const Int3& in, const Body& body) const {
    for (int64_t kz = spans[0].first; kz < spans[0].last; ++kz)
      for (int64_t ky = spans[1].first; ky < spans[1].last; ++ky)
        for (int64_t kx = spans[2].first; kx < spans[2].last; ++kx) {
          const int64_t z = spans[0].start + kz * spans[0].step, y = spans[1].start + ky * spans[1].step,
                        x = spans[2].start + kx * spans[2].step;
          body((z * in[1] + y) * in[2] + x);
        }
  }
};

// reduce(view, plane, offset of the plane) gives each output of a plane; store(offset in the output, result).
template <class Reduce>
void forWindows(const OpCall& call, const Reduce& reduce) {
  const Window w = *poolingWindow(call);
  const Shape5 in = lift(call.shape(0));
  const int64_t voxels = w.output[0] * w.output[1] * w.output[2];
  parallelFor(in.n * in.c, [&](int64_t plane) {
    int64_t at = plane * voxels;
    for (int64_t z = 0; z < w.output[0]; ++z)
      for (int64_t y = 0; y < w.output[1]; ++y)
        for (int64_t x = 0; x < w.output[2]; ++x) {
          const View view{{spanOf(w, 0, in.space[0], z), spanOf(w, 1, in.space[1], y), spanOf(w, 2, in.space[2], x)}};
          reduce(view, plane, at++);
        }
  });
}

double poolWork(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Window w = *poolingWindow(call);
  const Shape5 in = lift(call.shape(0));
  double taps = 1;
  for (int a = 0; a < 3; ++a) taps *= static_cast<double>(std::min(w.kernel[a], in.space[a]));
  return static_cast<double>(elementCount(outputs[0].shape)) * taps;
}

// Indices count over the whole input; with storage_order 1 the first spatial axis runs fastest.
Expected<std::vector<ValueType>> inferMaxPool(const OpCall& call) {
  auto types = inferPool(call);
  if (!types) return types;
  types->front().type = call.input(0).type.type;
  if (types->front().type == Type::i64) return call.refuse("its input holds 64-bit integers");
  if (const int64_t order = call.integer("storage_order", 0); order != 0 && order != 1)
    return call.refuse("storage_order is {}, expected 0 or 1", order);
  types->push_back({types->front().shape, Type::i64});
  return types;
}

int64_t columnMajor(int64_t voxel, const Int3& size, size_t spatialAxes) {
  const int64_t x = voxel % size[2], y = voxel / size[2] % size[1], z = voxel / size[2] / size[1];
  if (spatialAxes == 3) return z + size[0] * (y + size[1] * x);
  return y + size[1] * x;
}

// Where a window sees nothing: the lowest finite number, as in ONNX Runtime.
template <class T>
void largestOf(const OpCall& call, const std::vector<T>& input, std::vector<T>& out, Tensor* where) {
  const Shape5 in = lift(call.shape(0));
  const bool columns = call.integer("storage_order", 0) != 0;
  forWindows(call, [&](const View& view, int64_t plane, int64_t at) {
    const T* x = input.data() + plane * in.voxels();
    T largest = std::numeric_limits<T>::lowest();
    int64_t best = -1;
    view.forEach(in.space, [&](int64_t voxel) {
      if (best >= 0 && !(x[voxel] > largest)) return;
      largest = x[voxel];
      best = voxel;
    });
    out[at] = largest;
    if (!where) return;
    best = std::max<int64_t>(best, 0);
    where->ints()[at] = plane * in.voxels() + (columns ? columnMajor(best, in.space, call.shape(0).size() - 2) : best);
  });
}

std::vector<Tensor> maxPool(const OpCall& call, const std::vector<ValueType>&) {
  const bool indices = call.node().outputs.size() > 1 && !call.node().outputs[1].empty();
  const Shape shape = windowShape(call.shape(0), call.shape(0)[1], *poolingWindow(call));  // an output may be absent
  Tensor out = Tensor::zeros(shape, call.input(0).type.type);
  Tensor where = indices ? Tensor::zeros(shape, Type::i64) : Tensor{{0}, std::vector<int64_t>{}};
  std::visit(
      [&](const auto& input) {
        largestOf(call, input, std::get<std::decay_t<decltype(input)>>(out.data), indices ? &where : nullptr);
      },
      call.input(0).value->data);
  std::vector<Tensor> both;
  both.push_back(std::move(out));
  both.push_back(std::move(where));
  return both;
}

std::vector<Tensor> averagePool(const OpCall& call, const std::vector<ValueType>& outputs) {
  const bool withPadding = call.integer("count_include_pad", 0) != 0;
  const Shape5 in = lift(call.shape(0));
  Tensor out = Tensor::zeros(outputs[0].shape);
  forWindows(call, [&](const View& view, int64_t plane, int64_t at) {
    const float* x = call.floats(0) + plane * in.voxels();
    double sum = 0;
    view.forEach(in.space, [&](int64_t voxel) { sum += x[voxel]; });
    const int64_t count = std::max<int64_t>(withPadding ? view.covered() : view.inside(), 1);
    out.floats()[at] = static_cast<float>(sum / static_cast<double>(count));
  });
  return oneTensor(std::move(out));
}

// The p-th root of the sum of |x|^p.
Expected<std::vector<ValueType>> inferLpPool(const OpCall& call) {
  if (const int64_t p = call.integer("p", 2); p < 1 || p > 64) return call.refuse("p is {}, expected 1 to 64", p);
  return inferPool(call);
}

struct LpNorm {
  int p;
  double power(double x) const { return p == 1 ? std::fabs(x) : p == 2 ? x * x : std::pow(std::fabs(x), p); }
  float root(double sum) const {
    return static_cast<float>(p == 1 ? sum : p == 2 ? std::sqrt(sum) : std::pow(sum, 1.0 / p));
  }
};

std::vector<Tensor> lpPool(const OpCall& call, const std::vector<ValueType>& outputs) {
  const LpNorm norm{static_cast<int>(call.integer("p", 2))};
  const Shape5 in = lift(call.shape(0));
  Tensor out = Tensor::zeros(outputs[0].shape);
  forWindows(call, [&](const View& view, int64_t plane, int64_t at) {
    const float* x = call.floats(0) + plane * in.voxels();
    double sum = 0;
    view.forEach(in.space, [&](int64_t voxel) { sum += norm.power(x[voxel]); });
    out.floats()[at] = norm.root(sum);
  });
  return oneTensor(std::move(out));
}

Expected<std::vector<ValueType>> inferGlobalPool(const OpCall& call) {
  Shape shape = call.shape(0);
  if (shape.size() < 3) return call.refuse("an input of shape {} has no spatial axes", shapeText(shape));
  if (const int64_t p = call.integer("p", 2); p < 1 || p > 64) return call.refuse("p is {}, expected 1 to 64", p);
  std::fill(shape.begin() + 2, shape.end(), 1);
  return oneOutput(std::move(shape));
}

// reduce(numbers of a plane, how many)
template <class Reduce>
std::vector<Tensor> globalPool(const OpCall& call, const std::vector<ValueType>& outputs, const Reduce& reduce) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  const int64_t count = elementCount(call.shape(0)), planes = elementCount(out.shape);
  const int64_t voxels = count / std::max<int64_t>(planes, 1);
  parallelForLarge(planes, count, [&](int64_t p) { out.floats()[p] = reduce(call.floats(0) + p * voxels, voxels); });
  return oneTensor(std::move(out));
}

std::vector<Tensor> globalAveragePool(const OpCall& call, const std::vector<ValueType>& outputs) {
  return globalPool(call, outputs, [](const float* x, int64_t voxels) {
    double sum = 0;
    for (int64_t v = 0; v < voxels; ++v) sum += x[v];
    return static_cast<float>(sum / static_cast<double>(voxels));
  });
}

std::vector<Tensor> globalMaxPool(const OpCall& call, const std::vector<ValueType>& outputs) {
  return globalPool(call, outputs, [](const float* x, int64_t voxels) {
    float largest = -std::numeric_limits<float>::infinity();
    for (int64_t v = 0; v < voxels; ++v) largest = std::max(largest, x[v]);
    return largest;
  });
}

std::vector<Tensor> globalLpPool(const OpCall& call, const std::vector<ValueType>& outputs) {
  const LpNorm norm{static_cast<int>(call.integer("p", 2))};
  return globalPool(call, outputs, [&](const float* x, int64_t voxels) {
    double sum = 0;
    for (int64_t v = 0; v < voxels; ++v) sum += norm.power(x[v]);
    return norm.root(sum);
  });
}

// The smallest input that MaxPool makes this output of, or what input 2 asks for.
Expected<Shape> unpooledShape(const OpCall& call) {
  const Shape& in = call.shape(0);
  const std::vector<int64_t> kernel = call.integers("kernel_shape");
  if (in.size() < 3 || kernel.size() != in.size() - 2 || call.shape(1) != in || call.input(1).type.type != Type::i64)
    return call.refuse("kernel_shape {} and indices of shape {} for an input of shape {}", shapeText(kernel),
                       shapeText(call.shape(1)), shapeText(in));
  if (!call.input(0).type.isFloat()) return call.refuse("the input holds integers");
  if (call.has(2)) {
    const auto given = call.constantInts(2);
    if (!given || given->size() != in.size() || (*given)[0] != in[0] || (*given)[1] != in[1])
      return call.refuse("output_shape must be a constant for the batch and channels of shape {}", shapeText(in));
    return *given;
  }
  const std::vector<int64_t> ones(kernel.size(), 1);
  const auto strides = call.integers("strides", ones), pads = call.integers("pads", Shape(2 * kernel.size(), 0));
  if (strides.size() != kernel.size() || pads.size() != 2 * kernel.size())
    return call.refuse("strides {} and pads {} for {} spatial axes", shapeText(strides), shapeText(pads),
                       kernel.size());
  Shape out = in;
  constexpr int64_t kMost = 1 << 20;
  for (size_t i = 0; i < kernel.size(); ++i) {
    for (const int64_t v : {kernel[i], strides[i], pads[i], pads[kernel.size() + i]})
      if (v < 0 || v > kMost) return call.refuse("a window parameter is {}, expected 0 to {}", v, kMost);
    if (in[i + 2] > kMost) return call.refuse("an input of shape {} is too large", shapeText(in));
    out[i + 2] = (in[i + 2] - 1) * strides[i] + kernel[i] - pads[i] - pads[kernel.size() + i];
    if (out[i + 2] < 1) return call.refuse("the padding leaves no output for an input of shape {}", shapeText(in));
  }
  return out;
}

Expected<std::vector<ValueType>> inferMaxUnpool(const OpCall& call) {
  auto shape = unpooledShape(call);
  if (!shape) return passError(shape);
  return oneOutput(std::move(*shape));
}

// An index counts over the whole output; one outside of it is left out.
std::vector<Tensor> maxUnpool(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape);
  const auto& indices = call.input(1).value->ints();
  for (size_t i = 0; i < indices.size(); ++i)
    if (indices[i] >= 0 && indices[i] < static_cast<int64_t>(out.size())) out.floats()[indices[i]] = call.floats(0)[i];
  return oneTensor(std::move(out));
}

constexpr Accepts kFloats = Accepts::floats;

LYN_REGISTER_OP(reference, "MaxPool", opset(1, 21), (Kernel{inferMaxPool, maxPool, 1, 1, Accepts::anything, poolWork}));
LYN_REGISTER_OP(reference, "AveragePool", opset(7, 21), (Kernel{inferPool, averagePool, 1, 1, kFloats, poolWork}));
LYN_REGISTER_OP(reference, "LpPool", opset(2, 21), (Kernel{inferLpPool, lpPool, 1, 1, kFloats, poolWork}));
LYN_REGISTER_OP(reference, "GlobalAveragePool", opset(1, 21), (Kernel{inferGlobalPool, globalAveragePool, 1, 1}));
LYN_REGISTER_OP(reference, "GlobalMaxPool", opset(1, 21), (Kernel{inferGlobalPool, globalMaxPool, 1, 1}));
LYN_REGISTER_OP(reference, "GlobalLpPool", opset(2, 21), (Kernel{inferGlobalPool, globalLpPool, 1, 1}));
LYN_REGISTER_OP(reference, "MaxUnpool", opset(9, 21), (Kernel{inferMaxUnpool, maxUnpool, 2, 3, Accepts::anything}));

}  // namespace
}  // namespace lynceus::nn::reference
