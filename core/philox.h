// Philox4x32-10: random numbers without state. The same counter and key give the same four words on every machine,
// thread and device (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define LYN_PHILOX_FUNCTION __host__ __device__ constexpr
#else
#define LYN_PHILOX_FUNCTION constexpr
#endif

namespace lynceus {

/// Four 32-bit words: a counter, or the random words drawn for it.
struct PhiloxBlock {
  uint32_t word[4] = {0, 0, 0, 0};
};

/// @param counter  what is drawn: for example element, sample, epoch, operation.
/// @param key      the seed.
LYN_PHILOX_FUNCTION PhiloxBlock philox4x32(PhiloxBlock counter, uint64_t key) {
  uint32_t k0 = static_cast<uint32_t>(key);
  uint32_t k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * counter.word[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter.word[2];
    const uint32_t next0 = static_cast<uint32_t>(product1 >> 32) ^ counter.word[1] ^ k0;
    const uint32_t next2 = static_cast<uint32_t>(product0 >> 32) ^ counter.word[3] ^ k1;
    counter.word[0] = next0;
    counter.word[1] = static_cast<uint32_t>(product1);
    counter.word[2] = next2;
    counter.word[3] = static_cast<uint32_t>(product0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

/// Uniform in [0, 1) with 24 bits: exact in float, so every device agrees.
LYN_PHILOX_FUNCTION float uniformFloat(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

}  // namespace lynceus

#undef LYN_PHILOX_FUNCTION
