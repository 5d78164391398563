// Every bit layout and every rescale gives the values that arithmetic without limits gives.
#include <cmath>
#include <random>

#include <gmock/gmock.h>

#include "io/dicom/hounsfield.h"

namespace lynceus::io::dicom {
namespace {

using testing::HasSubstr;

std::vector<int16_t> allPatterns() {
  std::vector<int16_t> bits;
  for (int i = 0; i < 65536; ++i) bits.push_back(static_cast<int16_t>(static_cast<uint16_t>(i)));
  return bits;
}

// Bit by bit, as PS3.5 section 8.1.1 tells it.
int storedValue(unsigned pattern, const StoredFormat& f) {
  int value = 0;
  for (int k = 0; k < f.bitsStored; ++k) {
    if ((pattern >> (f.highBit - f.bitsStored + 1 + k) & 1) == 0) continue;
    const bool isSign = f.isSigned && k == f.bitsStored - 1;
    value += isSign ? -(1 << k) : 1 << k;
  }
  return value;
}

TEST(Hounsfield, EveryBitLayoutEqualsBruteForce) {
  const std::vector<int16_t> patterns = allPatterns();
  for (int stored = 1; stored <= 16; ++stored) {
    for (int high = stored - 1; high < 16; ++high) {
      for (const bool isSigned : {false, true}) {
        const StoredFormat format{stored, high, isSigned};
        const int intercept = isSigned ? 0 : -32768;
        std::vector<int16_t> hu = patterns;
        ASSERT_TRUE(toHounsfield(hu, format, {1, static_cast<double>(intercept)}, {}, "f"));
        size_t wrong = 0;
        for (size_t i = 0; i < hu.size(); ++i) {
          wrong += hu[i] != storedValue(static_cast<unsigned>(i), format) + intercept;
        }
        ASSERT_EQ(wrong, 0u) << stored << " stored, high bit " << high << (isSigned ? ", signed" : "");
      }
    }
  }
}

TEST(Hounsfield, IntegralRescaleIsExactOrRefused) {
  std::mt19937 random(3);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    const bool isSigned = random() % 2 == 0;
    const int64_t slope = static_cast<int64_t>(random() % 41) - 20;
    const int64_t intercept = static_cast<int64_t>(random() % 80001) - 40000;
    if (slope == 0) continue;
    std::vector<int16_t> hu(37);
    const unsigned reach = 1U << (1 + random() % 16);
    for (int16_t& v : hu) v = static_cast<int16_t>(random() % reach);
    std::vector<int64_t> exact;
    bool fits = true;
    for (const int16_t v : hu) {
      exact.push_back(slope * (isSigned ? v : int64_t{static_cast<uint16_t>(v)}) + intercept);
      fits = fits && exact.back() >= -32768 && exact.back() <= 32767;
    }
    const auto result =
        toHounsfield(hu, {16, 15, isSigned}, {static_cast<double>(slope), static_cast<double>(intercept)}, {}, "f");
    ASSERT_EQ(result.has_value(), fits) << slope << " " << intercept;
    refused += !fits;
    if (!fits) continue;
    EXPECT_EQ(result->largestRoundingHu, 0);
    EXPECT_TRUE(std::equal(hu.begin(), hu.end(), exact.begin()));
  }
  EXPECT_GT(refused, 100);
}

// Slope and intercept in thousandths, so that whole numbers hold the truth.
TEST(Hounsfield, NonIntegralRescaleIsRoundedOnceToTheNearest) {
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    const int64_t slope = static_cast<int64_t>(random() % 6001) - 3000;
    const int64_t intercept = static_cast<int64_t>(random() % 2000001) - 1000000;
    if (slope == 0 || (slope % 1000 == 0 && intercept % 1000 == 0)) continue;
    std::vector<int16_t> hu(53);
    for (int16_t& v : hu) v = static_cast<int16_t>(random() % 8192 - 4096);
    const std::vector<int16_t> stored = hu;
    const auto result = toHounsfield(
        hu, {16, 15, true}, {static_cast<double>(slope) / 1000, static_cast<double>(intercept) / 1000}, {}, "f");
    ASSERT_TRUE(result);
    int64_t largest = 0;
    for (size_t i = 0; i < hu.size(); ++i) {
      const int64_t error = std::abs(slope * stored[i] + intercept - int64_t{hu[i]} * 1000);
      ASSERT_LE(error, 500) << slope << " " << intercept << " " << stored[i];
      largest = std::max(largest, error);
    }
    EXPECT_NEAR(result->largestRoundingHu, static_cast<double>(largest) / 1000, 1e-9);
  }
}

TEST(Hounsfield, TheCarefulWayGivesTheSameValuesAsTheFastOne) {
  for (const double slope : {1.0, 2.0, 0.7, -1.3}) {
    std::vector<int16_t> fast(2000), careful(2001);
    for (size_t i = 0; i < fast.size(); ++i) fast[i] = careful[i] = static_cast<int16_t>(i);
    careful.back() = 32767;  // with the slopes here, or not at all, outside int16: padding
    ASSERT_TRUE(toHounsfield(fast, {16, 15, true}, {slope, slope < 0 ? 2000.0 : 500.0}, {}, "f"));
    ASSERT_TRUE(toHounsfield(careful, {16, 15, true}, {slope, slope < 0 ? 2000.0 : 500.0}, {32767, 32767}, "f"));
    EXPECT_TRUE(std::equal(fast.begin(), fast.end(), careful.begin())) << slope;
  }
}

TEST(Hounsfield, ARangeOfPaddingBecomesAirWhereItDoesNotFit) {
  std::vector<int16_t> hu = {-32768, -32767, -31744, -31743, 0};
  const auto result = toHounsfield(hu, {16, 15, true}, {1, -1024}, {-32768, -32000}, "f");
  ASSERT_TRUE(result);
  EXPECT_THAT(hu, testing::ElementsAre(-1024, -1024, -32768, -32767, -1024));
  EXPECT_EQ(result->paddingHu, -1024);
}

TEST(Hounsfield, NamesTheValueThatDoesNotFit) {
  std::vector<int16_t> hu = {5, -2};
  const auto result = toHounsfield(hu, {16, 15, false}, {1e300, 0}, {}, "scan/1.dcm");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("scan/1.dcm: stored value 5 is"));
  hu = {0, 0};
  EXPECT_TRUE(toHounsfield(hu, {16, 15, false}, {1e300, 0}, {}, "f"));
}

TEST(Hounsfield, RoundsTheLimitsOfInt16AsItRoundsEverythingElse) {
  std::vector<int16_t> hu = {0};
  EXPECT_TRUE(toHounsfield(hu, {16, 15, true}, {0.25, -32768.5}, {}, "f"));
  EXPECT_EQ(hu[0], -32768);
  hu = {0};
  EXPECT_TRUE(toHounsfield(hu, {16, 15, true}, {0.25, 32767.49}, {}, "f"));
  EXPECT_EQ(hu[0], 32767);
  hu = {0};
  EXPECT_FALSE(toHounsfield(hu, {16, 15, true}, {0.25, 32767.5}, {}, "f"));
}

}  // namespace
}  // namespace lynceus::io::dicom
