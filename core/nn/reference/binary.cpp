// Operators on two tensors with NumPy broadcasting.
#include <cmath>

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferBinary(const OpCall& call) {
  if (call.input(0).type.type != call.input(1).type.type) return call.refuse("its inputs have different types");
  auto shape = broadcast(call.shape(0), call.shape(1));
  if (!shape)
    return call.refuse("shapes {} and {} do not broadcast", shapeText(call.shape(0)), shapeText(call.shape(1)));
  return oneOutput(std::move(*shape), call.input(0).type.type);
}

// The slope broadcasts to the input, never the other way round.
Expected<std::vector<ValueType>> inferPRelu(const OpCall& call) {
  if (broadcast(call.shape(0), call.shape(1)) != call.shape(0))
    return call.refuse("slope of shape {} for an input of shape {}", shapeText(call.shape(1)),
                       shapeText(call.shape(0)));
  return sameAsInput(call);
}

template <class T, class Function>
std::vector<T> broadcastLoop(const Shape& out, const Shape& shapeA, const std::vector<T>& a, const Shape& shapeB,
                             const std::vector<T>& b, const Function& f) {
  const auto stridesTo = [&](const Shape& shape) {
    const Shape own = stridesOf(shape);
    Shape strides(out.size(), 0);
    for (size_t i = 0; i < shape.size(); ++i)
      if (shape[i] != 1) strides[out.size() - shape.size() + i] = own[i];
    return strides;
  };
  const Shape strideA = stridesTo(shapeA), strideB = stridesTo(shapeB);
  std::vector<T> result(static_cast<size_t>(elementCount(out)));
  Shape index(out.size(), 0);
  int64_t atA = 0, atB = 0;
  for (T& r : result) {
    r = f(a[atA], b[atB]);
    for (size_t d = out.size(); d-- > 0;) {
      atA += strideA[d];
      atB += strideB[d];
      if (++index[d] < out[d]) break;
      atA -= strideA[d] * out[d];
      atB -= strideB[d] * out[d];
      index[d] = 0;
    }
  }
  return result;
}

// Integers wrap instead of overflowing, and n / 0 is 0: the numbers come from an untrusted file.
template <char kOperation>
struct Arithmetic {
  float operator()(float a, float b) const {
    if constexpr (kOperation == '+') return a + b;
    if constexpr (kOperation == '-') return a - b;
    if constexpr (kOperation == '*') return a * b;
    if constexpr (kOperation == '/') return a / b;
    if constexpr (kOperation == '^') return std::pow(a, b);
    if constexpr (kOperation == 'p') return a < 0 ? a * b : a;
  }
  int64_t operator()(int64_t a, int64_t b) const {
    const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
    if constexpr (kOperation == '+') return static_cast<int64_t>(ua + ub);
    if constexpr (kOperation == '-') return static_cast<int64_t>(ua - ub);
    if constexpr (kOperation == '*') return static_cast<int64_t>(ua * ub);
    if (b == 0) return 0;
    return b == -1 ? static_cast<int64_t>(0 - ua) : a / b;
  }
};

template <char kOperation>
std::vector<Tensor> binary(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor &a = *call.input(0).value, &b = *call.input(1).value;
  const Shape& shape = outputs[0].shape;
  const Arithmetic<kOperation> f;
  if (a.isFloat()) return oneTensor({shape, broadcastLoop(shape, a.shape, a.floats(), b.shape, b.floats(), f)});
  return oneTensor({shape, broadcastLoop(shape, a.shape, a.ints(), b.shape, b.ints(), f)});
}

LYN_REGISTER_OP(reference, "Add", opset(7, 21), (Kernel{inferBinary, binary<'+'>, 2, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Sub", opset(7, 21), (Kernel{inferBinary, binary<'-'>, 2, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Mul", opset(7, 21), (Kernel{inferBinary, binary<'*'>, 2, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Div", opset(7, 21), (Kernel{inferBinary, binary<'/'>, 2, 2, Accepts::anything}));
LYN_REGISTER_OP(reference, "Pow", opset(7, 21), (Kernel{inferBinary, binary<'^'>, 2, 2}));
LYN_REGISTER_OP(reference, "PRelu", opset(7, 21), (Kernel{inferPRelu, binary<'p'>, 2, 2}));

}  // namespace
}  // namespace lynceus::nn::reference
