// IEEE 754 half precision, as files store it.
#pragma once

#include <cmath>
#include <cstdint>

namespace lynceus::nn {

inline float halfToFloat(uint16_t h) {
  const int exponent = (h >> 10) & 31, mantissa = h & 1023;
  float value = 0;
  if (exponent == 31)
    value = mantissa ? NAN : INFINITY;
  else if (exponent == 0)
    value = std::ldexp(static_cast<float>(mantissa), -24);
  else
    value = std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  return (h & 0x8000) ? -value : value;
}

}  // namespace lynceus::nn
