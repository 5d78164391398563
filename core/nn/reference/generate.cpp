// Operators that make tensors of a few numbers: Range, Size, OneHot, NonZero, Trilu.
#include <algorithm>
#include <cmath>

#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

template <class T>
struct Progression {
  T start = 0, step = 0;
  int64_t count = 0;
};

constexpr int64_t kMostSteps = int64_t{1} << 40;

template <class T>
Expected<Progression<T>> progressionOf(const OpCall& call) {
  T given[3];
  for (size_t i = 0; i < 3; ++i) {
    const Tensor* value = call.input(i).value;
    if (!value || value->size() != 1 || value->type() != call.input(0).type.type)
      return call.refuse("start, limit and delta must be constant scalars of one type");
    given[i] = std::get<std::vector<T>>(value->data)[0];
  }
  const auto [start, limit, delta] = given;
  const double count =
      std::ceil((static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta));
  if (delta == 0 || !(count < static_cast<double>(kMostSteps)))
    return call.refuse("from {} to {} in steps of {}", start, limit, delta);
  return Progression<T>{start, delta, static_cast<int64_t>(std::max(count, 0.0))};
}

Expected<std::vector<ValueType>> inferRange(const OpCall& call) {
  const Type type = call.input(0).type.type;
  if (type == Type::f32) {
    const auto p = progressionOf<float>(call);
    if (!p) return passError(p);
    return oneOutput({p->count});
  }
  if (type != Type::i64) return call.refuse("start, limit and delta are not int64 or float");
  const auto p = progressionOf<int64_t>(call);
  if (!p) return passError(p);
  return oneOutput({p->count}, Type::i64);
}

std::vector<Tensor> range(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape, outputs[0].type);
  if (out.isFloat()) {
    const auto p = *progressionOf<float>(call);
    for (int64_t i = 0; i < p.count; ++i)
      out.floats()[i] = static_cast<float>(p.start + static_cast<double>(i) * p.step);
  } else {
    const auto p = *progressionOf<int64_t>(call);
    auto value = static_cast<uint64_t>(p.start);  // wraps behind the last one
    for (int64_t& v : out.ints()) {
      v = static_cast<int64_t>(value);
      value += static_cast<uint64_t>(p.step);
    }
  }
  return oneTensor(std::move(out));
}

Expected<std::vector<ValueType>> inferSize(const OpCall&) { return oneOutput({}, Type::i64); }

std::vector<Tensor> size(const OpCall& call, const std::vector<ValueType>&) {
  return oneTensor({{}, std::vector<int64_t>{elementCount(call.shape(0))}});
}

/// OneHot: where the new axis goes and how long it is.
struct OneHot {
  size_t axis;
  int64_t depth;
};

Expected<OneHot> oneHotOf(const OpCall& call) {
  const Tensor* depth = call.input(1).value;
  if (!depth || depth->size() != 1 || (!depth->isFloat() && depth->type() != Type::i64))
    return call.refuse("the depth must be a constant number");
  const double length = depth->isFloat() ? depth->floats()[0] : static_cast<double>(depth->ints()[0]);
  const int64_t stated = call.integer("axis", -1);
  const auto axis = checkedAxis(stated, static_cast<int64_t>(call.shape(0).size()) + 1);
  if (!axis || !(length >= 1 && length < 1e9)) return call.refuse("depth {} on axis {}", length, stated);
  if (elementCount(call.shape(2)) != 2 || bytesOf(call.input(0).type.type) == 1)
    return call.refuse("needs indices of float or int64 and two values");
  return OneHot{static_cast<size_t>(*axis), static_cast<int64_t>(length)};
}

Expected<std::vector<ValueType>> inferOneHot(const OpCall& call) {
  const auto h = oneHotOf(call);
  if (!h) return passError(h);
  Shape out = call.shape(0);
  out.insert(out.begin() + static_cast<int64_t>(h->axis), h->depth);
  return oneOutput(std::move(out), call.input(2).type.type);
}

// An index outside of [-depth, depth) gives a line without a one.
std::vector<Tensor> oneHot(const OpCall& call, const std::vector<ValueType>& outputs) {
  const OneHot h = *oneHotOf(call);
  const Tensor& indices = *call.input(0).value;
  Tensor out = Tensor::zeros(outputs[0].shape, outputs[0].type);
  const int64_t inner = stridesOf(out.shape)[h.axis];
  std::visit(
      [&](const auto& values) {
        auto& result = std::get<std::decay_t<decltype(values)>>(out.data);
        std::fill(result.begin(), result.end(), values[0]);
        for (int64_t i = 0; i < static_cast<int64_t>(indices.size()); ++i) {
          double index = indices.isFloat() ? indices.floats()[i] : static_cast<double>(indices.ints()[i]);
          if (index < 0) index += static_cast<double>(h.depth);
          if (!(index >= 0 && index < static_cast<double>(h.depth))) continue;
          result[(i / inner * h.depth + static_cast<int64_t>(index)) * inner + i % inner] = values[1];
        }
      },
      call.input(2).value->data);
  return oneTensor(std::move(out));
}

int64_t countNonZero(const Tensor& in) {
  return std::visit(
      [](const auto& values) { return std::count_if(values.begin(), values.end(), [](auto v) { return v != 0; }); },
      in.data);
}

// How many there are decides the shape, so the input has to be constant.
Expected<std::vector<ValueType>> inferNonZero(const OpCall& call) {
  if (call.isDynamic(0)) return call.refuse("the size of its result depends on the image: end the network before it");
  return oneOutput({static_cast<int64_t>(call.shape(0).size()), countNonZero(*call.input(0).value)}, Type::i64);
}

std::vector<Tensor> nonZero(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Shape& in = call.shape(0);
  const Shape strides = stridesOf(in);
  Tensor out = Tensor::zeros(outputs[0].shape, Type::i64);
  int64_t found = 0;
  std::visit(
      [&](const auto& values) {
        for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i) {
          if (values[i] == 0) continue;
          for (size_t d = 0; d < in.size(); ++d)
            out.ints()[static_cast<int64_t>(d) * out.shape[1] + found] = i / strides[d] % in[d];
          ++found;
        }
      },
      call.input(0).value->data);
  return oneTensor(std::move(out));
}

Expected<int64_t> diagonalOf(const OpCall& call) {
  if (call.shape(0).size() < 2) return call.refuse("an input of shape {} is no matrix", shapeText(call.shape(0)));
  if (!call.has(1)) return 0;
  const auto k = call.constantInts(1);
  if (!k || k->size() != 1) return call.refuse("k must be a constant integer");
  constexpr int64_t kFar = int64_t{1} << 41;
  return std::clamp(k->front(), -kFar, kFar);
}

Expected<std::vector<ValueType>> inferTrilu(const OpCall& call) {
  if (const auto k = diagonalOf(call); !k) return passError(k);
  return sameAsInput(call);
}

std::vector<Tensor> trilu(const OpCall& call, const std::vector<ValueType>&) {
  const int64_t k = *diagonalOf(call);
  const bool upper = call.integer("upper", 1) != 0;
  Tensor out = *call.input(0).value;
  const int64_t columns = out.shape.back(), rows = out.shape[out.shape.size() - 2];
  std::visit(
      [&](auto& values) {
        for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i) {
          const int64_t row = i / columns % rows, column = i % columns;
          if (upper ? column < row + k : column > row + k) values[i] = 0;
        }
      },
      out.data);
  return oneTensor(std::move(out));
}

constexpr Accepts kAny = Accepts::anything;

LYN_REGISTER_OP(reference, "Range", opset(11, 21), (Kernel{inferRange, range, 3, 3, kAny}));
LYN_REGISTER_OP(reference, "Size", opset(1, 21), (Kernel{inferSize, size, 1, 1, kAny}));
LYN_REGISTER_OP(reference, "OneHot", opset(9, 21), (Kernel{inferOneHot, oneHot, 3, 3, kAny}));
LYN_REGISTER_OP(reference, "NonZero", opset(9, 21), (Kernel{inferNonZero, nonZero, 1, 1, kAny}));
LYN_REGISTER_OP(reference, "Trilu", opset(14, 21), (Kernel{inferTrilu, trilu, 1, 2, kAny}));

}  // namespace
}  // namespace lynceus::nn::reference
