#include "core/nn/cpu/strided_copy.h"

#include <algorithm>
#include <cstring>

#include "core/nn/cpu/bfloat16.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

constexpr int64_t kTile = 32;           // numbers each way where axes change places
constexpr int64_t kTileNumbers = 8192;  // elsewhere
constexpr int64_t kShortRun = 64;       // bytes: calling memcpy would cost more than copying

template <class To, class From>
To moved(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else
    return fromFloat<To>(toFloat(value));
}

template <class From, class To>
void copyRun(const From* in, int64_t inStep, To* out, int64_t outStep, int64_t count) {
  if (inStep == 1 && outStep == 1) {
    if (std::is_same_v<From, To> && count * static_cast<int64_t>(sizeof(To)) > kShortRun)
      std::memcpy(static_cast<void*>(out), in, static_cast<size_t>(count) * sizeof(To));
    else
#pragma omp simd
      for (int64_t i = 0; i < count; ++i) out[i] = moved<To>(in[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) out[i * outStep] = moved<To>(in[i * inStep]);
  }
}

}  // namespace

StridedCopy::StridedCopy(const Shape& shape, const StridedSide& from, const StridedSide& to) : m_from(from), m_to(to) {
  std::vector<size_t> order;
  for (size_t d = 0; d < shape.size(); ++d)
    if (shape[d] != 1) order.push_back(d);
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return to.strides[x] > to.strides[y]; });
  std::vector<Axis> axes;
  for (const size_t d : order) {
    const Axis axis{shape[d], from.strides[d], to.strides[d]};
    Axis* last = axes.empty() ? nullptr : &axes.back();
    if (last && last->in == axis.in * axis.size && last->out == axis.out * axis.size)
      *last = {last->size * axis.size, axis.in, axis.out};
    else
      axes.push_back(axis);
  }
  if (axes.empty()) axes.push_back({1, 1, 1});
  m_inner = axes.back();
  axes.pop_back();
  if (!axes.empty()) {
    // Rows are the axis whose numbers are neighbours in the input, if the inner one's are not.
    auto rows = std::prev(axes.end());
    const bool swaps = m_inner.in != 1 && m_inner.in != 0;
    if (swaps) {
      const auto neighbours = std::find_if(axes.begin(), axes.end(), [](const Axis& a) { return a.in == 1; });
      if (neighbours != axes.end()) rows = neighbours;
    }
    m_rows = *rows;
    axes.erase(rows);
  }
  m_outer = std::move(axes);
  const bool tiled = m_rows.in == 1 && m_inner.in != 1;
  m_numbersPerTile = std::clamp<int64_t>(m_inner.size, 1, tiled ? kTile : kTileNumbers);
  m_rowsPerTile =
      std::clamp<int64_t>(tiled ? kTile : kTileNumbers / m_numbersPerTile, 1, std::max<int64_t>(m_rows.size, 1));
}

template <class From, class To>
void StridedCopy::runTyped(const From* in, To* out) const {
  const int64_t pieces = (m_inner.size + m_numbersPerTile - 1) / m_numbersPerTile;
  const int64_t bands = (m_rows.size + m_rowsPerTile - 1) / m_rowsPerTile;
  int64_t tiles = pieces * bands;
  for (const Axis& axis : m_outer) tiles *= axis.size;
  const int64_t chunk = std::max<int64_t>(1, 2 * kTileNumbers / (m_rowsPerTile * m_numbersPerTile));
  parallelFor(
      tiles,
      [&](int64_t i) {
        const int64_t piece = i % pieces * m_numbersPerTile, band = i / pieces % bands * m_rowsPerTile;
        const From* from = in + m_from.start + piece * m_inner.in + band * m_rows.in;
        To* to = out + m_to.start + piece * m_inner.out + band * m_rows.out;
        int64_t rest = i / pieces / bands;
        for (size_t d = m_outer.size(); d-- > 0; rest /= m_outer[d].size) {
          from += rest % m_outer[d].size * m_outer[d].in;
          to += rest % m_outer[d].size * m_outer[d].out;
        }
        const int64_t count = std::min(m_numbersPerTile, m_inner.size - piece);
        const int64_t rows = std::min(m_rowsPerTile, m_rows.size - band);
        for (int64_t r = 0; r < rows; ++r)
          copyRun(from + r * m_rows.in, m_inner.in, to + r * m_rows.out, m_inner.out, count);
      },
      chunk);
}

void StridedCopy::run(const void* in, void* out) const {
  const auto raw = [&](auto number) {
    using T = decltype(number);
    runTyped(static_cast<const T*>(in), static_cast<T*>(out));
  };
  if (m_from.type != m_to.type)
    return m_to.type == Type::bf16 ? runTyped(static_cast<const float*>(in), static_cast<Bfloat16*>(out))
                                   : runTyped(static_cast<const Bfloat16*>(in), static_cast<float*>(out));
  switch (bytesOf(m_from.type)) {
    case 1: return raw(uint8_t{});
    case 2: return raw(uint16_t{});
    case 4: return raw(uint32_t{});
    default: return raw(uint64_t{});
  }
}

}  // namespace lynceus::nn::cpu
