#include "core/philox.h"

#include <gtest/gtest.h>

namespace lynceus {
namespace {

struct KnownAnswer {
  uint32_t counter[4];
  uint64_t key;
  uint32_t expected[4];
};

// Random123, kat_vectors: all zeros, all ones, digits of pi.
constexpr KnownAnswer kKnown[] = {{{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                                  {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                                   0xffffffffffffffff,
                                   {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                                  {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                                   0x299f31d0a4093822,
                                   {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};

TEST(Philox, GivesThePublishedAnswers) {
  for (const KnownAnswer& known : kKnown) {
    const PhiloxBlock block =
        philox4x32({{known.counter[0], known.counter[1], known.counter[2], known.counter[3]}}, known.key);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(block.word[i], known.expected[i]);
  }
}

TEST(Philox, UniformFloatsStayBelowOne) {
  EXPECT_EQ(uniformFloat(0), 0.0F);
  EXPECT_LT(uniformFloat(0xffffffff), 1.0F);
}

}  // namespace
}  // namespace lynceus
