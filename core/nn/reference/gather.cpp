// Operators that read or write where indices say: Gather*, Scatter*. Constant indices are checked; those
// that are only known while running are clamped to the axis, so that no network can read outside of its tensors.
#include <algorithm>

#include "core/nn/reference/axis_lines.h"
#include "core/nn/reference/kernel.h"

namespace lynceus::nn::reference {
namespace {

// An index that may count from the end, as one in [0, size).
int64_t inside(int64_t index, int64_t size) {
  return std::clamp<int64_t>(index < 0 ? index + size : index, 0, size - 1);
}

// @param size  of the axis that all indices belong to.
Expected<void> checkIndices(const OpCall& call, int64_t size) {
  if (call.input(1).type.type != Type::i64) return call.refuse("the indices are not integers");
  const auto indices = call.constantInts(1);
  if (!indices && elementCount(call.shape(1)) > 0 && size == 0) return call.refuse("picks from an empty axis");
  for (const int64_t i : indices.value_or(std::vector<int64_t>{}))
    if (!checkedAxis(i, size)) return call.refuse("index {} is outside an axis of {} elements", i, size);
  return {};
}

Expected<std::vector<ValueType>> inferGather(const OpCall& call) {
  const Shape& in = call.shape(0);
  const auto axis = axisOf(call, 0);
  if (!axis) return passError(axis);
  if (auto ok = checkIndices(call, in[*axis]); !ok) return passError(ok);
  const auto at = static_cast<int64_t>(*axis);
  Shape out(in.begin(), in.begin() + at);
  out.insert(out.end(), call.shape(1).begin(), call.shape(1).end());
  out.insert(out.end(), in.begin() + at + 1, in.end());
  return oneOutput(std::move(out), call.input(0).type.type);
}

std::vector<Tensor> gather(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Tensor& in = *call.input(0).value;
  const auto& indices = call.input(1).value->ints();
  const size_t axis = *axisOf(call, 0);
  const int64_t size = in.shape[axis], inner = stridesOf(in.shape)[axis],
                outer = elementCount(Shape(in.shape.begin(), in.shape.begin() + static_cast<int64_t>(axis)));
  Tensor out = Tensor::zeros(outputs[0].shape, outputs[0].type);
  if (out.size() == 0) return oneTensor(std::move(out));
  std::visit(
      [&](const auto& values) {
        auto to = std::get<std::decay_t<decltype(values)>>(out.data).begin();
        for (int64_t o = 0; o < outer; ++o)
          for (const int64_t i : indices)
            to = std::copy_n(values.begin() + (o * size + inside(i, size)) * inner, inner, to);
      },
      in.data);
  return oneTensor(std::move(out));
}

// For each element of `at`, in order: body(position in `at`, offset in `data` with the index put in along `axis`).
template <class Body>
void forElements(const Shape& data, const Tensor& at, size_t axis, const Body& body) {
  const Shape steps = stridesOf(data), atSteps = stridesOf(at.shape);
  for (int64_t i = 0; i < elementCount(at.shape); ++i) {
    int64_t offset = 0;
    for (size_t d = 0; d < data.size(); ++d)
      offset += steps[d] * (d == axis ? inside(at.ints()[i], data[d]) : i / atSteps[d] % at.shape[d]);
    body(i, offset);
  }
}

Expected<size_t> elementsAxis(const OpCall& call) {
  const Shape &data = call.shape(0), &indices = call.shape(1);
  const auto axis = axisOf(call, 0);
  if (!axis) return axis;
  bool fits = data.size() == indices.size();
  for (size_t d = 0; fits && d < data.size(); ++d) fits = d == *axis || indices[d] <= data[d];
  if (!fits) return call.refuse("indices of shape {} for an input of shape {}", shapeText(indices), shapeText(data));
  if (auto ok = checkIndices(call, data[*axis]); !ok) return passError(ok);
  return axis;
}

Expected<std::vector<ValueType>> inferGatherElements(const OpCall& call) {
  if (const auto axis = elementsAxis(call); !axis) return passError(axis);
  return oneOutput(call.shape(1), call.input(0).type.type);
}

std::vector<Tensor> gatherElements(const OpCall& call, const std::vector<ValueType>& outputs) {
  Tensor out = Tensor::zeros(outputs[0].shape, outputs[0].type);
  std::visit(
      [&](const auto& values) {
        auto& result = std::get<std::decay_t<decltype(values)>>(out.data);
        forElements(call.shape(0), *call.input(1).value, *axisOf(call, 0),
                    [&](int64_t i, int64_t offset) { result[i] = values[offset]; });
      },
      call.input(0).value->data);
  return oneTensor(std::move(out));
}

// What Scatter does with the number that is there.
enum class Reduction { none, add, mul, min, max };

Expected<Reduction> reductionOf(const OpCall& call) {
  static constexpr const char* kNames[] = {"none", "add", "mul", "min", "max"};
  const std::string name = call.text("reduction", "none");
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return call.refuse("unknown reduction \"{}\"", name);
  return static_cast<Reduction>(found - std::begin(kNames));
}

template <class T>
void put(T& to, T value, Reduction reduction) {
  using Wide = std::conditional_t<std::is_same_v<T, float>, float, uint64_t>;  // integers wrap
  switch (reduction) {
    case Reduction::none: to = value; break;
    case Reduction::add: to = static_cast<T>(static_cast<Wide>(to) + static_cast<Wide>(value)); break;
    case Reduction::mul: to = static_cast<T>(static_cast<Wide>(to) * static_cast<Wide>(value)); break;
    case Reduction::min: to = std::min(to, value); break;
    case Reduction::max: to = std::max(to, value); break;
  }
}

Expected<void> checkUpdates(const OpCall& call, const Shape& expected) {
  if (call.shape(2) != expected || call.input(2).type.type != call.input(0).type.type)
    return call.refuse("updates of shape {}, expected {} of the input's type", shapeText(call.shape(2)),
                       shapeText(expected));
  if (const auto reduction = reductionOf(call); !reduction) return passError(reduction);
  return {};
}

Expected<std::vector<ValueType>> inferScatterElements(const OpCall& call) {
  if (const auto axis = elementsAxis(call); !axis) return passError(axis);
  if (auto ok = checkUpdates(call, call.shape(1)); !ok) return passError(ok);
  return sameAsInput(call);
}

std::vector<Tensor> scatterElements(const OpCall& call, const std::vector<ValueType>&) {
  const Reduction reduction = *reductionOf(call);
  Tensor out = *call.input(0).value;
  std::visit(
      [&](auto& values) {
        const auto& updates = std::get<std::decay_t<decltype(values)>>(call.input(2).value->data);
        forElements(out.shape, *call.input(1).value, *axisOf(call, 0),
                    [&](int64_t i, int64_t offset) { put(values[offset], updates[i], reduction); });
      },
      out.data);
  return oneTensor(std::move(out));
}

/// GatherND and ScatterND: the last axis of the indices names a slice of the data.
struct Slices {
  int64_t batches = 1;   ///< product of the batch axes
  int64_t perBatch = 1;  ///< slices that the indices name in each of them
  Shape sizes, steps;    ///< of the axes that an index tuple goes along
  int64_t batchStep = 1, length = 1;
  Shape outer, inner;  ///< shapes: the indices without their last axis, and a slice

  /// Offset of slice i of all.
  int64_t offset(int64_t i, const std::vector<int64_t>& indices) const {
    int64_t at = i / perBatch * batchStep;
    for (size_t k = 0; k < sizes.size(); ++k)
      at += steps[k] * inside(indices[i * static_cast<int64_t>(sizes.size()) + static_cast<int64_t>(k)], sizes[k]);
    return at;
  }
};

Expected<Slices> slicesOf(const OpCall& call) {
  const Shape &data = call.shape(0), &indices = call.shape(1);
  const int64_t batchAxes = call.integer("batch_dims", 0), tuple = indices.empty() ? 0 : indices.back();
  const auto rank = static_cast<int64_t>(data.size());
  if (call.input(1).type.type != Type::i64) return call.refuse("the indices are not integers");
  if (batchAxes < 0 || tuple < 1 || batchAxes >= static_cast<int64_t>(indices.size()) || tuple > rank - batchAxes ||
      !std::equal(data.begin(), data.begin() + batchAxes, indices.begin()))
    return call.refuse("indices of shape {} for an input of shape {}", shapeText(indices), shapeText(data));
  const auto first = data.begin() + batchAxes, last = first + tuple;
  const Shape strides = stridesOf(data);
  Slices s;
  s.batches = elementCount(Shape(data.begin(), first));
  s.outer = Shape(indices.begin(), indices.end() - 1);
  s.perBatch = elementCount(Shape(indices.begin() + batchAxes, indices.end() - 1));
  s.sizes = Shape(first, last);
  s.steps = Shape(strides.begin() + batchAxes, strides.begin() + batchAxes + tuple);
  s.batchStep = elementCount(Shape(first, data.end()));
  s.inner = Shape(last, data.end());
  s.length = elementCount(s.inner);
  const auto given = call.constantInts(1);
  for (size_t i = 0; i < given.value_or(std::vector<int64_t>{}).size(); ++i)
    if (const int64_t size = s.sizes[i % s.sizes.size()]; !checkedAxis((*given)[i], size))
      return call.refuse("index {} is outside an axis of {} elements", (*given)[i], size);
  if (elementCount(indices) > 0 && std::find(s.sizes.begin(), s.sizes.end(), 0) != s.sizes.end())
    return call.refuse("picks from an empty axis");
  return s;
}

Shape slicesShape(const Slices& s) {
  Shape out = s.outer;
  out.insert(out.end(), s.inner.begin(), s.inner.end());
  return out;
}

Expected<std::vector<ValueType>> inferGatherNd(const OpCall& call) {
  const auto s = slicesOf(call);
  if (!s) return passError(s);
  return oneOutput(slicesShape(*s), call.input(0).type.type);
}

std::vector<Tensor> gatherNd(const OpCall& call, const std::vector<ValueType>& outputs) {
  const Slices s = *slicesOf(call);
  const auto& indices = call.input(1).value->ints();
  Tensor out = Tensor::zeros(outputs[0].shape, outputs[0].type);
  if (out.size() == 0) return oneTensor(std::move(out));
  std::visit(
      [&](const auto& values) {
        auto to = std::get<std::decay_t<decltype(values)>>(out.data).begin();
        for (int64_t i = 0; i < s.batches * s.perBatch; ++i)
          to = std::copy_n(values.begin() + s.offset(i, indices), s.length, to);
      },
      call.input(0).value->data);
  return oneTensor(std::move(out));
}

Expected<std::vector<ValueType>> inferScatterNd(const OpCall& call) {
  if (call.hasAttribute("batch_dims")) return call.refuse("has no attribute batch_dims");
  const auto s = slicesOf(call);
  if (!s) return passError(s);
  if (auto ok = checkUpdates(call, slicesShape(*s)); !ok) return passError(ok);
  return sameAsInput(call);
}

std::vector<Tensor> scatterNd(const OpCall& call, const std::vector<ValueType>&) {
  const Reduction reduction = *reductionOf(call);
  const Slices s = *slicesOf(call);
  const auto& indices = call.input(1).value->ints();
  Tensor out = *call.input(0).value;
  std::visit(
      [&](auto& values) {
        const auto& updates = std::get<std::decay_t<decltype(values)>>(call.input(2).value->data);
        for (int64_t i = 0; i < s.perBatch; ++i)
          for (int64_t k = 0; k < s.length; ++k)
            put(values[s.offset(i, indices) + k], updates[i * s.length + k], reduction);
      },
      out.data);
  return oneTensor(std::move(out));
}

constexpr Accepts kAny = Accepts::anything;

LYN_REGISTER_OP(reference, "Gather", opset(1, 21), (Kernel{inferGather, gather, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "GatherElements", opset(11, 21), (Kernel{inferGatherElements, gatherElements, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "GatherND", opset(11, 21), (Kernel{inferGatherNd, gatherNd, 2, 2, kAny}));
LYN_REGISTER_OP(reference, "Scatter", opset(9, 10), (Kernel{inferScatterElements, scatterElements, 3, 3, kAny}));
LYN_REGISTER_OP(reference, "ScatterElements", opset(11, 21),
                (Kernel{inferScatterElements, scatterElements, 3, 3, kAny}));
LYN_REGISTER_OP(reference, "ScatterND", opset(11, 21), (Kernel{inferScatterNd, scatterNd, 3, 3, kAny}));

}  // namespace
}  // namespace lynceus::nn::reference
