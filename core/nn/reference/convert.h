// How numbers become others: one rule for Cast and for every operator that stores a float among integers.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

namespace lynceus::nn::reference {

/// A float loses its fraction, and one that no 64-bit integer is near becomes 0; a narrower integer keeps the low bits,
/// as in C.
template <class To, class From>
To converted(From v) {
  if constexpr (std::is_same_v<From, float> && !std::is_same_v<To, float>)
    return static_cast<To>(std::fabs(v) < 9.2e18F ? static_cast<int64_t>(v) : 0);
  else
    return static_cast<To>(v);
}

}  // namespace lynceus::nn::reference
