// The three loops of a convolution by F(2x2x2, 3x3x3) (conv_winograd.h), for one width of vectors. Along each axis a
// tile of two outputs comes from four inputs d and three weights g by four products instead of six:
//   m0 = (d0 - d2) g0,  m1 = (d1 + d2) (g0 + g1 + g2) / 2,  m2 = (d2 - d1) (g0 - g1 + g2) / 2,  m3 = (d1 - d3) g2,
//   y0 = m0 + m1 + m2,  y1 = m1 - m2 - m3                        (Winograd; Lavin and Gray 2016, section 4.1)
// The four products along z follow one after the other, so that those of y and x, 16 positions, stay in the cache.
// Every element is added up in the same order whatever the width and wherever its tile lies: the same bits.
//
// T is what input, its sums and factors are stored as: float, or uint16_t, the upper half of a float (bfloat16). Of the
// latter two neighbouring channels are multiplied at once.
#pragma once

#include <cstdint>

namespace lynceus::nn::cpu {

inline constexpr int64_t kWinogradPositions = 16;      ///< products of a tile along y and x
inline constexpr int64_t kWinogradOutputs = 8;         ///< voxels of a tile's result
inline constexpr int64_t kWinogradLeastChannels = 16;  ///< of the input
/// Channels of T that are multiplied at once.
template <class T>
inline constexpr int64_t kWinogradStep = sizeof(float) / sizeof(T);

/// Tiles that are neighbours along x. A product along z takes two planes of the input, of each the same four rows;
/// those outside of the image are rows of zeros.
template <class T>
struct WinogradRow {
  const T *near[4], *far[4];  ///< `size` voxels of `channels` numbers each
  int64_t size, channels;
  int64_t begin;  ///< x of the first tile's first voxel: negative in the padding, which is zero
  int64_t tiles;
};

template <class T>
struct WinogradKernels {
  int64_t tilesAtOnce;  ///< of multiply(): numbers of tiles that are multiples of it run best
  int64_t panel;        ///< most columns of multiply(); columns are multiples of a quarter of it

  /// Writes position p of tile t and channel c to v[p * stride + t * pitch + c], of near + far where `adds`, else of
  /// near - far.
  void (*transformInput)(const WinogradRow<T>& row, bool adds, T* v, int64_t stride, int64_t pitch);

  /// m (tiles x columns) = v (tiles x channels) * u (channels x columns). All are dense; of u, the kWinogradStep
  /// numbers of a column that are multiplied at once lie together. channels is a multiple of kWinogradStep.
  void (*multiply)(const T* v, int64_t tiles, int64_t channels, const T* u, int64_t columns, float* m);

  /// Adds what the z-th product of the 16 positions m[p * stride + t * columns + c] contributes to
  /// y[(t * 8 + voxel) * strideY + c]; z = 0 begins with the bias.
  void (*transformOutput)(const float* m, int64_t stride, int64_t tiles, int64_t columns, int z, const float* bias,
                          float* y, int64_t strideY);
};

const WinogradKernels<float>& winogradKernels256();
/// Only where the processor has AVX-512 F and VL; others run winogradKernels256().
const WinogradKernels<float>& winogradKernels512();
/// Only where the processor has AVX-512 BF16; nullptr where the compiler knows of no such thing.
const WinogradKernels<uint16_t>* winogradKernelsBf16();

}  // namespace lynceus::nn::cpu
