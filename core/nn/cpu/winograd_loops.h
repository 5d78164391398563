// The bodies of WinogradKernels, written once for vectors of kWide floats and compiled for each instruction set by a
// file of its own. Nothing here may be shared between such files: all names are local to the file, and no header with
// inline functions that would be is included.
#pragma once

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include "core/nn/cpu/winograd_kernels.h"

namespace lynceus::nn::cpu {
namespace {

template <int kCount>
struct VectorOf;
template <>
struct VectorOf<4> {
  using Type = float __attribute__((vector_size(16)));
};
template <>
struct VectorOf<8> {
  using Type = float __attribute__((vector_size(32)));
};
template <>
struct VectorOf<16> {
  using Type = float __attribute__((vector_size(64)));
};

template <class V>
inline constexpr int64_t kLanes = sizeof(V) / sizeof(float);

template <class V, class T>
inline V loadBits(const T* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <class V>
inline V load(const float* from) {
  return loadBits<V>(from);
}

template <class V>
inline void store(float* to, V v) {
  __builtin_memcpy(to, &v, sizeof v);
}

// Adds the products of a tile's channel and its factors, of an A and, where kTwo, a B of columns.
template <bool kTwo, class A, class B>
inline void addProducts(const float* v, A ua, B ub, A& a, B& b) {
  const float x = *v;
  a += x * ua;
  if constexpr (kTwo) b += x * ub;
}

#if defined(__AVX512BF16__)
// Of an instruction: GCC 12 warns of its header's forms without one.
inline constexpr __mmask16 kAll = 0xffff;

template <class V>
inline V load(const uint16_t* from) {
  if constexpr (kLanes<V> == 16)
    return reinterpret_cast<V>(
        _mm512_maskz_slli_epi32(kAll, _mm512_maskz_cvtepu16_epi32(kAll, loadBits<__m256i>(from)), 16));
  else
    return reinterpret_cast<V>(_mm256_slli_epi32(_mm256_cvtepu16_epi32(loadBits<__m128i>(from)), 16));
}

// To the nearest, ties to even; subnormal numbers become zero.
inline void store(uint16_t* to, __m512 v) {
  const __m256bh halves = _mm512_cvtneps_pbh(v);
  __builtin_memcpy(to, &halves, sizeof halves);
}
inline void store(uint16_t* to, __m256 v) {
  const __m128bh halves = _mm256_cvtneps_pbh(v);
  __builtin_memcpy(to, &halves, sizeof halves);
}

inline __m512 dot(__m512 sum, __m512 x, __m512 u) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(u));
}
inline __m256 dot(__m256 sum, __m256 x, __m256 u) {
  return _mm256_dpbf16_ps(sum, reinterpret_cast<__m256bh>(x), reinterpret_cast<__m256bh>(u));
}

// Of two channels. They are spread out once: that takes as long as a product unless it comes from memory.
template <bool kTwo, class B>
inline void addProducts(const uint16_t* v, __m512 ua, B ub, __m512& a, B& b) {
  const __m512 x = _mm512_set1_ps(loadBits<float>(v));
  a = dot(a, x, ua);
  if constexpr (kTwo) b = dot(b, loadBits<B>(&x), ub);
}
template <bool kTwo>
inline void addProducts(const uint16_t* v, __m256 ua, __m256, __m256& a, __m256&) {
  a = dot(a, _mm256_set1_ps(loadBits<float>(v)), ua);
}
#endif

// The four input sums of an axis.
template <class V>
inline void spread(const V (&d)[4], V (&to)[4]) {
  to[0] = d[0] - d[2];
  to[1] = d[1] + d[2];
  to[2] = d[2] - d[1];
  to[3] = d[1] - d[3];
}

// The sums of z and y at one x.
template <class V, bool kAdds, class T>
inline void column(const WinogradRow<T>& row, int64_t x, int64_t c, V (&to)[4]) {
  V d[4] = {};
  if (x >= 0 && x < row.size) {
    const int64_t at = x * row.channels + c;
    for (int y = 0; y < 4; ++y) {
      const V a = load<V>(row.near[y] + at), b = load<V>(row.far[y] + at);
      d[y] = kAdds ? a + b : a - b;
    }
  }
  spread(d, to);
}

// Neighbouring tiles share two of their four columns.
template <class V, bool kAdds, class T>
inline void transformChannels(const WinogradRow<T>& row, int64_t c, T* v, int64_t stride, int64_t pitch) {
  V columns[4][4];
  for (int x = 0; x < 2; ++x) column<V, kAdds>(row, row.begin + x, c, columns[x]);
  for (int64_t t = 0; t < row.tiles; ++t) {
    for (int x = 2; x < 4; ++x) column<V, kAdds>(row, row.begin + 2 * t + x, c, columns[x]);
    for (int y = 0; y < 4; ++y) {
      const V d[4] = {columns[0][y], columns[1][y], columns[2][y], columns[3][y]};
      V sums[4];
      spread(d, sums);
      for (int x = 0; x < 4; ++x) store(v + (4 * y + x) * stride + t * pitch + c, sums[x]);
      columns[0][y] = columns[2][y];
      columns[1][y] = columns[3][y];
    }
  }
}

// The last vector may take channels that the one before took, too.
template <int kWide, bool kAdds, class T>
void transformAllChannels(const WinogradRow<T>& row, T* v, int64_t stride, int64_t pitch) {
  using Wide = typename VectorOf<kWide>::Type;
  using Half = typename VectorOf<kWide / 2>::Type;
  int64_t c = 0;
  for (; c + kWide <= row.channels; c += kWide) transformChannels<Wide, kAdds>(row, c, v, stride, pitch);
  const int64_t rest = row.channels - c;
  if (rest > kWide / 2)
    transformChannels<Wide, kAdds>(row, row.channels - kWide, v, stride, pitch);
  else if (rest > 0)
    transformChannels<Half, kAdds>(row, row.channels - kWide / 2, v, stride, pitch);
}

template <class T, int kWide>
void transformInput(const WinogradRow<T>& row, bool adds, T* v, int64_t stride, int64_t pitch) {
  if (adds)
    transformAllChannels<kWide, true>(row, v, stride, pitch);
  else
    transformAllChannels<kWide, false>(row, v, stride, pitch);
}

// kRows tiles times the columns of an A and, unless it is the same place twice, a B.
template <class A, class B, int kRows, bool kTwo, class T>
inline void multiplyRows(const T* v, int64_t channels, const T* u, float* m) {
  constexpr int64_t kColumns = kLanes<A> + (kTwo ? kLanes<B> : 0), kStep = kWinogradStep<T>;
  A a[kRows] = {};
  B b[kRows] = {};
  for (int64_t c = 0; c < channels; c += kStep, u += kColumns * kStep) {
    const A ua = loadBits<A>(u);
    B ub{};
    if constexpr (kTwo) ub = loadBits<B>(u + kLanes<A> * kStep);
#pragma GCC unroll 16  // sums stay in registers
    for (int r = 0; r < kRows; ++r) addProducts<kTwo>(v + r * channels + c, ua, ub, a[r], b[r]);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    store(m + r * kColumns, a[r]);
    if constexpr (kTwo) store(m + r * kColumns + kLanes<A>, b[r]);
  }
}

template <class A, class B, int kRows, bool kTwo, class T>
void multiplyUpTo(const T* v, int64_t tiles, int64_t channels, const T* u, float* m) {
  constexpr int64_t kColumns = kLanes<A> + (kTwo ? kLanes<B> : 0);
  for (; tiles >= kRows; tiles -= kRows, v += kRows * channels, m += kRows * kColumns)
    multiplyRows<A, B, kRows, kTwo>(v, channels, u, m);
  if constexpr (kRows > 1)
    if (tiles > 0) multiplyUpTo<A, B, kRows / 2, kTwo>(v, tiles, channels, u, m);
}

template <class T, int kWide, int kRows>
void multiply(const T* v, int64_t tiles, int64_t channels, const T* u, int64_t columns, float* m) {
  using Wide = typename VectorOf<kWide>::Type;
  using Half = typename VectorOf<kWide / 2>::Type;
  switch (columns / (kWide / 2)) {
    case 1: return multiplyUpTo<Half, Half, kRows, false>(v, tiles, channels, u, m);
    case 2: return multiplyUpTo<Wide, Wide, kRows, false>(v, tiles, channels, u, m);
    case 3: return multiplyUpTo<Wide, Half, kRows, true>(v, tiles, channels, u, m);
    default: return multiplyUpTo<Wide, Wide, kRows, true>(v, tiles, channels, u, m);
  }
}

template <class V>
inline void gather(const V (&m)[4], V (&to)[2]) {
  to[0] = m[0] + m[1] + m[2];
  to[1] = m[1] - m[2] - m[3];
}

template <class V>
inline void outputTile(const float* m, int64_t stride, int z, const float* bias, float* y, int64_t strideY) {
  V rows[2][4];
  for (int x = 0; x < 4; ++x) {
    V products[4], sums[2];
    for (int k = 0; k < 4; ++k) products[k] = load<V>(m + (4 * k + x) * stride);
    gather(products, sums);
    rows[0][x] = sums[0];
    rows[1][x] = sums[1];
  }
  for (int row = 0; row < 2; ++row) {
    V sums[2];
    gather(rows[row], sums);
    for (int x = 0; x < 2; ++x) {
      float *first = y + (2 * row + x) * strideY, *second = first + 4 * strideY;
      switch (z) {
        case 0:
          store(first, load<V>(bias) + sums[x]);
          store(second, load<V>(bias));
          break;
        case 1:
          store(first, load<V>(first) + sums[x]);
          store(second, load<V>(second) + sums[x]);
          break;
        case 2:
          store(first, load<V>(first) + sums[x]);
          store(second, load<V>(second) - sums[x]);
          break;
        default: store(second, load<V>(second) - sums[x]);
      }
    }
  }
}

template <int kWide>
void transformOutput(const float* m, int64_t stride, int64_t tiles, int64_t columns, int z, const float* bias, float* y,
                     int64_t strideY) {
  using Wide = typename VectorOf<kWide>::Type;
  using Half = typename VectorOf<kWide / 2>::Type;
  for (int64_t t = 0; t < tiles; ++t, m += columns, y += kWinogradOutputs * strideY) {
    int64_t c = 0;
    for (; c + kWide <= columns; c += kWide) outputTile<Wide>(m + c, stride, z, bias + c, y + c, strideY);
    if (c < columns) outputTile<Half>(m + c, stride, z, bias + c, y + c, strideY);
  }
}

template <class T, int kWide, int kRows>
constexpr WinogradKernels<T> kWinogradKernels{kRows, 2 * kWide, transformInput<T, kWide>, multiply<T, kWide, kRows>,
                                              transformOutput<kWide>};

}  // namespace
}  // namespace lynceus::nn::cpu
