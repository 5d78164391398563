// Comparisons, logic and the choice between two tensors. Truth is an int64 tensor of 0 and 1.
#include <cmath>

#include "core/nn/reference/broadcast.h"
#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferComparison(const OpCall& call) {
  if (call.input(0).type.type != call.input(1).type.type) return call.refuse("its inputs have different types");
  auto shape = commonShape(call);
  if (!shape) return passError(shape);
  return oneOutput(std::move(*shape), Type::i64);
}

template <class Compare>
std::vector<Tensor> comparison(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor &a = *call.input(0).value, &b = *call.input(1).value;
  const Shape& shape = outputs[0].shape;
  return std::visit(
      [&](const auto& values) {
        using T = typename std::decay_t<decltype(values)>::value_type;
        const auto truth = [](T x, T y) { return static_cast<int64_t>(Compare{}(x, y)); };
        return oneTensor({shape, broadcastLoop<int64_t>(shape, truth, Values<T>{a.shape, values},
                                                        Values<T>{b.shape, std::get<std::vector<T>>(b.data)})});
      },
      a.data);
}

Expected<std::vector<ValueType>> inferLogic(const OpCall& call) {
  for (size_t i = 0; i < call.inputCount(); ++i)
    if (call.has(i) && call.input(i).type.type != Type::i64) return call.refuse("input {} is not boolean", i);
  auto shape = commonShape(call);
  if (!shape) return passError(shape);
  return oneOutput(std::move(*shape), Type::i64);
}

struct And {
  bool operator()(int64_t a, int64_t b) const { return a != 0 && b != 0; }
};
struct Or {
  bool operator()(int64_t a, int64_t b) const { return a != 0 || b != 0; }
};
struct Xor {
  bool operator()(int64_t a, int64_t b) const { return (a != 0) != (b != 0); }
};

template <class Logic>
std::vector<Tensor> logic(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor &a = *call.input(0).value, &b = *call.input(1).value;
  const auto truth = [](int64_t x, int64_t y) { return static_cast<int64_t>(Logic{}(x, y)); };
  return oneTensor(
      {outputs[0].shape, broadcastLoop<int64_t>(outputs[0].shape, truth, Values<int64_t>{a.shape, a.ints()},
                                                Values<int64_t>{b.shape, b.ints()})});
}

std::vector<Tensor> negation(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape, Type::i64);
  const auto& in = call.input(0).value->ints();
  for (size_t i = 0; i < in.size(); ++i) out.ints()[i] = in[i] == 0;
  return oneTensor(std::move(out));
}

Expected<std::vector<ValueType>> inferTest(const OpCall& call) { return oneOutput(call.shape(0), Type::i64); }

std::vector<Tensor> isNotANumber(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape, Type::i64);
  for (size_t i = 0; i < out.size(); ++i) out.ints()[i] = std::isnan(call.floats(0)[i]);
  return oneTensor(std::move(out));
}

std::vector<Tensor> isInfinite(const OpCall& call, const std::vector<ValueType>& outputs) {
  const bool positive = call.integer("detect_positive", 1) != 0, negative = call.integer("detect_negative", 1) != 0;
  Tensor out = Tensor::zeros(outputs[0].shape, Type::i64);
  for (size_t i = 0; i < out.size(); ++i) {
    const float x = call.floats(0)[i];
    out.ints()[i] = std::isinf(x) && (x > 0 ? positive : negative);
  }
  return oneTensor(std::move(out));
}

Expected<std::vector<ValueType>> inferWhere(const OpCall& call) {
  if (call.input(0).type.type != Type::i64) return call.refuse("the condition is not boolean");
  if (call.input(1).type.type != call.input(2).type.type) return call.refuse("its inputs have different types");
  auto shape = commonShape(call);
  if (!shape) return passError(shape);
  return oneOutput(std::move(*shape), call.input(1).type.type);
}

std::vector<Tensor> where(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor &condition = *call.input(0).value, &yes = *call.input(1).value, &no = *call.input(2).value;
  const Shape& shape = outputs[0].shape;
  return std::visit(
      [&](const auto& values) {
        using T = typename std::decay_t<decltype(values)>::value_type;
        const auto choose = [](int64_t c, T a, T b) { return c != 0 ? a : b; };
        return oneTensor({shape, broadcastLoop<T>(shape, choose, Values<int64_t>{condition.shape, condition.ints()},
                                                  Values<T>{yes.shape, values},
                                                  Values<T>{no.shape, std::get<std::vector<T>>(no.data)})});
      },
      yes.data);
}

constexpr Accepts kAny = Accepts::anything;

LYN_REGISTER_OP(reference, "Equal", opset(7, 21), (Kernel{inferComparison, comparison<std::equal_to<>>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Greater", opset(7, 21), (Kernel{inferComparison, comparison<std::greater<>>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "GreaterOrEqual", opset(12, 21),
                (Kernel{inferComparison, comparison<std::greater_equal<>>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Less", opset(7, 21), (Kernel{inferComparison, comparison<std::less<>>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "LessOrEqual", opset(12, 21),
                (Kernel{inferComparison, comparison<std::less_equal<>>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "And", opset(7, 21), (Kernel{inferLogic, logic<And>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Or", opset(7, 21), (Kernel{inferLogic, logic<Or>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Xor", opset(7, 21), (Kernel{inferLogic, logic<Xor>, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Not", opset(1, 21), (Kernel{inferLogic, negation, 1, 1, kAny}));
LYN_REGISTER_OP(reference, "IsNaN", opset(9, 21), (Kernel{inferTest, isNotANumber, 1, 1}));
LYN_REGISTER_OP(reference, "IsInf", opset(10, 21), (Kernel{inferTest, isInfinite, 1, 1}));
LYN_REGISTER_OP(reference, "Where", opset(9, 21), (Kernel{inferWhere, where, 3, 3, kAny}));

}  // namespace
}  // namespace lynceus::nn::reference
