// Hounsfield units are exact whatever the file's bit layout and compression.
#include <gmock/gmock.h>

#include "io/dicom/slice.h"
#include "tests/support/ct_files.h"
#include "tests/support/jpeg2000.h"
#include "tests/support/temporary_folder.h"

namespace lynceus::io::dicom {
namespace {

using test::CtFile;
using testing::ElementsAre;
using testing::HasSubstr;

class SlicePixelsTest : public testing::Test {
 protected:
  Expected<Instance> header(const CtFile& file) {
    m_path = m_folder / "slice.dcm";
    EXPECT_TRUE(test::writeCt(m_path, file));
    const auto headers = readSliceHeaders({m_path, {}, 0});
    if (!headers) return passError(headers);
    const auto* slice = std::get_if<SliceHeaders>(&*headers);
    if (!slice) return makeError(ErrorCode::internal, "not a slice");
    return slice->instances.front();
  }
  Expected<SlicePixels> read(const Instance& instance) {
    m_hu.assign(static_cast<size_t>(instance.rows) * static_cast<size_t>(instance.columns), 12345);
    return readSlicePixels(instance, m_hu);
  }
  // Writes the file, reads its header and then its pixels.
  Expected<SlicePixels> read(const CtFile& file) {
    const auto instance = header(file);
    if (!instance) return passError(instance);
    return read(*instance);
  }
  template <class What>
  std::string errorOf(const What& what) {
    const auto result = read(what);
    return result ? "no error" : result.error().message;
  }

  test::TemporaryFolder m_folder;
  std::filesystem::path m_path;
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
  f.change = [](DcmDataset& d) { d.putAndInsertUint16(DCM_BitsAllocated, 32); };
  EXPECT_THAT(errorOf(f), HasSubstr("32 bits allocated"));
}

TEST_F(SlicePixelsTest, RefusesValuesOfAnotherQuantity) {
  CtFile f = row({0, 1});
  f.change = [](DcmDataset& d) { d.putAndInsertString(DCM_RescaleType, "OD"); };
  EXPECT_THAT(errorOf(f), HasSubstr("Rescale Type (0028,1054) is OD, not HU"));
  f.change = [](DcmDataset& d) { d.putAndInsertString(DCM_RescaleType, "HU"); };
  EXPECT_TRUE(read(f));
}

TEST_F(SlicePixelsTest, ReadsEightAllocatedBits) {
  CtFile f = row({0, 7, 200, 255, 128, 1});
  f.bitsStored = 8;
  f.highBit = 7;
  f.isSigned = false;
  f.bitsAllocated = 8;
  ASSERT_TRUE(read(f));
  EXPECT_THAT(m_hu, ElementsAre(-1024, -1017, -824, -769, -896, -1023));
  f.isSigned = true;
  ASSERT_TRUE(read(f));
  EXPECT_THAT(m_hu, ElementsAre(-1024, -1017, -1080, -1025, -1152, -1023));
  f.isSigned = false;
  f.syntax = EXS_RLELossless;  // one segment
  const auto result = read(f);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(m_hu, ElementsAre(-1024, -1017, -824, -769, -896, -1023));
  f.syntax = EXS_BigEndianExplicit;
  EXPECT_THAT(errorOf(f), HasSubstr("8 bits allocated in big endian"));
}

TEST_F(SlicePixelsTest, NoticesThatTheFileChangedSinceItsHeaderWasRead) {
  const auto instance = header(row({0, 1}));
  ASSERT_TRUE(instance);
  ASSERT_TRUE(read(*instance));
  std::filesystem::last_write_time(m_path, std::filesystem::last_write_time(m_path) + std::chrono::seconds(1));
  EXPECT_THAT(errorOf(*instance), HasSubstr("slice.dcm: the file changed since its folder was read; open the folder"));
  std::filesystem::remove(m_path);
  EXPECT_THAT(errorOf(*instance), HasSubstr("slice.dcm"));
}

TEST_F(SlicePixelsTest, NamesTheCompressionThatItCannotRead) {
  auto instance = header(row({0, 1}));
  ASSERT_TRUE(instance);
  instance->transferSyntaxUid = "1.2.840.10008.1.2.4.201";
  EXPECT_THAT(errorOf(*instance), HasSubstr("High-Throughput JPEG 2000 lossless cannot be decoded"));
  instance->transferSyntaxUid = "1.2.840.10008.1.2.4.90";
  EXPECT_THAT(errorOf(*instance),
              HasSubstr("its pixels are not in fragments but Transfer Syntax UID (0002,0010) says"));
}

TEST_F(SlicePixelsTest, SaysHowManyBytesAreMissing) {
  CtFile f;
  f.columns = 64;
  f.rows = 64;
  ASSERT_TRUE(header(f));
  std::filesystem::resize_file(m_path, std::filesystem::file_size(m_path) - 3000);
  const auto headers = readSliceHeaders({m_path, {}, 0});
  ASSERT_TRUE(headers);
  const Instance& instance = std::get<SliceHeaders>(*headers).instances.front();
  EXPECT_THAT(instance.damage,
              HasSubstr("slice.dcm: the file is cut off: its pixels need 8192 bytes and 5192 are there"));
  EXPECT_EQ(errorOf(instance), instance.damage);
}

class Syntaxes : public SlicePixelsTest, public testing::WithParamInterface<E_TransferSyntax> {};

std::vector<uint8_t> jpeg2000Of(const CtFile& f, int precision = 12, bool isSigned = false) {
  std::vector<int> values;
  for (size_t i = 0; i < static_cast<size_t>(f.columns) * static_cast<size_t>(f.rows); ++i) {
    values.push_back(isSigned ? static_cast<int16_t>(f.pixelAt(i)) : f.pixelAt(i));
  }
  auto bytes = test::encodeJpeg2000({f.columns, f.rows, precision, isSigned}, values);
  if (bytes.size() % 2 != 0) bytes.push_back(0);
  return bytes;
}

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
  if (f.syntax == EXS_JPEG2000LosslessOnly || f.syntax == EXS_JPEG2000) {
    f.fragments = {jpeg2000Of(f)};
  }
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
                                         EXS_JPEGProcess14SV1, EXS_RLELossless, EXS_JPEG2000LosslessOnly, EXS_JPEG2000),
                         syntaxName);

// A lossy frame of a smooth image is close to it, in 8 and in 12 bits.
TEST_F(SlicePixelsTest, ReadsLossyJpeg) {
  CtFile f;
  f.columns = f.rows = 64;
  f.isSigned = false;
  for (const bool isByte : {true, false}) {
    f.bitsStored = isByte ? 8 : 12;
    f.highBit = f.bitsStored - 1;
    f.pixels.clear();
    const int step = isByte ? 1 : 20;
    for (int i = 0; i < 64 * 64; ++i) f.pixels.push_back(static_cast<uint16_t>((i % 64 + i / 64) * step));
    f.bitsAllocated = isByte ? 8 : 16;
    for (const E_TransferSyntax syntax :
         {EXS_JPEGProcess1, EXS_JPEGProcess2_4, EXS_JPEGProcess6_8, EXS_JPEGProcess10_12}) {
      if (syntax == EXS_JPEGProcess1 && !isByte) continue;
      f.syntax = syntax;
      const auto result = read(f);
      ASSERT_TRUE(result) << result.error().message;
      for (size_t i = 0; i < m_hu.size(); ++i) {
        ASSERT_NEAR(m_hu[i], f.pixels[i] - 1024, 4 * step) << DcmXfer(syntax).getXferName() << " at " << i;
      }
    }
  }
}

TEST_F(SlicePixelsTest, BelievesTheSignOfAJpeg2000CodestreamWhateverItsPrecision) {
  CtFile f = row({0, 100, static_cast<uint16_t>(-2000), static_cast<uint16_t>(-1), 2047, static_cast<uint16_t>(-2048)});
  f.syntax = EXS_JPEG2000LosslessOnly;
  for (const int precision : {12, 14, 16}) {
    f.fragments = {jpeg2000Of(f, precision, true)};
    const auto result = read(f);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_THAT(m_hu, ElementsAre(-1024, -924, -3024, -1025, 1023, -3072)) << precision;
  }
  f.isSigned = false;
  EXPECT_THAT(errorOf(f), HasSubstr("negative values where Pixel Representation (0028,0103) says there are none"));
}

// Twelve unsigned bits for sixteen signed ones: 4095 may be 4095 or -1.
TEST_F(SlicePixelsTest, RefusesToGuessASignThatTheCodestreamHasLost) {
  CtFile f = row({0, 100, 2047});
  f.syntax = EXS_JPEG2000LosslessOnly;
  f.fragments = {jpeg2000Of(f, 12)};
  ASSERT_TRUE(read(f));
  EXPECT_THAT(m_hu, ElementsAre(-1024, -924, 1023));
  f.pixels[1] = 4095;
  f.fragments = {jpeg2000Of(f, 12)};
  EXPECT_THAT(errorOf(f), HasSubstr("have 12 bits where the header says 16 stored and signed up to bit 15"));
  f.bitsStored = 12;  // then it is the sign, wherever the high bit is said to be
  for (const int high : {11, 15}) {
    f.highBit = high;
    ASSERT_TRUE(read(f));
    EXPECT_THAT(m_hu, ElementsAre(-1024, -1025, 1023));
  }
}

TEST_F(SlicePixelsTest, MasksOverlayBitsOfCompressedPixelsToo) {
  CtFile f = row({0, 0xF007, 0x1FFF, 5});
  f.bitsStored = 12;
  f.highBit = 11;
  f.isSigned = false;
  f.syntax = EXS_JPEG2000LosslessOnly;
  f.fragments = {jpeg2000Of(f, 16)};
  ASSERT_TRUE(read(f));
  EXPECT_THAT(m_hu, ElementsAre(-1024, -1017, 3071, -1019));
}

TEST_F(SlicePixelsTest, JoinsTheFragmentsOfAFrameAndPassesOverEmptyOnes) {
  CtFile f;
  f.columns = 40;
  f.rows = 30;
  ASSERT_TRUE(read(f));
  const std::vector<int16_t> plain = m_hu;
  const std::vector<uint8_t> whole = jpeg2000Of(f, 16);
  f.syntax = EXS_JPEG2000LosslessOnly;
  f.fragments = {{}};
  for (size_t at = 0; at < whole.size(); at += 100) {
    const auto from = whole.begin() + static_cast<std::ptrdiff_t>(at);
    f.fragments.emplace_back(from, from + static_cast<std::ptrdiff_t>(std::min<size_t>(100, whole.size() - at)));
    f.fragments.emplace_back();
  }
  const auto result = read(f);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(m_hu, plain);
}

}  // namespace
}  // namespace lynceus::io::dicom
