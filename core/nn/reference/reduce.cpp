// Reduce*: every output is one number made of all numbers along the reduced axes. Sums of floats are double.
#include "core/nn/reduce.h"

#include <cmath>
#include <limits>

#include "core/nn/reference/kernel.h"
#include "core/parallel.h"

namespace lynceus::nn::reference {
namespace {

// Offsets of all elements along the axes that are reduced (or not), in row-major order.
std::vector<int64_t> offsetsAlong(const Shape& shape, const std::vector<bool>& reduced, bool wanted) {
  const Shape strides = stridesOf(shape);
  std::vector<int64_t> offsets{0};
  for (size_t d = 0; d < shape.size(); ++d) {
    if (reduced[d] != wanted) continue;
    std::vector<int64_t> next;
    next.reserve(offsets.size() * static_cast<size_t>(shape[d]));
    for (const int64_t offset : offsets)
      for (int64_t i = 0; i < shape[d]; ++i) next.push_back(offset + i * strides[d]);
    offsets = std::move(next);
  }
  return offsets;
}

/// The numbers that go into one result.
template <class T>
struct Line {
  const T* first;
  const std::vector<int64_t>& offsets;

  size_t size() const { return offsets.size(); }
  T operator[](size_t i) const { return first[offsets[i]]; }
};

// Sum of f(x); integers wrap.
template <class T, class F>
auto sumOf(const Line<T>& line, const F& f) {
  std::conditional_t<std::is_same_v<T, float>, double, uint64_t> sum = 0;
  for (size_t i = 0; i < line.size(); ++i) sum += f(static_cast<decltype(sum)>(line[i]));
  return sum;
}

struct Sum {
  template <class T>
  static T of(const Line<T>& line) {
    return static_cast<T>(sumOf(line, [](auto x) { return x; }));
  }
};
struct Mean {
  static float of(const Line<float>& line) {
    return static_cast<float>(sumOf(line, [](double x) { return x; }) / static_cast<double>(line.size()));
  }
  static int64_t of(const Line<int64_t>& line) {
    return line.size() == 0 ? 0 : Sum::of(line) / static_cast<int64_t>(line.size());
  }
};
struct SumSquare {
  template <class T>
  static T of(const Line<T>& line) {
    return static_cast<T>(sumOf(line, [](auto x) { return x * x; }));
  }
};
struct Prod {
  template <class T>
  static T of(const Line<T>& line) {
    std::conditional_t<std::is_same_v<T, float>, double, uint64_t> product = 1;
    for (size_t i = 0; i < line.size(); ++i) product *= static_cast<decltype(product)>(line[i]);
    return static_cast<T>(product);
  }
};
struct Max {
  template <class T>
  static T of(const Line<T>& line) {
    using Limits = std::numeric_limits<T>;
    T largest = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    for (size_t i = 0; i < line.size(); ++i)
      if (const T x = line[i]; x > largest || isNotANumber(x)) largest = x;
    return largest;
  }
};
struct Min {
  template <class T>
  static T of(const Line<T>& line) {
    using Limits = std::numeric_limits<T>;
    T smallest = Limits::has_infinity ? Limits::infinity() : Limits::max();
    for (size_t i = 0; i < line.size(); ++i)
      if (const T x = line[i]; x < smallest || isNotANumber(x)) smallest = x;
    return smallest;
  }
};
struct L1 {
  static float of(const Line<float>& line) {
    return static_cast<float>(sumOf(line, [](double x) { return std::fabs(x); }));
  }
};
struct L2 {
  static float of(const Line<float>& line) {
    return static_cast<float>(std::sqrt(sumOf(line, [](double x) { return x * x; })));
  }
};
struct LogSum {
  static float of(const Line<float>& line) {
    return static_cast<float>(std::log(sumOf(line, [](double x) { return x; })));
  }
};
struct LogSumExp {
  static float of(const Line<float>& line) {
    const double largest = Max::of(line);
    if (!std::isfinite(largest)) return static_cast<float>(largest);
    return static_cast<float>(largest + std::log(sumOf(line, [&](double x) { return std::exp(x - largest); })));
  }
};

template <bool kIntegers>
Expected<std::vector<ValueType>> inferReduce(const OpCall& call) {
  const Type type = call.input(0).type.type;
  if (type != Type::f32 && !(kIntegers && type == Type::i64))
    return call.refuse("the input holds integers: cast it to float");
  const auto r = reduction(call);
  if (!r) return passError(r);
  return oneOutput(r->output, type);
}

template <class Reduce, class T>
std::vector<T> reduceAll(const std::vector<T>& in, const Shape& shape, const Reduction& r) {
  const auto kept = offsetsAlong(shape, r.reduced, false), along = offsetsAlong(shape, r.reduced, true);
  std::vector<T> out(kept.size());
  parallelForLarge(static_cast<int64_t>(kept.size()), static_cast<int64_t>(in.size()), [&](int64_t i) {
    out[i] = Reduce::of(Line<T>{in.data() + kept[i], along});
  });
  return out;
}

template <class Reduce, bool kIntegers>
std::vector<Tensor> reduce(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor& in = *call.input(0).value;
  const Reduction r = *reduction(call);
  if constexpr (kIntegers)
    if (!in.isFloat()) return oneTensor({outputs[0].shape, reduceAll<Reduce>(in.ints(), in.shape, r)});
  return oneTensor({outputs[0].shape, reduceAll<Reduce>(in.floats(), in.shape, r)});
}

template <class Reduce, bool kIntegers>
constexpr Kernel kReduce{inferReduce<kIntegers>, reduce<Reduce, kIntegers>, 1, 2, Accepts::anything};

LYN_REGISTER_OP(reference, "ReduceSum", opset(1, 21), (kReduce<Sum, true>));
LYN_REGISTER_OP(reference, "ReduceMean", opset(1, 21), (kReduce<Mean, true>));
LYN_REGISTER_OP(reference, "ReduceMax", opset(1, 21), (kReduce<Max, true>));
LYN_REGISTER_OP(reference, "ReduceMin", opset(1, 21), (kReduce<Min, true>));
LYN_REGISTER_OP(reference, "ReduceProd", opset(1, 21), (kReduce<Prod, true>));
LYN_REGISTER_OP(reference, "ReduceSumSquare", opset(1, 21), (kReduce<SumSquare, true>));
LYN_REGISTER_OP(reference, "ReduceL1", opset(1, 21), (kReduce<L1, false>));
LYN_REGISTER_OP(reference, "ReduceL2", opset(1, 21), (kReduce<L2, false>));
LYN_REGISTER_OP(reference, "ReduceLogSum", opset(1, 21), (kReduce<LogSum, false>));
LYN_REGISTER_OP(reference, "ReduceLogSumExp", opset(1, 21), (kReduce<LogSumExp, false>));

}  // namespace
}  // namespace lynceus::nn::reference
