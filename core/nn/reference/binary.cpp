// Arithmetic on two or more tensors with NumPy broadcasting.
#include <cmath>

#include "core/nn/reference/broadcast.h"
#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferArithmetic(const OpCall& call) {
  for (size_t i = 0; i < call.inputCount(); ++i)
    if (call.has(i) && call.input(i).type.type != call.input(0).type.type)
      return call.refuse("its inputs have different types");
  if (const Type type = call.input(0).type.type; type == Type::i8 || type == Type::u8)
    return call.refuse("does not compute with 8-bit integers: cast to int64 or float");
  auto shape = commonShape(call);
  if (!shape) return passError(shape);
  return oneOutput(std::move(*shape), call.input(0).type.type);
}

Expected<std::vector<ValueType>> inferMod(const OpCall& call) {
  if (call.input(0).type.isFloat() && call.integer("fmod", 0) == 0) return call.refuse("of floats needs fmod=1");
  return inferArithmetic(call);
}

// Since opset 12 the exponent may have another type than the base.
Expected<std::vector<ValueType>> inferPow(const OpCall& call) {
  for (const size_t i : {size_t{0}, size_t{1}})
    if (const Type type = call.input(i).type.type; type == Type::i8 || type == Type::u8)
      return call.refuse("does not compute with 8-bit integers: cast to int64 or float");
  auto shape = commonShape(call);
  if (!shape) return passError(shape);
  return oneOutput(std::move(*shape), call.input(0).type.type);
}

// The slope broadcasts to the input, never the other way round.
Expected<std::vector<ValueType>> inferPRelu(const OpCall& call) {
  if (broadcast(call.shape(0), call.shape(1)) != call.shape(0))
    return call.refuse("slope of shape {} for an input of shape {}", shapeText(call.shape(1)),
                       shapeText(call.shape(0)));
  return sameAsInput(call);
}

// Integers wrap instead of overflowing, and n / 0 is 0: the numbers come from an untrusted file.
template <char kOperation>
struct Arithmetic {
  float operator()(float a, float b) const {
    if constexpr (kOperation == '+') return a + b;
    if constexpr (kOperation == '-') return a - b;
    if constexpr (kOperation == '*') return a * b;
    if constexpr (kOperation == '/') return a / b;
    if constexpr (kOperation == 'p') return a < 0 ? a * b : a;
    if constexpr (kOperation == '%') return std::fmod(a, b);
    if constexpr (kOperation == '<') return a < b || a != a ? a : b;  // not a number stays so
    if constexpr (kOperation == '>') return a > b || a != a ? a : b;
  }
  int64_t operator()(int64_t a, int64_t b) const {
    const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
    if constexpr (kOperation == '+') return static_cast<int64_t>(ua + ub);
    if constexpr (kOperation == '-') return static_cast<int64_t>(ua - ub);
    if constexpr (kOperation == '*') return static_cast<int64_t>(ua * ub);
    if constexpr (kOperation == '<') return std::min(a, b);
    if constexpr (kOperation == '>') return std::max(a, b);
    if (b == 0) return 0;
    if constexpr (kOperation == '%') return b == -1 ? 0 : a % b;
    return b == -1 ? static_cast<int64_t>(0 - ua) : a / b;
  }
};

// The result has the sign of the divisor, as in Python.
struct FloorMod {
  float operator()(float a, float b) const { return std::fmod(a, b); }  // refused by inferMod
  int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0 || b == -1) return 0;
    const int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
};

template <class F>
std::vector<Tensor> binary(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor &a = *call.input(0).value, &b = *call.input(1).value;
  const Shape& shape = outputs[0].shape;
  if (a.isFloat())
    return oneTensor({shape, broadcastLoop<float>(shape, F{}, Values<float>{a.shape, a.floats()},
                                                  Values<float>{b.shape, b.floats()})});
  return oneTensor({shape, broadcastLoop<int64_t>(shape, F{}, Values<int64_t>{a.shape, a.ints()},
                                                  Values<int64_t>{b.shape, b.ints()})});
}

std::vector<Tensor> mod(const OpCall& call, const std::vector<ValueType>& outputs) {
  return call.integer("fmod", 0) != 0 ? binary<Arithmetic<'%'>>(call, outputs) : binary<FloorMod>(call, outputs);
}

template <class T>
T power(T base, double exponent) {
  const double result = std::pow(static_cast<double>(base), exponent);
  if constexpr (std::is_same_v<T, float>)
    return static_cast<float>(result);
  else
    return std::fabs(result) < 9.2e18 ? static_cast<int64_t>(result) : 0;
}

std::vector<Tensor> pow(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor &a = *call.input(0).value, &b = *call.input(1).value;
  Tensor out = Tensor::zeros(outputs[0].shape, outputs[0].type);
  const auto compute = [&](const auto& bases, const auto& exponents) {
    using Base = typename std::decay_t<decltype(bases)>::value_type;
    using Exponent = typename std::decay_t<decltype(exponents)>::value_type;
    if constexpr (sizeof(Base) > 1 && sizeof(Exponent) > 1)
      out.data = broadcastLoop<Base>(
          out.shape, [](Base x, Exponent y) { return power(x, static_cast<double>(y)); }, Values<Base>{a.shape, bases},
          Values<Exponent>{b.shape, exponents});
  };
  std::visit(compute, a.data, b.data);
  return oneTensor(std::move(out));
}

// Any number of inputs: one after the other into an accumulator of the output's shape.
template <class Accumulator, class T, class F>
std::vector<Accumulator> accumulate(const OpCall& call, const Shape& shape, const F& f) {
  const auto values = [&](size_t i) {
    return Values<T>{call.shape(i), std::get<std::vector<T>>(call.input(i).value->data)};
  };
  auto result = broadcastLoop<Accumulator>(
      shape, [](T x) { return static_cast<Accumulator>(x); }, values(0));
  for (size_t i = 1; i < call.inputCount(); ++i)
    result = broadcastLoop<Accumulator>(shape, f, Values<Accumulator>{shape, result}, values(i));
  return result;
}

template <char kOperation>
std::vector<Tensor> extreme(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Shape& shape = outputs[0].shape;
  const Arithmetic<kOperation> f;
  if (outputs[0].isFloat()) return oneTensor({shape, accumulate<float, float>(call, shape, f)});
  return oneTensor({shape, accumulate<int64_t, int64_t>(call, shape, f)});
}

template <bool kMean>
std::vector<Tensor> sum(const OpCall& call, const std::vector<ValueType>& outputs) {
  const auto sums = accumulate<double, float>(call, outputs[0].shape, [](double a, float b) { return a + b; });
  const double divisor = kMean ? static_cast<double>(call.inputCount()) : 1;
  Tensor out = Tensor::zeros(outputs[0].shape);
  for (size_t i = 0; i < sums.size(); ++i) out.floats()[i] = static_cast<float>(sums[i] / divisor);
  return oneTensor(std::move(out));
}

// Every input is added to the whole output.
double variadicWork(const OpCall& call, const std::vector<ValueType>& outputs) {
  return static_cast<double>(call.inputCount()) * static_cast<double>(elementCount(outputs[0].shape));
}

constexpr size_t kMostOperands = 4096;
constexpr Accepts kAny = Accepts::anything;

LYN_REGISTER_OP(reference, "Add", opset(7, 21), (Kernel{inferArithmetic, binary<Arithmetic<'+'>>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Sub", opset(7, 21), (Kernel{inferArithmetic, binary<Arithmetic<'-'>>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Mul", opset(7, 21), (Kernel{inferArithmetic, binary<Arithmetic<'*'>>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Div", opset(7, 21), (Kernel{inferArithmetic, binary<Arithmetic<'/'>>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Mod", opset(10, 21), (Kernel{inferMod, mod, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Pow", opset(7, 21), (Kernel{inferPow, pow, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "PRelu", opset(7, 21), (Kernel{inferPRelu, binary<Arithmetic<'p'>>, 2, 2}));
LYN_REGISTER_OP(reference, "Max", opset(1, 21),
                (Kernel{inferArithmetic, extreme<'>'>, 1, kMostOperands, kAny, variadicWork}));
LYN_REGISTER_OP(reference, "Min", opset(1, 21),
                (Kernel{inferArithmetic, extreme<'<'>, 1, kMostOperands, kAny, variadicWork}));
LYN_REGISTER_OP(reference, "Sum", opset(1, 21),
                (Kernel{inferArithmetic, sum<false>, 1, kMostOperands, Accepts::floats, variadicWork}));
LYN_REGISTER_OP(reference, "Mean", opset(1, 21),
                (Kernel{inferArithmetic, sum<true>, 1, kMostOperands, Accepts::floats, variadicWork}));

}  // namespace
}  // namespace lynceus::nn::reference
