#include "core/nn/activation.h"

#include <limits>

#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferActivation(const OpCall& call) {
  if (const auto a = nn::activation(call); !a) return passError(a);
  return sameAsInput(call);
}

std::vector<Tensor> runActivation(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Activation a = *nn::activation(call);
  Tensor out = Tensor::zeros(outputs[0].shape);
  const int64_t count = elementCount(out.shape);
  constexpr int64_t kBlock = 4096;
  parallelForLarge((count + kBlock - 1) / kBlock, count, [&](int64_t block) {
    const int64_t end = std::min(count, (block + 1) * kBlock);
    for (int64_t i = block * kBlock; i < end; ++i) out.floats()[i] = a.apply(call.floats(0)[i], a.alpha, a.beta);
  });
  return oneTensor(std::move(out));
}

/// What of these operators exporters also use on integers, while they compute shapes.
struct IntegerFunction {
  const char* op;
  int64_t (*apply)(int64_t x, int64_t low, int64_t high);
};
constexpr IntegerFunction kIntegerFunctions[] = {
    {"Abs", [](int64_t x, int64_t, int64_t) { return x < 0 ? static_cast<int64_t>(0 - static_cast<uint64_t>(x)) : x; }},
    {"Clip", [](int64_t x, int64_t low, int64_t high) { return std::min(std::max(x, low), high); }},
    {"Neg", [](int64_t x, int64_t, int64_t) { return static_cast<int64_t>(0 - static_cast<uint64_t>(x)); }},
    {"Relu", [](int64_t x, int64_t, int64_t) { return std::max<int64_t>(x, 0); }},
    {"Sign", [](int64_t x, int64_t, int64_t) { return static_cast<int64_t>((x > 0) - (x < 0)); }},
};

const IntegerFunction* integerFunction(const std::string& op) {
  for (const IntegerFunction& f : kIntegerFunctions)
    if (op == f.op) return &f;
  return nullptr;
}

// A limit of Clip on integers.
Expected<int64_t> integerLimit(const OpCall& call, size_t i, int64_t fallback) {
  if (!call.has(i)) return fallback;
  const auto limit = call.constantInts(i);
  if (!limit || limit->size() != 1) return call.refuse("the limits must be constant scalars of the input's type");
  return limit->front();
}

Expected<std::vector<ValueType>> inferEither(const OpCall& call) {
  if (call.input(0).type.isFloat()) return inferActivation(call);
  if (call.input(0).type.type != Type::i64 || !integerFunction(call.node().op))
    return call.refuse("the input holds integers: cast it to float");
  for (const size_t i : {size_t{1}, size_t{2}})
    if (const auto limit = integerLimit(call, i, 0); !limit) return passError(limit);
  return sameAsInput(call);
}

std::vector<Tensor> runEither(const OpCall& call, const std::vector<ValueType>& outputs) {
  if (outputs[0].isFloat()) return runActivation(call, outputs);
  const IntegerFunction& f = *integerFunction(call.node().op);
  using Limits = std::numeric_limits<int64_t>;
  const int64_t low = *integerLimit(call, 1, Limits::min()), high = *integerLimit(call, 2, Limits::max());
  Tensor out = Tensor::zeros(outputs[0].shape, Type::i64);
  const auto& in = call.input(0).value->ints();
  for (size_t i = 0; i < in.size(); ++i) out.ints()[i] = f.apply(in[i], low, high);
  return oneTensor(std::move(out));
}

// The whole table at once: the operators differ in their function alone.
[[maybe_unused]] const bool kRegistered = [] {
  for (const std::string& op : activationOperators())
    kernels().add(op, opset(1, 21),
                  {inferEither, runEither, 1, op == "Clip" ? size_t{3} : size_t{1}, Accepts::anything});
  return true;
}();

}  // namespace
}  // namespace lynceus::nn::reference
