// What a codestream claims is checked, what it lacks is an error, and no bytes crash a decoder.
#include <random>

#include <gmock/gmock.h>

#include "io/dicom/codecs.h"
#include "io/dicom/fragments.h"
#include "io/dicom/library.h"
#include "tests/support/ct_files.h"
#include "tests/support/jpeg2000.h"

namespace lynceus::io::dicom {
namespace {

using testing::HasSubstr;

constexpr const char* kRle = UID_RLELosslessTransferSyntax;
constexpr const char* kJpegLossless = UID_JPEGProcess14SV1TransferSyntax;
constexpr const char* kJpegLs = UID_JPEGLSLosslessTransferSyntax;
constexpr const char* kJpeg2000 = UID_JPEG2000LosslessOnlyTransferSyntax;

// The frame that DCMTK's encoder makes of the image.
std::vector<uint8_t> encodeWithDcmtk(const test::CtFile& image, E_TransferSyntax syntax) {
  test::registerEncoders();
  DcmDataset d;
  test::fillCtDataset(d, image);
  if (d.chooseRepresentation(syntax, nullptr).bad()) return {};
  DcmElement* element = nullptr;
  d.findAndGetElement(DCM_PixelData, element);
  DcmPixelSequence* sequence = nullptr;
  DcmPixelItem* item = nullptr;
  Uint8* bytes = nullptr;
  if (dynamic_cast<DcmPixelData*>(element)->getEncapsulatedRepresentation(syntax, nullptr, sequence).bad()) return {};
  std::vector<uint8_t> all;
  for (unsigned long i = 1; i < sequence->card(); ++i) {
    sequence->getItem(item, i);
    item->getUint8Array(bytes);
    all.insert(all.end(), bytes, bytes + item->getLength());
  }
  return all;
}

struct Frame {
  CodedFrame coded;
  std::vector<uint16_t> truth;
};

Frame makeFrame(const std::string& syntax, test::CtFile image) {
  image.isSigned = false;
  Frame f;
  f.coded.rows = image.rows;
  f.coded.columns = image.columns;
  f.coded.transferSyntaxUid = syntax;
  f.coded.file = "slice.dcm";
  std::vector<int> values;
  for (size_t i = 0; i < static_cast<size_t>(image.rows) * static_cast<size_t>(image.columns); ++i) {
    f.truth.push_back(image.pixelAt(i));
    values.push_back(image.pixelAt(i));
  }
  f.coded.bytes = syntax == kJpeg2000 ? test::encodeJpeg2000({image.columns, image.rows}, values)
                                      : encodeWithDcmtk(image, DcmXfer(syntax.c_str()).getXfer());
  return f;
}

test::CtFile smallImage() {
  test::CtFile image;
  image.columns = 50;
  image.rows = 40;
  std::mt19937 random(9);
  for (int i = 0; i < 2000; ++i) image.pixels.push_back(static_cast<uint16_t>(900 + i % 50 * 3 + random() % 16));
  return image;
}

struct Decoded {
  Expected<Samples> samples;
  std::vector<uint16_t> values;
};

Decoded decode(const CodedFrame& frame) {
  Decoded d;
  d.values.assign(static_cast<size_t>(frame.rows) * static_cast<size_t>(frame.columns), 0xABCD);
  d.samples = decodeFrame(frame, d.values);
  return d;
}

std::string errorOf(const CodedFrame& frame) {
  const auto d = decode(frame);
  return d.samples ? "no error" : d.samples.error().message;
}

class Codecs : public testing::TestWithParam<const char*> {
 protected:
  Frame m_frame = makeFrame(GetParam(), smallImage());
};

TEST_P(Codecs, GiveBackWhatWasEncoded) {
  const Decoded d = decode(m_frame.coded);
  ASSERT_TRUE(d.samples) << d.samples.error().message;
  EXPECT_EQ(d.values, m_frame.truth);
  EXPECT_FALSE(d.samples->isSigned);
}

// Never a picture with a grey rest: the whole image, where only an end marker or padding was lost, or an error.
TEST_P(Codecs, ACutFrameIsAnError) {
  const std::vector<uint8_t> whole = m_frame.coded.bytes;
  for (size_t length = 0; length < whole.size(); length += length + 40 < whole.size() ? 7 : 1) {
    m_frame.coded.bytes.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    const Decoded d = decode(m_frame.coded);
    if (d.samples) {
      ASSERT_EQ(d.values, m_frame.truth) << length << " of " << whole.size();
      ASSERT_LE(whole.size() - length, 8u);
    } else {
      ASSERT_THAT(d.samples.error().message, HasSubstr("slice.dcm: "));
    }
  }
}

TEST_P(Codecs, AnotherSizeThanTheHeaderSaysIsAnError) {
  for (const auto& [rows, columns] : {std::pair{41, 50}, {40, 49}, {50, 41}, {4000, 4000}, {1, 1}}) {
    m_frame.coded.rows = rows;
    m_frame.coded.columns = columns;
    EXPECT_THAT(errorOf(m_frame.coded), HasSubstr("slice.dcm: ")) << rows << " x " << columns;
  }
}

TEST_P(Codecs, SurviveAnyBytes) {
  std::mt19937 random(11);
  const std::vector<uint8_t> good = m_frame.coded.bytes;
  for (int round = 0; round < 1500; ++round) {
    auto& bytes = m_frame.coded.bytes;
    bytes = good;
    if (round % 3 == 0) {  // noise, behind as much of the true beginning as lets it in
      const size_t keep = random() % std::min<size_t>(good.size(), 200);
      for (size_t i = keep; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(random());
    } else {
      const size_t reach = round % 3 == 1 ? std::min<size_t>(good.size(), 150) : good.size();
      for (unsigned k = 0; k < 1 + random() % 4; ++k) bytes[random() % reach] = static_cast<uint8_t>(random());
    }
    static_cast<void>(decode(m_frame.coded));
  }
}

// A blank slice of the largest matrix is not mistaken for a forgery.
TEST_P(Codecs, ReadABlankSlice) {
  test::CtFile blank;
  blank.columns = blank.rows = 2048;
  blank.pixels.assign(size_t{2048} * 2048, 24);
  const Frame f = makeFrame(GetParam(), blank);
  const Decoded d = decode(f.coded);
  ASSERT_TRUE(d.samples) << d.samples.error().message;
  EXPECT_EQ(d.values, f.truth);
  RecordProperty("pixelsPerByte", static_cast<int>(f.truth.size() / f.coded.bytes.size()));
}

std::string codecName(const testing::TestParamInfo<const char*>& info) {
  std::string name;
  for (const char c : transferSyntaxName(info.param)) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
  }
  return name;
}
INSTANTIATE_TEST_SUITE_P(Lossless, Codecs, testing::Values(kRle, kJpegLossless, kJpegLs, kJpeg2000), codecName);

TEST(CodecsTest, ASmallFrameMayNotClaimGigabytes) {
  CodedFrame frame{std::vector<uint8_t>(100), 65535, 65535, kJpegLs, "slice.dcm"};
  std::vector<uint16_t> samples(size_t{1} << 24);
  frame.rows = frame.columns = 4096;
  const auto result = decodeFrame(frame, samples);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("4096 x 4096 pixels in 100 bytes"));
}

TEST(CodecsTest, NameAnotherCodecThanTheTransferSyntaxSays) {
  Frame f = makeFrame(kJpegLs, smallImage());
  f.coded.transferSyntaxUid = kJpegLossless;
  EXPECT_THAT(errorOf(f.coded), HasSubstr("its pixels are JPEG-LS, not JPEG lossless as Transfer Syntax UID"));
  f.coded.transferSyntaxUid = kJpeg2000;
  EXPECT_THAT(errorOf(f.coded), HasSubstr("no image size"));
  f.coded.transferSyntaxUid = kRle;
  EXPECT_THAT(errorOf(f.coded), HasSubstr("segments"));
}

TEST(CodecsTest, RefuseColour) {
  Frame f = makeFrame(kJpegLs, smallImage());
  for (size_t i = 0; i + 9 < f.coded.bytes.size(); ++i) {
    if (f.coded.bytes[i] == 0xFF && f.coded.bytes[i + 1] == 0xF7) f.coded.bytes[i + 9] = 3;
  }
  EXPECT_THAT(errorOf(f.coded), HasSubstr("3 components, and colour has no Hounsfield units"));
}

TEST(Rle, RefusesRunsBeyondTheImageAndWrongSegments) {
  CodedFrame frame{std::vector<uint8_t>(64), 1, 4, kRle, "slice.dcm"};
  frame.bytes[0] = 1;
  frame.bytes[4] = 64;
  const auto with = [&](std::vector<uint8_t> segment) {
    CodedFrame f = frame;
    f.bytes.insert(f.bytes.end(), segment.begin(), segment.end());
    return errorOf(f);
  };
  EXPECT_EQ(with({0xFD, 7}), "no error");                 // 4 times 7
  EXPECT_EQ(with({0x80, 0xFD, 7, 0}), "no error");        // a pause, and a padding byte
  EXPECT_THAT(with({0xFC, 7}), HasSubstr("damaged"));     // 5 times
  EXPECT_THAT(with({0xFE, 7}), HasSubstr("damaged"));     // 3 times
  EXPECT_THAT(with({3, 1, 2, 3}), HasSubstr("damaged"));  // 4 literals, 3 there
  EXPECT_THAT(with({0xFD}), HasSubstr("damaged"));
  frame.bytes[0] = 3;
  EXPECT_THAT(with({0xFD, 7}), HasSubstr("3 segments"));
  frame.bytes[0] = 2;
  frame.bytes[8] = 200;
  EXPECT_THAT(with({0xFD, 7}), HasSubstr("segments at byte 64 and 200 of 66"));
}

class Jpeg2000Test : public testing::Test {
 protected:
  CodedFrame frameOf(const test::Jpeg2000& how) {
    m_values.clear();
    for (int i = 0; i < how.columns * how.rows; ++i) m_values.push_back(i * 7 % 2000 - (how.isSigned ? 1000 : 0));
    return {test::encodeJpeg2000(how, m_values), how.rows, how.columns, kJpeg2000, "slice.dcm"};
  }
  void expectValues(const CodedFrame& frame) {
    const Decoded d = decode(frame);
    ASSERT_TRUE(d.samples) << d.samples.error().message;
    for (size_t i = 0; i < m_values.size(); ++i) ASSERT_EQ(static_cast<int16_t>(d.values[i]), m_values[i]) << i;
  }
  std::vector<int> m_values;
};

TEST_F(Jpeg2000Test, ReadsEveryPrecisionSignedAndInTiles) {
  for (const int precision : {11, 12, 13, 16}) {
    for (const bool isSigned : {false, true}) {
      for (const int tile : {0, 16, 32}) {
        const test::Jpeg2000 how{70, 50, precision, isSigned, tile};
        const CodedFrame frame = frameOf(how);
        expectValues(frame);
        EXPECT_EQ(decode(frame).samples->precision, precision);
        EXPECT_EQ(decode(frame).samples->isSigned, isSigned);
      }
    }
  }
}

TEST_F(Jpeg2000Test, ReadsACodestreamWrappedInAJp2File) {
  test::Jpeg2000 how{70, 50};
  how.format = OPJ_CODEC_JP2;
  expectValues(frameOf(how));
}

TEST_F(Jpeg2000Test, AMissingEndMarkerIsHarmless) {
  CodedFrame frame = frameOf({70, 50});
  frame.bytes.resize(frame.bytes.size() - 2);
  expectValues(frame);
  frame.bytes.push_back(0);
  expectValues(frame);
}

// The library would make room for them before it looks for their bytes.
TEST_F(Jpeg2000Test, RefusesMoreTilesAndPacketsThanTheBytesCanHold) {
  CodedFrame frame = frameOf({512, 512});
  const std::vector<uint8_t> good = frame.bytes;
  for (const size_t at : {24u, 28u}) {  // the tile's width and height in SIZ
    for (size_t i = 0; i < 4; ++i) frame.bytes[at + i] = i == 3 ? 4 : 0;
  }
  EXPECT_THAT(errorOf(frame), HasSubstr("16384 tiles"));
  frame.bytes = good;
  for (size_t i = 0; i + 8 < good.size(); ++i) {
    if (good[i] == 0xFF && good[i + 1] == 0x52) {
      frame.bytes[i + 6] = frame.bytes[i + 7] = 0xFF;  // layers
      break;
    }
  }
  EXPECT_THAT(errorOf(frame), HasSubstr("packets in"));
}

// There the library does not give back what was encoded, and says nothing.
TEST_F(Jpeg2000Test, RefusesTilesThatVanishAtTheLowestResolution) {
  EXPECT_THAT(errorOf(frameOf({70, 50, 12, false, 33})), HasSubstr("nothing is left at the lowest resolution"));
  expectValues(frameOf({66, 66, 12, false, 33}));
}

class FragmentsTest : public testing::Test {
 protected:
  static std::vector<uint8_t> item(uint32_t element, uint32_t length) {
    return {0xFE,
            0xFF,
            static_cast<uint8_t>(element),
            static_cast<uint8_t>(element >> 8),
            static_cast<uint8_t>(length),
            static_cast<uint8_t>(length >> 8),
            static_cast<uint8_t>(length >> 16),
            static_cast<uint8_t>(length >> 24)};
  }
  void add(const std::vector<uint8_t>& bytes) { m_bytes.insert(m_bytes.end(), bytes.begin(), bytes.end()); }
  void addFragment(const std::vector<uint8_t>& bytes) {
    add(item(0xE000, static_cast<uint32_t>(bytes.size())));
    add(bytes);
  }
  Expected<std::vector<uint8_t>> read(PixelLayout layout = {}) {
    layout.compressed = true;
    ByteReader file = ByteReader::ofMemory(m_bytes, "slice.dcm");
    return readFragments(file, layout);
  }
  std::string error() {
    const auto result = read();
    return result ? "no error" : result.error().message;
  }
  std::vector<uint8_t> m_bytes;
};

using Bytes = std::vector<uint8_t>;

TEST_F(FragmentsTest, AreJoinedWithoutTheOffsetTable) {
  addFragment({9, 9, 9, 9});
  addFragment({1, 2});
  addFragment({});
  addFragment({3, 4, 5, 6});
  add(item(0xE0DD, 0));
  addFragment({7, 7});  // what follows the sequence is no part of it
  EXPECT_EQ(*read(), (Bytes{1, 2, 3, 4, 5, 6}));
}

TEST_F(FragmentsTest, AreTakenFromTheListWhereThereIsOne) {
  m_bytes = {0, 1, 2, 3, 4, 5, 6, 7};
  PixelLayout layout;
  layout.fragments = {{6, 2}, {1, 3}};
  EXPECT_EQ(*read(layout), (Bytes{6, 7, 1, 2, 3}));
  layout.fragments = {{6, 3}};
  EXPECT_THAT(read(layout).error().message, HasSubstr("3 bytes of compressed pixels from byte 6 cannot be read"));
  layout.fragments = {{0, 0xFFFFFFFF}, {0, 0xFFFFFFFF}};
  EXPECT_THAT(read(layout).error().message, HasSubstr("in a file of 8 bytes"));
}

TEST_F(FragmentsTest, NeedNoEndWhereTheLastIsWhole) {
  addFragment({});
  addFragment({1, 2});
  EXPECT_EQ(*read(), (Bytes{1, 2}));
  add({0xFE, 0xFF, 0xDD});
  EXPECT_THAT(error(), HasSubstr("slice.dcm: the file is cut off within its compressed pixels at byte 18"));
}

TEST_F(FragmentsTest, SayWhereTheFileIsCutOrDamaged) {
  EXPECT_THAT(error(), HasSubstr("0 bytes"));
  addFragment({});
  EXPECT_THAT(error(), HasSubstr("0 bytes"));
  add(item(0xE000, 100));
  add({1, 2, 3});
  EXPECT_THAT(error(), HasSubstr("from byte 16 need 100 bytes and 3 are there"));
  m_bytes.resize(8);
  add(item(0xE000, 0xFFFFFFFF));
  EXPECT_THAT(error(), HasSubstr("damaged at byte 8"));
  m_bytes.resize(8);
  add(item(0x1234, 0));
  EXPECT_THAT(error(), HasSubstr("damaged at byte 8"));
}

TEST(TransferSyntaxes, HaveNamesAndOnlySomeCanBeDecoded) {
  for (const char* uid : {kRle, kJpegLossless, kJpegLs, kJpeg2000, UID_JPEG2000TransferSyntax,
                          UID_JPEGProcess2_4TransferSyntax, UID_BigEndianExplicitTransferSyntax}) {
    EXPECT_TRUE(canDecode(uid)) << uid;
  }
  EXPECT_FALSE(canDecode("1.2.840.10008.1.2.4.203"));
  EXPECT_EQ(transferSyntaxName("1.2.840.10008.1.2.4.203"), "High-Throughput JPEG 2000");
  EXPECT_FALSE(canDecode("1.2.840.10008.1.2.4.102"));
  EXPECT_EQ(transferSyntaxName("1.2.840.10008.1.2.4.110"), "JPEG XL lossless");
  EXPECT_EQ(transferSyntaxName("1.2.3"), "1.2.3");
  EXPECT_EQ(transferSyntaxName(""), "unknown compression");
}

}  // namespace
}  // namespace lynceus::io::dicom
