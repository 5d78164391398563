// A sequence of random numbers for building anatomy: one stream for each part, so that a change in one part leaves
// the others as they were.
#pragma once

#include <cmath>
#include <numbers>

#include "core/image/geometry.h"
#include "core/philox.h"

namespace lynceus::phantom {

class Random {
 public:
  Random(uint64_t seed, uint32_t stream) : m_seed(seed), m_stream(stream) {}

  uint32_t next() {
    if (m_used == 4) {
      m_block = philox4x32({{m_index++, m_stream, 0, 0}}, m_seed);
      m_used = 0;
    }
    return m_block.word[m_used++];
  }
  double uniform() { return next() * 0x1p-32; }
  double range(double low, double high) { return low + (high - low) * uniform(); }
  /// log-uniform between two positive bounds.
  double logRange(double low, double high) { return low * std::pow(high / low, uniform()); }
  bool chance(double probability) { return uniform() < probability; }
  /// 0 <= result < count.
  int integer(int count) { return static_cast<int>(uniform() * count); }
  double sign() { return chance(0.5) ? 1.0 : -1.0; }
  /// Uniform on the unit sphere.
  image::Vec3 direction() {
    const double z = range(-1, 1), angle = range(0, 2 * std::numbers::pi);
    const double r = std::sqrt(1 - z * z);
    return {r * std::cos(angle), r * std::sin(angle), z};
  }

 private:
  uint64_t m_seed;
  uint32_t m_stream;
  uint32_t m_index = 0;
  int m_used = 4;
  PhiloxBlock m_block;
};

/// Which stream each part of the phantom draws from.
enum Stream : uint32_t {
  kStreamAnatomy = 1,
  kStreamScanner,
  kStreamMediastinum,
  kStreamBones,
  kStreamNodules,
  kStreamDistractors,
  kStreamNoise,
  kStreamVariation = 40,
  kStreamDisease,
  kStreamParenchyma,
  kStreamImplants,
  kStreamCalcium,
  kStreamJoints,
  kStreamAcquisition,
  kStreamBowel,
  kStreamHernia,
  kStreamGrown = 60,
  kStreamTexture = 100,
  kStreamTrees = 200,
};

}  // namespace lynceus::phantom
