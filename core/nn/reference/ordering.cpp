// Operators that compare or add up the numbers of a line: ArgMax, ArgMin, TopK, CumSum.
#include <algorithm>
#include <numeric>

#include "core/nn/reference/axis_lines.h"
#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

Expected<std::vector<ValueType>> inferArg(const OpCall& call) {
  const auto axis = axisOf(call, 0);
  if (!axis) return passError(axis);
  Shape out = call.shape(0);
  if (out[*axis] == 0) return call.refuse("axis {} of shape {} is empty", *axis, shapeText(out));
  if (call.integer("keepdims", 1) != 0)
    out[*axis] = 1;
  else
    out.erase(out.begin() + static_cast<int64_t>(*axis));
  return oneOutput(std::move(out), Type::i64);
}

template <bool kLargest>
std::vector<Tensor> arg(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape, Type::i64);
  const AxisLines lines = linesAlong(call.shape(0), *axisOf(call, 0));
  const bool last = call.integer("select_last_index", 0) != 0;
  std::visit(
      [&](const auto& values) {
        parallelForLarge(lines.count, elementCount(call.shape(0)), [&](int64_t line) {
          const auto* x = values.data() + lines.first(line);
          int64_t best = 0;
          for (int64_t i = 1; i < lines.size; ++i) {
            const auto a = x[i * lines.step], b = x[best * lines.step];
            if ((kLargest ? a > b : a < b) || (last && a == b)) best = i;
          }
          out.ints()[line] = best;
        });
      },
      call.input(0).value->data);
  return oneTensor(std::move(out));
}

struct Top {
  size_t axis;
  int64_t k;
};

// k is an attribute before opset 10 and an input since.
Expected<Top> topOf(const OpCall& call) {
  const auto axis = axisOf(call, -1);
  if (!axis) return passError(axis);
  int64_t k = call.integer("k", -1);
  if (call.opset() >= 10) {
    const auto given = call.constantInts(1);
    if (!given || given->size() != 1) return call.refuse("k is only known while running: export with a fixed number");
    k = given->front();
  }
  if (k < 0 || k > call.shape(0)[*axis])
    return call.refuse("the {} largest of axis {} of shape {}", k, *axis, shapeText(call.shape(0)));
  return Top{*axis, k};
}

Expected<std::vector<ValueType>> inferTopK(const OpCall& call) {
  const auto top = topOf(call);
  if (!top) return passError(top);
  Shape out = call.shape(0);
  out[top->axis] = top->k;
  return std::vector<ValueType>{{out, call.input(0).type.type}, {out, Type::i64}};
}

// Equal numbers come in the order of their index. The result is always sorted, which `sorted` = 0 allows.
template <class T>
void topOfLine(const T* x, const AxisLines& lines, bool largest, int64_t k, std::vector<int64_t>& order) {
  order.resize(static_cast<size_t>(lines.size));
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t i, int64_t j) {
    const T a = x[i * lines.step], b = x[j * lines.step];
    if (isNotANumber(a) != isNotANumber(b)) return isNotANumber(b);  // what is not a number comes last
    if (a != b && !isNotANumber(a)) return largest ? a > b : a < b;
    return i < j;
  });
}

std::vector<Tensor> topK(const OpCall& call, const std::vector<ValueType>&) {
  const Top top = *topOf(call);
  Shape shape = call.shape(0);  // either output may be absent
  shape[top.axis] = top.k;
  const AxisLines lines = linesAlong(call.shape(0), top.axis), to = linesAlong(shape, top.axis);
  const bool largest = call.integer("largest", 1) != 0;
  Tensor best = Tensor::zeros(shape, call.input(0).type.type);
  Tensor at = Tensor::zeros(shape, Type::i64);
  std::visit(
      [&](const auto& values) {
        auto& result = std::get<std::decay_t<decltype(values)>>(best.data);
        std::vector<int64_t> order;
        for (int64_t line = 0; line < to.count; ++line) {
          const auto* x = values.data() + lines.first(line);
          topOfLine(x, lines, largest, top.k, order);
          for (int64_t i = 0; i < top.k; ++i) {
            result[to.first(line) + i * to.step] = x[order[i] * lines.step];
            at.ints()[to.first(line) + i * to.step] = order[i];
          }
        }
      },
      call.input(0).value->data);
  std::vector<Tensor> both;
  both.push_back(std::move(best));
  both.push_back(std::move(at));
  return both;
}

Expected<size_t> cumSumAxis(const OpCall& call) {
  const auto given = call.constantInts(1);
  if (!given || given->size() != 1) return call.refuse("the axis must be a constant integer");
  const auto axis = checkedAxis(given->front(), static_cast<int64_t>(call.shape(0).size()));
  if (!axis) return call.refuse("axis {} for an input of shape {}", given->front(), shapeText(call.shape(0)));
  return static_cast<size_t>(*axis);
}

Expected<std::vector<ValueType>> inferCumSum(const OpCall& call) {
  if (const auto axis = cumSumAxis(call); !axis) return passError(axis);
  if (bytesOf(call.input(0).type.type) == 1) return call.refuse("does not add 8-bit integers: cast to int64 or float");
  return sameAsInput(call);
}

// Sums in double, integers wrap.
template <class T>
void cumSum(const OpCall& call, const std::vector<T>& in, std::vector<T>& out) {
  const AxisLines lines = linesAlong(call.shape(0), *cumSumAxis(call));
  const bool exclusive = call.integer("exclusive", 0) != 0, reverse = call.integer("reverse", 0) != 0;
  for (int64_t line = 0; line < lines.count; ++line) {
    std::conditional_t<std::is_same_v<T, float>, double, uint64_t> sum = 0;
    for (int64_t i = 0; i < lines.size; ++i) {
      const int64_t at = lines.first(line) + (reverse ? lines.size - 1 - i : i) * lines.step;
      if (exclusive) out[at] = static_cast<T>(sum);
      sum += static_cast<decltype(sum)>(in[at]);
      if (!exclusive) out[at] = static_cast<T>(sum);
    }
  }
}

std::vector<Tensor> runCumSum(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor& in = *call.input(0).value;
  Tensor out = Tensor::zeros(outputs[0].shape, outputs[0].type);
  if (in.isFloat())
    cumSum(call, in.floats(), out.floats());
  else
    cumSum(call, in.ints(), out.ints());
  return oneTensor(std::move(out));
}

constexpr Accepts kAny = Accepts::anything;

LYN_REGISTER_OP(reference, "ArgMax", opset(1, 21), (Kernel{inferArg, arg<true>, 1, 1, kAny}));
LYN_REGISTER_OP(reference, "ArgMin", opset(1, 21), (Kernel{inferArg, arg<false>, 1, 1, kAny}));
LYN_REGISTER_OP(reference, "TopK", opset(1, 21), (Kernel{inferTopK, topK, 1, 2, kAny}));
LYN_REGISTER_OP(reference, "CumSum", opset(11, 21), (Kernel{inferCumSum, runCumSum, 2, 2, kAny}));

}  // namespace
}  // namespace lynceus::nn::reference
