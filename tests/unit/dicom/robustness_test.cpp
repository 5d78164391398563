// Files that were cut or changed anywhere must end in a result or an error, never in a crash.
#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

#include "io/dicom/slice.h"
#include "tests/support/ct_files.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::io::dicom {
namespace {

using Bytes = std::vector<char>;

class Robustness : public testing::TestWithParam<E_TransferSyntax> {
 protected:
  Robustness() {
    test::CtFile f;
    f.columns = 48;
    f.rows = 32;
    f.bitsStored = 12;
    f.highBit = 11;
    f.isSigned = false;
    f.syntax = GetParam();
    EXPECT_TRUE(test::writeCt(m_folder / "good.dcm", f));
    std::ifstream in(m_folder / "good.dcm", std::ios::binary);
    m_good.assign(std::istreambuf_iterator<char>(in), {});
  }
  // Everything that the program does with a slice.
  void use(const Bytes& bytes) {
    const auto path = m_folder / "bad.dcm";
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const auto header = readSliceHeader(path);
    if (!header) return;
    const auto* slice = std::get_if<SliceHeader>(&*header);
    if (!slice) return;
    const Instance& i = slice->instance;
    std::vector<int16_t> hu(static_cast<size_t>(i.rows) * static_cast<size_t>(i.columns));
    if (readSlicePixels(i, hu)) ++m_read;
  }

  test::TemporaryFolder m_folder;
  Bytes m_good;
  int m_read = 0;
};

TEST_P(Robustness, SurvivesCutFiles) {
  ASSERT_GT(m_good.size(), 500u);
  for (size_t length = 0; length < m_good.size(); length += 1 + m_good.size() / 150) {
    use(Bytes(m_good.begin(), m_good.begin() + static_cast<std::ptrdiff_t>(length)));
  }
  EXPECT_EQ(m_read, 0) << "a cut file was read as if it were whole";
}

TEST_P(Robustness, SurvivesChangedBits) {
  std::mt19937 random(7);
  std::uniform_int_distribution<size_t> place(0, m_good.size() - 1);
  for (int i = 0; i < 300; ++i) {
    Bytes bytes = m_good;
    for (int flips = 1 + i % 8; flips > 0; --flips) bytes[place(random)] ^= static_cast<char>(1 << (random() % 8));
    use(bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Robustness,
                         testing::Values(EXS_LittleEndianExplicit, EXS_LittleEndianImplicit, EXS_JPEGLSLossless,
                                         EXS_JPEGProcess14SV1, EXS_RLELossless));

}  // namespace
}  // namespace lynceus::io::dicom
