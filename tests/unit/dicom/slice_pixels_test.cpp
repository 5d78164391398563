// Hounsfield units are exact whatever the file's bit layout and compression.
#include <gmock/gmock.h>

#include "io/dicom/slice.h"
#include "tests/support/ct_files.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::io::dicom {
namespace {

using test::CtFile;
using testing::ElementsAre;
using testing::HasSubstr;

class SlicePixelsTest : public testing::Test {
 protected:
  // Writes the file, reads its header and then its pixels.
  Expected<SlicePixels> read(const CtFile& file) {
    const auto path = m_folder / "slice.dcm";
    EXPECT_TRUE(test::writeCt(path, file));
    const auto header = readSliceHeader(path);
    if (!header) return passError(header);
    const auto* slice = std::get_if<SliceHeader>(&*header);
    if (!slice) return makeError(ErrorCode::internal, "not a slice");
    m_hu.assign(static_cast<size_t>(slice->instance.rows) * static_cast<size_t>(slice->instance.columns), 12345);
    return readSlicePixels(slice->instance, m_hu);
  }
  std::string errorOf(const CtFile& file) {
    const auto result = read(file);
    return result ? "no error" : result.error().message;
  }

  test::TemporaryFolder m_folder;
  std::vector<int16_t> m_hu;
};

CtFile row(std::vector<uint16_t> pixels) {
  CtFile f;
  f.rows = 1;
  f.columns = static_cast<int>(pixels.size());
  f.pixels = std::move(pixels);
  return f;
}

TEST_F(SlicePixelsTest, ReadsSignedValues) {
  CtFile f = row({0, 1, 0xFFFF, 0x8000 + 2000, 3000});
  ASSERT_TRUE(read(f));
  EXPECT_THAT(m_hu, ElementsAre(-1024, -1023, -1025, -31792, 1976));
}

TEST_F(SlicePixelsTest, ReadsUnsignedTwelveBitsAndIgnoresTheBitsAbove) {
  CtFile f = row({0, 4095, 0xF000 + 7, 1024});  // old scanners put overlays into the upper four bits
  f.bitsStored = 12;
  f.highBit = 11;
  f.isSigned = false;
  ASSERT_TRUE(read(f));
  EXPECT_THAT(m_hu, ElementsAre(-1024, 3071, -1017, 0));
}

TEST_F(SlicePixelsTest, ExtendsTheSignOfTwelveStoredBits) {
  CtFile f = row({0x0FFF, 0x0800, 0x07FF, 0});
  f.bitsStored = 12;
  f.highBit = 11;
  f.intercept = "0";
  ASSERT_TRUE(read(f));
  EXPECT_THAT(m_hu, ElementsAre(-1, -2048, 2047, 0));
}

TEST_F(SlicePixelsTest, ShiftsValuesThatLieInTheUpperBits) {
  CtFile f = row({0x1230, 0xFFF0, 0x000F});
  f.bitsStored = 12;
  f.highBit = 15;
  f.isSigned = false;
  f.intercept = "0";
  ASSERT_TRUE(read(f));
  EXPECT_THAT(m_hu, ElementsAre(0x123, 0xFFF, 0));
}

TEST_F(SlicePixelsTest, AppliesAnIntegralSlopeExactly) {
  CtFile f = row({0, 1, 1000, 2047});
  f.slope = "2";
  f.intercept = "-1000";
  const auto result = read(f);
  ASSERT_TRUE(result);
  EXPECT_THAT(m_hu, ElementsAre(-1000, -998, 1000, 3094));
  EXPECT_EQ(result->largestRoundingHu, 0);
}

TEST_F(SlicePixelsTest, RoundsANonIntegralSlopeOnceAndReportsTheLargestError) {
  CtFile f = row({0, 1, 3, 1000});
  f.slope = "1.3";
  f.intercept = "-1000.25";
  const auto result = read(f);
  ASSERT_TRUE(result);
  EXPECT_THAT(m_hu, ElementsAre(-1000, -999, -996, 300));
  EXPECT_NEAR(result->largestRoundingHu, 0.35, 1e-9);
}

TEST_F(SlicePixelsTest, RejectsValuesOutsideInt16InsteadOfWrapping) {
  CtFile f = row({0, 40000});
  f.isSigned = false;
  f.intercept = "0";
  EXPECT_THAT(errorOf(f), HasSubstr("stored value 40000 is 40000 HU with Rescale Slope 1 and Intercept 0"));
}

TEST_F(SlicePixelsTest, TurnsPaddingThatFitsNoInt16IntoAir) {
  CtFile f = row({0x8000, 0, 1024});
  f.padding = -32768;
  const auto result = read(f);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(m_hu, ElementsAre(-1024, -1024, 0));
  EXPECT_EQ(result->paddingHu, -1024);
}

TEST_F(SlicePixelsTest, KeepsPaddingThatFitsAsTheScannerWroteIt) {
  CtFile f = row({static_cast<uint16_t>(-2000), 1024});
  f.padding = -2000;
  const auto result = read(f);
  ASSERT_TRUE(result);
  EXPECT_THAT(m_hu, ElementsAre(-3024, 0));
  EXPECT_EQ(result->paddingHu, -3024);
}

TEST_F(SlicePixelsTest, UnderstandsPaddingWrittenWithTheWrongSign) {
  CtFile f = row({0x8000, 1024});
  f.change = [](DcmDataset& d) { d.putAndInsertUint16(DcmTag(DCM_PixelPaddingValue, EVR_US), 0x8000); };
  ASSERT_TRUE(read(f));
  EXPECT_THAT(m_hu, ElementsAre(-1024, 0));
}

TEST_F(SlicePixelsTest, DoesNotInvertMonochrome1) {
  CtFile f = row({0, 1024, 2000});
  f.change = [](DcmDataset& d) { d.putAndInsertString(DCM_PhotometricInterpretation, "MONOCHROME1"); };
  ASSERT_TRUE(read(f));
  EXPECT_THAT(m_hu, ElementsAre(-1024, 0, 976));
}

TEST_F(SlicePixelsTest, RefusesAnImageWithoutRescaleValues) {
  CtFile f = row({0, 1});
  f.change = [](DcmDataset& d) { d.findAndDeleteElement(DCM_RescaleIntercept); };
  EXPECT_THAT(errorOf(f), HasSubstr("its values are not Hounsfield units"));
}

TEST_F(SlicePixelsTest, RefusesColourAndImpossibleBitLayouts) {
  CtFile f = row({0, 1});
  f.change = [](DcmDataset& d) { d.putAndInsertUint16(DCM_SamplesPerPixel, 3); };
  EXPECT_THAT(errorOf(f), HasSubstr("colour"));
  f.change = [](DcmDataset& d) { d.putAndInsertUint16(DCM_BitsStored, 0); };
  EXPECT_THAT(errorOf(f), HasSubstr("16 bits allocated, 0 stored"));
  f.change = [](DcmDataset& d) { d.putAndInsertUint16(DCM_HighBit, 40); };
  EXPECT_THAT(errorOf(f), HasSubstr("high bit 40"));
  f.change = [](DcmDataset& d) { d.putAndInsertString(DCM_NumberOfFrames, "2"); };
  EXPECT_THAT(errorOf(f), HasSubstr("2 frames"));
}

TEST_F(SlicePixelsTest, SaysHowManyBytesAreMissing) {
  CtFile f;
  f.columns = 64;
  f.rows = 64;
  const auto path = m_folder / "cut.dcm";
  ASSERT_TRUE(test::writeCt(path, f));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 3000);
  const auto header = readSliceHeader(path);
  ASSERT_TRUE(header);
  const Instance& instance = std::get<SliceHeader>(*header).instance;
  EXPECT_THAT(instance.damage,
              HasSubstr("cut.dcm: the file is cut off: its pixels need 8192 bytes and 5192 are there"));
  std::vector<int16_t> hu(size_t{64} * 64);
  EXPECT_FALSE(readSlicePixels(instance, hu));
}

class Syntaxes : public SlicePixelsTest, public testing::WithParamInterface<E_TransferSyntax> {};

TEST_P(Syntaxes, GiveTheSameHounsfieldUnits) {
  CtFile f;
  f.columns = 40;
  f.rows = 30;
  f.bitsStored = 12;
  f.highBit = 11;
  f.isSigned = false;
  f.syntax = EXS_LittleEndianExplicit;
  ASSERT_TRUE(read(f));
  const std::vector<int16_t> plain = m_hu;
  f.syntax = GetParam();
  const auto result = read(f);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(m_hu, plain);
  EXPECT_EQ(m_hu[1], (7 + 13) % 2000 - 1024);
}

std::string syntaxName(const testing::TestParamInfo<E_TransferSyntax>& info) {
  std::string name;
  for (const char c : std::string(DcmXfer(info.param).getXferName())) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Lossless, Syntaxes,
                         testing::Values(EXS_LittleEndianImplicit, EXS_BigEndianExplicit,
                                         EXS_DeflatedLittleEndianExplicit, EXS_JPEGLSLossless, EXS_JPEGProcess14,
                                         EXS_JPEGProcess14SV1, EXS_RLELossless),
                         syntaxName);

}  // namespace
}  // namespace lynceus::io::dicom
