// One file of a series with a flipped bit, or cut off: an error, a skipped file or the right volume, never a wrong
// place. LYNCEUS_LONG=1 takes 10,000 bits of each syntax instead of a hundred or two.
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

#include "tests/fault/loader/damaged_series.h"
#include "tests/fault/loader/peak_memory.h"

namespace lynceus::fault {
namespace {

using namespace std::string_literals;

constexpr double kMaxExtraMib = 64;  // the volume is far below; a flipped size must not be believed

struct Syntax {
  const char* name;
  E_TransferSyntax syntax;
};

// What the list of tests shows.
std::ostream& operator<<(std::ostream& out, const Syntax& s) { return out << s.name; }

class ChangedBytes : public testing::TestWithParam<Syntax> {
 protected:
  static bool isLong() { return std::getenv("LYNCEUS_LONG") != nullptr; }
  static void report(const Tally& tally) {
    std::cout << fmt::format("{:<14} {}\n", GetParam().name, tally.text());
    for (const std::string& line : tally.wrong) ADD_FAILURE() << line;
  }
};

TEST_P(ChangedBytes, LoadAsTheyAreWithoutDamage) {
  const DamagedSeries series(GetParam().syntax);
  ASSERT_TRUE(series.written());
  const Verdict verdict = series.judge(2);
  EXPECT_EQ(verdict.outcome, Outcome::right) << nameOf(verdict.outcome) << ": " << verdict.what;
}

TEST_P(ChangedBytes, NeverMoveASliceWhereOneBitIsFlipped) {
  const DamagedSeries series(GetParam().syntax);
  std::mt19937 random(7);
  Tally tally;
  const PeakMemory memory;
  const int flips = isLong() ? 10'000 : 150;
  for (int i = 0; i < flips; ++i) {
    const int slice = static_cast<int>(random() % DamagedSeries::kSlices);
    const std::string good = series.bytes(slice);
    // Half of them in the header: it is the smaller part of a real file, and where the geometry is.
    const size_t headerBytes = std::min<size_t>(good.size(), 1400);
    const size_t at = random() % (i % 2 == 0 ? good.size() : headerBytes);
    const unsigned bit = random() % 8;
    std::string bad = good;
    bad[at] = static_cast<char>(static_cast<unsigned char>(bad[at]) ^ (1U << bit));
    series.replace(slice, bad);
    tally.add(series.judge(slice), fmt::format("slice {}, byte {}, bit {}", slice + 1, at, bit));
    series.replace(slice, good);
  }
  if (memoryIsMeasured()) {
    EXPECT_LT(memory.mib(), kMaxExtraMib);
  }
  report(tally);
}

TEST_P(ChangedBytes, NeverPassForWholeWhereTheFileIsCutOff) {
  const DamagedSeries series(GetParam().syntax, 8);
  constexpr int kSlice = 2;
  const std::string good = series.bytes(kSlice);
  Tally tally;
  for (size_t length = 0; length < good.size(); length += 1000) {
    series.replace(kSlice, good.substr(0, length));
    const Verdict verdict = series.judge(kSlice);
    tally.add(verdict, fmt::format("cut at byte {}", length));
    EXPECT_EQ(verdict.outcome, Outcome::refused)
        << "cut at byte " << length << " of " << good.size() << ": " << nameOf(verdict.outcome);
  }
  report(tally);
}

// Each bit of where the slice lies, how it is turned and how large it is; with LYNCEUS_LONG each bit of the header.
TEST(ChangedGeometry, NeverMovesASliceWhicheverBitIsFlipped) {
  const DamagedSeries series(EXS_LittleEndianExplicit);
  const bool isLong = std::getenv("LYNCEUS_LONG") != nullptr;
  Tally tally;
  for (const int slice : {0, 2}) {
    const std::string good = series.bytes(slice);
    const auto find = [&](const std::string& bytes) { return good.find(bytes); };
    std::vector<std::pair<size_t, size_t>> places;  // first byte, count
    if (isLong) {
      places = {{0, find("\xE0\x7F\x10\x00OW"s)}};
    } else {
      places = {{find("\x20\x00\x32\x00"s), 40}, {find("\x28\x00\x30\x00"s), 26}, {find("\x28\x00\x10\x00"s), 20}};
    }
    for (const auto& [first, count] : places) {
      ASSERT_LT(first, good.size());
      for (size_t bit = first * 8; bit < (first + count) * 8; ++bit) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(static_cast<unsigned char>(bad[bit / 8]) ^ (1U << bit % 8));
        series.replace(slice, bad);
        tally.add(series.judge(slice), fmt::format("slice {}, byte {}, bit {}", slice + 1, bit / 8, bit % 8));
      }
    }
    series.replace(slice, good);
  }
  std::cout << tally.text() << '\n';
  for (const std::string& line : tally.wrong) ADD_FAILURE() << line;
}

std::string nameOfSyntax(const testing::TestParamInfo<Syntax>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Files, ChangedBytes,
                         testing::Values(Syntax{"Implicit", EXS_LittleEndianImplicit},
                                         Syntax{"Explicit", EXS_LittleEndianExplicit},
                                         Syntax{"BigEndian", EXS_BigEndianExplicit},
                                         Syntax{"Deflated", EXS_DeflatedLittleEndianExplicit},
                                         Syntax{"Rle", EXS_RLELossless}, Syntax{"JpegLossless", EXS_JPEGProcess14SV1},
                                         Syntax{"JpegLs", EXS_JPEGLSLossless}),
                         nameOfSyntax);

}  // namespace
}  // namespace lynceus::fault
