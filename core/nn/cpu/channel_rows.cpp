#include "core/nn/cpu/channel_rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/nn/cpu/pieces.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

constexpr int64_t kNarrow =
    128;  // fewer channels: some rows count as one, so that loops are long enough for vector code

void add(const float* x, int64_t count, double* sums, double* squares) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const double v = x[i];
    sums[i] += v;
    squares[i] += v * v;
  }
}

// Two rows at a time: half as often through the sums.
void addTwo(const float* x, const float* y, int64_t count, double* sums, double* squares) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const double v = x[i], w = y[i];
    sums[i] += v + w;
    squares[i] += v * v + w * w;
  }
}

void largest(const float* x, int64_t count, float* maxima) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) maxima[i] = x[i] > maxima[i] || x[i] != x[i] ? x[i] : maxima[i];
}

void addRows(const float* x, int64_t numbers, int64_t width, double* sums, double* squares) {
  int64_t i = 0;
  for (; i + 2 * width <= numbers; i += 2 * width) addTwo(x + i, x + i + width, width, sums, squares);
  for (; i < numbers; i += width) add(x + i, std::min(width, numbers - i), sums, squares);
}

// Calls body(numbers as floats, how many, channel of the first) for pieces of rows, or parts of rows where one is
// longer than a piece.
template <class Body>
void forPieces(const ChannelRows& r, const void* x, Type type, int64_t firstRow, int64_t lastRow, const Body& body) {
  PieceBuffer buffer;
  const int64_t part = std::min(kPiece, r.channels), rows = std::max<int64_t>(1, kPiece / r.channels);
  for (int64_t row = firstRow; row < lastRow; row += rows)
    for (int64_t c = 0; c < r.channels; c += part) {
      const int64_t numbers =
          r.channels > kPiece ? std::min(part, r.channels - c) : std::min(rows, lastRow - row) * r.channels;
      const float* floats = widened(x, type, row * r.channels + c, numbers, buffer);
      // One stream from memory into the cache: two rows at a time straight from memory take twice as long.
      if (floats != buffer.data()) std::memcpy(buffer.data(), floats, static_cast<size_t>(numbers) * sizeof(float));
      body(buffer.data(), numbers, c);
    }
}

}  // namespace

std::vector<double> channelMoments(const ChannelRows& r, const void* x, Type type, double* partial) {
  const int64_t blocks = r.blocks(), each = 2 * r.channels;
  parallelFor(r.images * blocks, [&](int64_t i) {
    double *sums = partial + i * each, *squares = sums + r.channels;
    std::fill_n(sums, each, 0.0);
    const int64_t image = i / blocks * r.rows, first = i % blocks * r.rowsPerBlock();
    const int64_t last = std::min(first + r.rowsPerBlock(), r.rows);
    if (r.channels >= kNarrow) {
      forPieces(r, x, type, image + first, image + last, [&](const float* v, int64_t numbers, int64_t c) {
        addRows(v, numbers, std::min(numbers, r.channels), sums + c, squares + c);
      });
      return;
    }
    const int64_t width = kNarrow / r.channels * r.channels;
    std::array<double, kNarrow> wideSums{}, wideSquares{};
    forPieces(r, x, type, image + first, image + last, [&](const float* v, int64_t numbers, int64_t) {
      addRows(v, numbers, width, wideSums.data(), wideSquares.data());
    });
    for (int64_t w = 0; w < width; ++w) {
      sums[w % r.channels] += wideSums[w];
      squares[w % r.channels] += wideSquares[w];
    }
  });
  std::vector<double> moments(static_cast<size_t>(r.images * each), 0.0);
  for (int64_t i = 0; i < r.images * blocks; ++i)
    for (int64_t c = 0; c < each; ++c) moments[i / blocks * each + c] += partial[i * each + c];
  return moments;
}

std::vector<float> channelMaxima(const ChannelRows& r, const void* x, Type type, bool negated) {
  const int64_t blocks = r.blocks();
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  std::vector<float> partial(static_cast<size_t>(r.images * blocks * r.channels), kLowest);
  parallelFor(r.images * blocks, [&](int64_t i) {
    float* maxima = partial.data() + i * r.channels;
    const int64_t image = i / blocks * r.rows, first = i % blocks * r.rowsPerBlock();
    const int64_t last = std::min(first + r.rowsPerBlock(), r.rows), width = kNarrow / r.channels * r.channels;
    std::array<float, kNarrow> wide;
    wide.fill(kLowest);
    PieceBuffer copy;
    forPieces(r, x, type, image + first, image + last, [&](const float* v, int64_t numbers, int64_t c) {
      if (negated) {
#pragma omp simd
        for (int64_t k = 0; k < numbers; ++k) copy.values[k] = -v[k];
        v = copy.data();
      }
      const int64_t step = width == 0 ? std::min(numbers, r.channels) : width;
      for (int64_t k = 0; k < numbers; k += step)
        largest(v + k, std::min(step, numbers - k), width == 0 ? maxima + c : wide.data());
    });
    for (int64_t w = 0; w < width; ++w) largest(&wide[w], 1, maxima + w % r.channels);
  });
  std::vector<float> maxima(static_cast<size_t>(r.images * r.channels), kLowest);
  for (int64_t i = 0; i < r.images * blocks; ++i)
    largest(partial.data() + i * r.channels, r.channels, maxima.data() + i / blocks * r.channels);
  for (float& m : maxima) m = negated ? -m : m;
  return maxima;
}

}  // namespace lynceus::nn::cpu
