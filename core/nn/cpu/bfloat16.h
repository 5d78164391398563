// bfloat16: the upper half of a float.
#pragma once

#include <bit>
#include <cstdint>

namespace lynceus::nn::cpu {

struct Bfloat16 {
  uint16_t bits;
};

inline float toFloat(float v) { return v; }
inline float toFloat(Bfloat16 v) { return std::bit_cast<float>(static_cast<uint32_t>(v.bits) << 16); }

/// To the nearest, ties to even; NaN stays NaN.
template <class T>
T fromFloat(float v) {
  if constexpr (std::is_same_v<T, float>) {
    return v;
  } else {
    const auto bits = std::bit_cast<uint32_t>(v);
    const uint32_t rounded = (bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16;
    return {static_cast<uint16_t>(v != v ? bits >> 16 | 0x40U : rounded)};
  }
}

}  // namespace lynceus::nn::cpu
