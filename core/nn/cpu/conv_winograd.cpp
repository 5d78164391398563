#include "core/nn/cpu/conv_winograd.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <new>
#include <type_traits>

#include <omp.h>

#include "core/memory_pages.h"
#include "core/nn/cpu/bfloat16.h"
#include "core/nn/cpu/loop_function.h"
#include "core/nn/cpu/pieces.h"
#include "core/nn/cpu/winograd_kernels.h"
#include "core/nn/passes/fuse.h"
#include "core/parallel.h"

namespace lynceus::nn::cpu {
namespace {

constexpr int64_t kAxis = 4;                                               // products of a tile along an axis
constexpr int64_t kProducts = kAxis * kAxis * kAxis, kTaps = 27;           // of a tile, of a voxel
constexpr std::array<int64_t, kAxis> kNear{0, 1, 2, 1}, kFar{2, 2, 1, 3};  // planes of each product along z

template <class T>
const WinogradKernels<T>& loops();

template <>
const WinogradKernels<float>& loops() {
#if defined(__x86_64__)
  static const bool wide = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  if (wide) return winogradKernels512();
#endif
  return winogradKernels256();
}

template <>
const WinogradKernels<uint16_t>& loops() {
  return *winogradKernelsBf16();
}

// Of what is stored as T.
float asFloat(float v) { return v; }
float asFloat(uint16_t bits) { return toFloat(Bfloat16{bits}); }

int64_t roundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

/// From three weights to the four factors of an axis, `stride` apart.
void spreadWeights(const double* g, int64_t strideG, double* to, int64_t stride) {
  const double outer = g[0] + g[2 * strideG], inner = g[strideG];
  to[0] = g[0];
  to[stride] = (outer + inner) / 2;
  to[2 * stride] = (outer - inner) / 2;
  to[3 * stride] = g[2 * strideG];
}

/// 27 weights as 64 factors, rounded once.
std::array<double, kProducts> factorsOf(const float* weights) {
  std::array<double, kTaps> g{};
  std::copy_n(weights, kTaps, g.begin());
  std::array<double, 36> alongX{};
  std::array<double, 48> alongY{};
  std::array<double, kProducts> all{};
  for (int64_t i = 0; i < 9; ++i) spreadWeights(g.data() + 3 * i, 1, alongX.data() + 4 * i, 1);
  for (int64_t z = 0; z < 3; ++z)
    for (int64_t x = 0; x < 4; ++x) spreadWeights(alongX.data() + 12 * z + x, 4, alongY.data() + 16 * z + x, 4);
  for (int64_t i = 0; i < 16; ++i) spreadWeights(alongY.data() + i, 16, all.data() + i, 16);
  return all;
}

template <class T>
class WinogradConvolution {
 public:
  WinogradConvolution(const OpCall& call, const Convolution& c, LoopFunction activation, Type output)
      : m_convolution(c),
        m_activation(activation),
        m_residual(call.has(kResidualInput)),
        m_output(output),
        m_channels(roundUp(c.input.c, kWinogradStep<T>)),
        m_columns(columnsOf(c)),
        m_tiles(tilesOf(c)),
        m_bias(static_cast<size_t>(m_columns), 0.0F) {
    if (call.has(2)) std::copy_n(call.floats(2), c.outputChannels, m_bias.begin());
    const int64_t threads = omp_get_max_threads(), all = tileCount();
    m_tilesPerBlock = std::min(tilesInCache(c), roundUp((all + threads - 1) / threads, loops<T>().tilesAtOnce));
    m_blocks = (all + m_tilesPerBlock - 1) / m_tilesPerBlock;
    m_workers = std::min(threads, m_blocks);
    transformWeights(call.floats(1));
  }

  size_t weightBytes() const { return static_cast<size_t>(kProducts * m_channels * m_columns) * sizeof(T); }
  size_t scratchBytes() const { return static_cast<size_t>(m_workers * Scratch(*this).numbers) * sizeof(float); }

  /// Which worker takes which block does not matter to the result.
  void run(const Arguments& a) const {
    std::atomic<int64_t> next{0};
    const Scratch layout(*this);
    parallelFor(m_workers, [&](int64_t worker) {
      float* scratch = static_cast<float*>(a.scratch) + worker * layout.numbers;
      if (m_channels > m_convolution.input.c) std::fill(scratch, scratch + layout.m, 0.0F);
      std::fill(scratch + layout.zeros, scratch + layout.numbers, 0.0F);
      for (int64_t block = next++; block < m_blocks; block = next++) runBlock(a, block, layout, scratch);
    });
  }

 private:
  /// What a worker needs for a block, as offsets in floats: sums of inputs, one product's results, outputs, and a row
  /// of zeros.
  struct Scratch {
    explicit Scratch(const WinogradConvolution& w)
        : strideV(apart<T>(w.m_tilesPerBlock * w.m_channels)),
          strideM(apart<float>(w.m_tilesPerBlock * std::min(loops<T>().panel, w.m_columns))),
          m(kWinogradPositions * strideV / kWinogradStep<T>),
          y(m + kWinogradPositions * strideM),
          zeros(y + roundUp(w.m_tilesPerBlock * kWinogradOutputs * w.m_columns, kLine<float>)),
          numbers(zeros +
                  roundUp(w.m_convolution.input.space[2] * w.m_convolution.input.c, kLine<T>) / kWinogradStep<T>) {}
    int64_t strideV, strideM, m, y, zeros, numbers;
  };

  /// Tiles of a block that are neighbours along x.
  struct Run {
    int64_t image;
    Int3 at;  ///< in tiles: of the first
    int64_t tiles;
  };

  template <class U>
  static constexpr int64_t kLine = 64 / sizeof(U);  ///< of the cache
  // Values of neighbouring positions are a cache line more apart than they need: numbers of the same place that were
  // 4 KiB apart would push each other out.
  template <class U>
  static int64_t apart(int64_t count) {
    return roundUp(count, kLine<U>) + kLine<U>;
  }

  static int64_t columnsOf(const Convolution& c) { return roundUp(c.outputChannels, loops<T>().panel / 4); }
  static Int3 tilesOf(const Convolution& c) {
    Int3 tiles{};
    for (int a = 0; a < 3; ++a) tiles[a] = (c.window.output[a] + 1) / 2;
    return tiles;
  }
  // As many as keep the values of a block in the second-level cache, but so many that reading the factors does not cost
  // more than multiplying by them.
  static int64_t tilesInCache(const Convolution& c) {
    constexpr int64_t kBytes = 1 << 19;
    const int64_t each =
        kWinogradPositions * (c.input.c / kWinogradStep<T> + loops<T>().panel) + kWinogradOutputs * columnsOf(c);
    const int64_t unit = loops<T>().tilesAtOnce;
    return std::max<int64_t>(kBytes / 4 / each / unit, 2) * unit;
  }

  int64_t tileCount() const { return m_convolution.input.n * m_tiles[0] * m_tiles[1] * m_tiles[2]; }

  // Calls body(run, index of its first tile in the block).
  template <class Body>
  void forRuns(int64_t first, int64_t tiles, const Body& body) const {
    Run run{};
    for (int64_t t = 0; t < tiles; t += run.tiles) {
      run.image = first + t;
      for (int a = 2; a >= 0; run.image /= m_tiles[a--]) run.at[a] = run.image % m_tiles[a];
      run.tiles = std::min(m_tiles[2] - run.at[2], tiles - t);
      body(run, t);
    }
  }

  static T rounded(double factor) {
    if constexpr (std::is_same_v<T, float>)
      return static_cast<float>(factor);
    else
      return fromFloat<Bfloat16>(static_cast<float>(factor)).bits;
  }

  /// Product along z, panel, position, input channel, column; channels that are multiplied at once lie together.
  void transformWeights(const float* weights) {
    m_factors = std::static_pointer_cast<T>(allocatePages(weightBytes()));
    if (!m_factors) throw std::bad_alloc();
    constexpr int64_t kStep = kWinogradStep<T>;
    const int64_t in = m_convolution.input.c, panel = loops<T>().panel;
    parallelFor(m_convolution.outputChannels, [&](int64_t o) {
      const int64_t begin = o / panel * panel, width = std::min(panel, m_columns - begin);
      for (int64_t i = 0; i < in; ++i) {
        const auto factors = factorsOf(weights + (o * in + i) * kTaps);
        for (int64_t p = 0; p < kProducts; ++p)
          factorsAt(p / kWinogradPositions, begin,
                    p % kWinogradPositions)[(i / kStep * width + o - begin) * kStep + i % kStep] =
              rounded(factors[static_cast<size_t>(p)]);
      }
    });
  }
  T* factorsAt(int64_t z, int64_t column, int64_t position) const {
    const int64_t width = std::min(loops<T>().panel, m_columns - column);
    return m_factors.get() + ((z * m_columns + column) * kWinogradPositions + position * width) * m_channels;
  }

  void runBlock(const Arguments& a, int64_t block, const Scratch& layout, float* scratch) const {
    const int64_t first = block * m_tilesPerBlock, tiles = std::min(m_tilesPerBlock, tileCount() - first);
    T* v = reinterpret_cast<T*>(scratch);
    const T* zeros = reinterpret_cast<const T*>(scratch + layout.zeros);
    float *m = scratch + layout.m, *y = scratch + layout.y;
    for (int z = 0; z < kAxis; ++z) {
      forRuns(first, tiles, [&](const Run& run, int64_t t) {
        loops<T>().transformInput(rowOf(a.in<T>(0), run, z, zeros), z == 1, v + t * m_channels, layout.strideV,
                                  m_channels);
      });
      for (int64_t column = 0; column < m_columns; column += loops<T>().panel) {
        const int64_t columns = std::min(loops<T>().panel, m_columns - column);
        for (int64_t p = 0; p < kWinogradPositions; ++p)
          loops<T>().multiply(v + p * layout.strideV, tiles, m_channels, factorsAt(z, column, p), columns,
                              m + p * layout.strideM);
        loops<T>().transformOutput(m, layout.strideM, tiles, columns, z, m_bias.data() + column, y + column, m_columns);
      }
    }
    forRuns(first, tiles, [&](const Run& run, int64_t t) { finish(a, run, y + t * kWinogradOutputs * m_columns); });
  }

  WinogradRow<T> rowOf(const T* x, const Run& run, int z, const T* zeros) const {
    const Shape5& in = m_convolution.input;
    const Int3& pad = m_convolution.window.padBegin;
    const auto row = [&](int64_t k, int64_t j) {
      const bool inside = k >= 0 && k < in.space[0] && j >= 0 && j < in.space[1];
      return inside ? x + ((run.image * in.space[0] + k) * in.space[1] + j) * in.space[2] * in.c : zeros;
    };
    WinogradRow<T> rows{{}, {}, in.space[2], in.c, 2 * run.at[2] - pad[2], run.tiles};
    for (int64_t j = 0; j < kAxis; ++j) {
      const int64_t y = 2 * run.at[1] - pad[1] + j;
      rows.near[j] = row(2 * run.at[0] - pad[0] + kNear[z], y);
      rows.far[j] = row(2 * run.at[0] - pad[0] + kFar[z], y);
    }
    return rows;
  }

  // Adds the residual, applies the activation and stores what lies in the output.
  void finish(const Arguments& a, const Run& run, float* y) const {
    const int64_t channels = m_convolution.outputChannels;
    if (m_residual)
      forVoxels(run, y, [&](float* voxel, int64_t index) {
        const T* residual = a.in<T>(kResidualInput) + index;
        for (int64_t c = 0; c < channels; ++c) voxel[c] += asFloat(residual[c]);
      });
    if (m_activation) m_activation(y, y, run.tiles * kWinogradOutputs * m_columns);
    forVoxels(run, y, [&](const float* voxel, int64_t index) {
      if (m_output == Type::f32)
        std::memcpy(a.out<float>(0) + index, voxel, static_cast<size_t>(channels) * sizeof(float));
      else
        narrow(voxel, a.outputs[0], m_output, index, channels);
    });
  }

  // Calls body(numbers of a voxel, where they go in the output).
  template <class Body>
  void forVoxels(const Run& run, float* y, const Body& body) const {
    const Int3& size = m_convolution.window.output;
    const int64_t first = 2 * run.at[2], end = std::min(first + 2 * run.tiles, size[2]);
    for (int64_t k = 0; k < 2; ++k)
      for (int64_t j = 0; j < 2; ++j) {
        const int64_t atZ = 2 * run.at[0] + k, atY = 2 * run.at[1] + j;
        if (atZ >= size[0] || atY >= size[1]) continue;
        const int64_t row = ((run.image * size[0] + atZ) * size[1] + atY) * size[2];
        for (int64_t i = first; i < end; ++i) {
          const int64_t voxel = (i - first) / 2 * kWinogradOutputs + 4 * k + 2 * j + (i & 1);
          body(y + voxel * m_columns, (row + i) * m_convolution.outputChannels);
        }
      }
  }

  Convolution m_convolution;
  LoopFunction m_activation;
  bool m_residual;
  Type m_output;
  int64_t m_channels;  ///< of the input, and zeros behind them up to what is multiplied at once
  int64_t m_columns;   ///< output channels, and zeros behind them up to a quarter of a panel
  Int3 m_tiles;
  std::vector<float> m_bias;
  std::shared_ptr<T> m_factors;
  int64_t m_tilesPerBlock = 0, m_blocks = 0, m_workers = 0;
};

// Products of bfloat16 on vectors. Processors that have them on matrices are faster with oneDNN.
bool multipliesPairs() {
  return dnnl::get_effective_cpu_isa() == dnnl::cpu_isa::avx512_core_bf16 && winogradKernelsBf16() != nullptr;
}

bool suits(const OpCall& call, const Convolution& c, const ValueType& output) {
  const Window& w = c.window;
  const Int3 ones{1, 1, 1};
  if (w.kernel != Int3{3, 3, 3} || w.stride != ones || w.dilation != ones || c.groups != 1) return false;
  const Type type = call.input(0).type.type;
  if (type != Type::f32 && !(type == Type::bf16 && multipliesPairs())) return false;
  if (elementCount(output.shape) == 0) return false;
  if (call.has(kResidualInput) && call.input(kResidualInput).value) return false;
  return c.input.c >= kWinogradLeastChannels;
}

// Taps of all outputs along an axis that lie in the image: oneDNN leaves out the others.
double tapsInside(const Convolution& c, int axis) {
  double taps = 0;
  for (int64_t i = 0; i < c.window.output[axis]; ++i)
    for (int64_t k = i - c.window.padBegin[axis]; k < i - c.window.padBegin[axis] + 3; ++k)
      taps += k >= 0 && k < c.input.space[axis] ? 1 : 0;
  return taps;
}

// Compares the multiplications of both ways, for oneDNN those of blocks of 16 output channels. Beside its products a
// tile takes as long for each sum of inputs as for 12 multiplications, and for each sum of results as for 6. Reading
// the factors from far and what too few tiles leave idle of up to 16 threads takes as long as 96 tiles. A margin covers
// what oneDNN does better. Neither the batch nor the number of threads is part of it: they must not decide about bits.
// bfloat16 halves the time of the products on both sides and of most of what is around them: the same rule. Measured on
// one core with AVX-512 BF16, 66 shapes of 3 to 320 channels and up to 16 voxels an axis: 1.0 to 2.4 times as fast as
// oneDNN in all of the 30 that it takes.
bool pays(const Convolution& c) {
  constexpr double kInput = 12, kOutput = 6, kFewTiles = 96, kMargin = 1.2;
  const auto in = static_cast<double>(c.input.c), columns = static_cast<double>(roundUp(c.outputChannels, 8));
  double tiles = 1, taps = 1;
  for (int axis = 0; axis < 3; ++axis) {
    tiles *= static_cast<double>((c.window.output[axis] + 1) / 2);
    taps *= tapsInside(c, axis);
  }
  const double direct = taps * in * static_cast<double>(roundUp(c.outputChannels, 16));
  const double products = kProducts * ((tiles + kFewTiles) * in * columns + tiles * (kInput * in + kOutput * columns));
  return kMargin * products < direct;
}

template <class T>
Step stepOf(const OpCall& call, const Convolution& convolution, LoopFunction activation, Type output) {
  const auto w = std::make_shared<const WinogradConvolution<T>>(call, convolution, activation, output);
  Step step;
  step.weightBytes = w->weightBytes();
  step.scratchBytes = w->scratchBytes();
  step.kernel = fmt::format("winograd 2x2x2:{} bit{}", 16 * loops<T>().panel, std::is_same_v<T, float> ? "" : ", bf16");
  if (call.has(kResidualInput)) step.inPlace = static_cast<int>(kResidualInput);
  step.run = [w](const Arguments& a) { w->run(a); };
  return step;
}

}  // namespace

std::optional<Step> winogradStep(const OpCall& call, const Convolution& convolution, const ValueType& output) {
  if (!suits(call, convolution, output) || !pays(convolution)) return std::nullopt;
  const auto activation = fusedLoop(call);
  if (!activation) return std::nullopt;
  if (call.input(0).type.type == Type::f32) return stepOf<float>(call, convolution, *activation, output.type);
  return stepOf<uint16_t>(call, convolution, *activation, output.type);
}

}  // namespace lynceus::nn::cpu
