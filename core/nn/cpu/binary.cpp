// Operators on two tensors with NumPy broadcasting, in the stored order of the result. Every number of the result is
// written once and every number of a full operand read once, in place where it can be; a broadcast operand is widened
// into a piece once for many pieces.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/nn/cpu/bfloat16.h"
#include "core/nn/cpu/loop_function.h"
#include "core/nn/cpu/pieces.h"
#include "core/nn/cpu/via_reference.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

using Strides = std::array<int64_t, 2>;  // of both operands, in elements; 0 where an operand is broadcast

/// One axis of the loop, in the stored order of the result.
struct Axis {
  int64_t size;
  Strides strides;
};

/// out = f(a, b) for count numbers; out may be a or b.
using Function = void (*)(const float* a, const float* b, float* out, int64_t count);

template <class F>
constexpr Function loopOf(F) {
  return [](const float* a, const float* b, float* out, int64_t count) {
    const F f{};
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) out[i] = f(a[i], b[i]);
  };
}

// Squares and square roots are what exporters write.
void power(const float* a, const float* b, float* out, int64_t count) {
  if (std::all_of(b, b + count, [](float exponent) { return exponent == 2; })) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) out[i] = a[i] * a[i];
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = std::pow(a[i], b[i]);
  }
}

Function functionOf(const std::string& op) {
  if (op == "Add") return loopOf([](float a, float b) { return a + b; });
  if (op == "Sub") return loopOf([](float a, float b) { return a - b; });
  if (op == "Mul") return loopOf([](float a, float b) { return a * b; });
  if (op == "Div") return loopOf([](float a, float b) { return a / b; });
  if (op == "Min") return loopOf([](float a, float b) { return a < b || a != a ? a : b; });  // not a number stays so
  if (op == "Max") return loopOf([](float a, float b) { return a > b || a != a ? a : b; });
  if (op == "Pow") return power;
  return loopOf([](float a, float slope) { return a < 0 ? a * slope : a; });  // PRelu
}

// The result's axes from outermost to innermost, neighbours merged where both inputs allow it; two or more.
std::vector<Axis> loopAxes(const ValueType& output, const std::array<ValueType, 2>& operands) {
  const Shape& out = output.shape;
  const auto strideOf = [&](const ValueType& type, size_t d) -> int64_t {
    const size_t missing = out.size() - type.shape.size();
    return d < missing || type.shape[d - missing] == 1 ? 0 : storedStrides(type)[d - missing];
  };
  std::vector<size_t> order(out.size());
  for (size_t d = 0; d < order.size(); ++d) order[d] = d;
  const Shape strides = storedStrides(output);
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return strides[x] > strides[y]; });
  std::vector<Axis> axes;
  for (const size_t d : order) {
    if (out[d] == 1) continue;
    const Axis axis{out[d], {strideOf(operands[0], d), strideOf(operands[1], d)}};
    Axis* last = axes.empty() ? nullptr : &axes.back();
    if (last && last->strides[0] == axis.strides[0] * axis.size && last->strides[1] == axis.strides[1] * axis.size)
      *last = {last->size * axis.size, axis.strides};
    else
      axes.push_back(axis);
  }
  while (axes.size() < 2) axes.insert(axes.begin(), {1, {0, 0}});
  return axes;
}

/// The loop as tiles of at most kPiece numbers: some rows of the innermost axis, or a part of one.
struct Tiling {
  std::vector<Axis> outer;
  Axis rows{}, inner{};
  int64_t rowsPerTile = 1, numbersPerTile = 1, tilesPerRow = 1, tilesPerOuter = 1, tiles = 1;

  explicit Tiling(std::vector<Axis> axes) {
    inner = axes.back();
    rows = axes[axes.size() - 2];
    outer.assign(axes.begin(), axes.end() - 2);
    numbersPerTile = std::min(kPiece, inner.size);
    tilesPerRow = (inner.size + numbersPerTile - 1) / numbersPerTile;
    if (tilesPerRow == 1) rowsPerTile = std::clamp<int64_t>(kPiece / inner.size, 1, rows.size);
    tilesPerOuter = (rows.size + rowsPerTile - 1) / rowsPerTile * tilesPerRow;
    tiles = tilesPerOuter;
    for (const Axis& axis : outer) tiles *= axis.size;
  }
};

struct Tile {
  int64_t outputFirst, rows, numbers;  ///< in elements
  Strides first;

  Tile(const Tiling& t, int64_t index) : first{0, 0} {
    int64_t rest = index / t.tilesPerOuter;
    const int64_t outerIndex = rest;
    const auto advance = [&](const Axis& axis, int64_t by) {
      for (size_t i = 0; i < first.size(); ++i) first[i] += by * axis.strides[i];
    };
    for (size_t d = t.outer.size(); d-- > 0; rest /= t.outer[d].size) advance(t.outer[d], rest % t.outer[d].size);
    const int64_t row = index % t.tilesPerOuter / t.tilesPerRow * t.rowsPerTile;
    const int64_t number = index % t.tilesPerRow * t.numbersPerTile;
    advance(t.rows, row);
    advance(t.inner, number);
    rows = std::min(t.rowsPerTile, t.rows.size - row);
    numbers = std::min(t.numbersPerTile, t.inner.size - number);
    outputFirst = (outerIndex * t.rows.size + row) * t.inner.size + number;
  }
};

/// An operand's numbers of one tile, contiguous; what is the same as for the tile before is kept.
class Fetcher {
 public:
  Fetcher(const void* from, Type type, int64_t rowStride, int64_t stride)
      : m_from(from), m_type(type), m_rowStride(rowStride), m_stride(stride) {}

  const float* fetch(int64_t first, int64_t rows, int64_t numbers) {
    if (m_stride == 1 && (rows == 1 || m_rowStride == numbers))
      return widened(m_from, m_type, first, rows * numbers, m_buffer);
    if (first == m_first && rows == m_rows && numbers == m_numbers) return m_buffer.data();
    m_first = first;
    m_rows = rows;
    m_numbers = numbers;
    float* out = m_buffer.data();
    for (int64_t r = 0; r < rows; ++r, out += numbers) {
      if (r > 0 && m_rowStride == 0)
        std::memcpy(out, m_buffer.data(), static_cast<size_t>(numbers) * sizeof(float));
      else
        row(first + r * m_rowStride, numbers, out);
    }
    return m_buffer.data();
  }

 private:
  void row(int64_t first, int64_t numbers, float* out) const {
    if (m_type == Type::f32) return pick(static_cast<const float*>(m_from) + first, numbers, out);
    pick(static_cast<const Bfloat16*>(m_from) + first, numbers, out);
  }
  template <class T>
  void pick(const T* from, int64_t numbers, float* out) const {
    if (m_stride == 0)
      std::fill_n(out, numbers, toFloat(*from));
    else
      for (int64_t i = 0; i < numbers; ++i) out[i] = toFloat(from[i * m_stride]);
  }

  const void* m_from;
  Type m_type;
  int64_t m_rowStride, m_stride;
  int64_t m_first = -1, m_rows = 0, m_numbers = 0;
  PieceBuffer m_buffer;
};

constexpr int64_t kTilesPerTask = 32;

Step makeStep(const OpCall& call, const ValueType& out, Function function, const LoopFunction& after) {
  const Tiling tiling(loopAxes(out, {call.input(0).type, call.input(1).type}));
  Step step;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (call.input(i).value)
      step.constants.push_back(i);
    else if (step.inPlace < 0 && call.shape(i) == out.shape && call.input(i).type.type == out.type)
      step.inPlace = static_cast<int>(i);
  }
  step.run = [tiling, function, after, a = call.input(0).type.type, b = call.input(1).type.type,
              to = out.type](const Arguments& arguments) {
    parallelFor((tiling.tiles + kTilesPerTask - 1) / kTilesPerTask, [&](int64_t task) {
      Fetcher left(arguments.inputs[0], a, tiling.rows.strides[0], tiling.inner.strides[0]);
      Fetcher right(arguments.inputs[1], b, tiling.rows.strides[1], tiling.inner.strides[1]);
      PieceBuffer buffer;
      const int64_t last = std::min((task + 1) * kTilesPerTask, tiling.tiles);
      for (int64_t i = task * kTilesPerTask; i < last; ++i) {
        const Tile tile(tiling, i);
        const int64_t count = tile.rows * tile.numbers;
        float* y = target(arguments.outputs[0], to, tile.outputFirst, buffer);
        function(left.fetch(tile.first[0], tile.rows, tile.numbers),
                 right.fetch(tile.first[1], tile.rows, tile.numbers), y, count);
        if (after) after(y, y, count);
        narrow(y, arguments.outputs[0], to, tile.outputFirst, count);
      }
    });
  };
  return step;
}

Expected<Step> binary(const OpCall& call, const std::vector<ValueType>& outputs) {
  const ValueType& out = outputs[0];
  const bool floats = out.isFloat() && call.inputCount() == 2 && call.input(0).type.isFloat() &&
                      call.input(1).type.isFloat() && elementCount(out.shape) != 0;
  if (!floats) return viaReference(call, outputs);
  const auto after = fusedLoop(call);
  if (!after) return passError(after);
  return makeStep(call, out, functionOf(call.node().op), *after);
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Min", "Max"})
    kernels().add(op, opset(7, 21), Kernel{binary, alike, true});
  return true;
}();

}  // namespace
}  // namespace lynceus::nn::cpu
