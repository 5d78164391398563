// The pre-scan: what files of other people hold, and what hostile ones claim.
#include "io/dicom/dataset.h"

#include <gmock/gmock.h>

namespace lynceus::io::dicom {
namespace {

using testing::HasSubstr;

// Bytes of a data set, element by element.
class Bytes {
 public:
  explicit Bytes(bool implicit = false, bool big = false) : m_implicit(implicit), m_big(big) {}

  Bytes& u16(uint32_t v) {
    const auto low = static_cast<uint8_t>(v), high = static_cast<uint8_t>(v >> 8);
    m_bytes.insert(m_bytes.end(), {m_big ? high : low, m_big ? low : high});
    return *this;
  }
  Bytes& u32(uint32_t v) { return m_big ? u16(v >> 16).u16(v & 0xFFFF) : u16(v & 0xFFFF).u16(v >> 16); }
  Bytes& raw(std::string_view text) {
    m_bytes.insert(m_bytes.end(), text.begin(), text.end());
    return *this;
  }
  Bytes& head(uint32_t tag, std::string_view vr, uint32_t length) {
    u16(tag >> 16).u16(tag & 0xFFFF);
    if (m_implicit) return u32(length);
    raw(vr);
    const bool longForm = vr[0] == 'O' || vr == "SQ" || vr == "UN" || vr == "UT";
    return longForm ? u16(0).u32(length) : u16(length);
  }
  Bytes& element(uint32_t tag, std::string_view vr, std::string_view value) {
    return head(tag, vr, static_cast<uint32_t>(value.size())).raw(value);
  }
  Bytes& item(uint32_t length) { return u16(0xFFFE).u16(0xE000).u32(length); }
  Bytes& endItem() { return u16(0xFFFE).u16(0xE00D).u32(0); }
  Bytes& endSequence() { return u16(0xFFFE).u16(0xE0DD).u32(0); }
  std::vector<uint8_t> bytes() const { return m_bytes; }

 private:
  std::vector<uint8_t> m_bytes;
  bool m_implicit, m_big;
};

constexpr uint32_t kSop = 0x00080016, kName = 0x00100010, kSequence = 0x00081115, kRows = 0x00280010;
constexpr uint32_t kPixels = 0x7FE00010;

Bytes start(bool implicit = false, bool big = false) {
  Bytes b(implicit, big);
  return b.element(kSop, "UI", "1.2.840.10008.5.1.4.1.1.2\0");
}

Expected<std::optional<DataSet>> parse(const Bytes& b, Extent extent = Extent::header) {
  ByteReader reader = ByteReader::ofMemory(b.bytes(), "x.dcm");
  return DataSet::read(reader, extent);
}

std::string errorOf(const Bytes& b, Extent extent = Extent::header) {
  const auto set = parse(b, extent);
  return set ? "no error" : set.error().message;
}

TEST(DataSetTest, ReadsExplicitImplicitAndBigEndianWithoutAPreamble) {
  for (const auto& [implicit, big] : {std::pair{false, false}, {true, false}, {false, true}}) {
    const auto set = parse(start(implicit, big)
                               .element(kName, "PN", "Doe^Jane ")
                               .head(kRows, "US", 2)
                               .u16(512)
                               .element(0x00280030, "DS", "0.5\\ +0.75")
                               .head(kPixels, "OW", 4)
                               .u32(0));
    ASSERT_TRUE(set) << set.error().message;
    ASSERT_TRUE(*set) << implicit << big;
    EXPECT_EQ((*set)->text(kName), "Doe^Jane");
    EXPECT_EQ((*set)->integer(kRows), 512);
    EXPECT_EQ((*set)->number(0x00280030, 1), 0.75);
    EXPECT_EQ((*set)->number(0x00280030, 2), std::nullopt);
    EXPECT_EQ((*set)->bigEndian(), big);
    ASSERT_TRUE((*set)->pixelData());
    EXPECT_EQ((*set)->pixelData()->length, 4u);
  }
}

TEST(DataSetTest, FindsItemsOfSequencesOfKnownAndUnknownLength) {
  for (const bool implicit : {false, true}) {
    for (const bool known : {false, true}) {
      Bytes item(implicit);
      item.element(kName, "PN", "A ");
      const auto length = static_cast<uint32_t>(item.bytes().size());
      Bytes b = start(implicit);
      b.head(kSequence, "SQ", known ? 2 * (8 + length) : kUndefinedLength);
      for (int i = 0; i < 2; ++i) {
        b.item(known ? length : kUndefinedLength).element(kName, "PN", i == 0 ? "A " : "B ");
        if (!known) b.endItem();
      }
      if (!known) b.endSequence();
      b.element(kName, "PN", "Root");
      const auto set = parse(b);
      ASSERT_TRUE(set) << set.error().message;
      ASSERT_TRUE(*set);
      EXPECT_EQ((*set)->items(kSequence).size(), 2u);
      EXPECT_EQ((*set)->text(kName, (*set)->item(kSequence, DataSet::kRoot, 1)), "B");
      EXPECT_EQ((*set)->item(kSequence, DataSet::kRoot, 2), DataSet::kNoItem);
      EXPECT_EQ((*set)->text(kName), "Root");  // not the one inside
      EXPECT_EQ((*set)->text(kName, DataSet::kNoItem), "");
    }
  }
}

TEST(DataSetTest, ReadsUnknownSequencesAsImplicit) {
  Bytes inner(true);
  inner.element(kName, "", "In");
  Bytes b = start().head(0x00091010, "UN", kUndefinedLength).item(kUndefinedLength);
  const auto bytes = inner.bytes();
  b.raw({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  b.endItem().endSequence().element(kName, "PN", "Out ");
  const auto set = parse(b);
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ((*set)->text(kName, (*set)->item(0x00091010)), "In");
  EXPECT_EQ((*set)->text(kName), "Out");
}

TEST(DataSetTest, RefusesDeepNestingAtOnceHoweverDeepItIs) {
  for (const int depth : {64, 65, 20'000, 200'000}) {
    Bytes b = start();
    for (int i = 0; i < depth; ++i) b.head(kSequence, "SQ", kUndefinedLength).item(kUndefinedLength);
    for (int i = 0; i < depth; ++i) b.endItem().endSequence();
    if (depth == 64) {
      EXPECT_TRUE(parse(b)) << errorOf(b);
    } else {
      EXPECT_THAT(errorOf(b), HasSubstr("x.dcm: the header is damaged at byte 1")) << depth;
      EXPECT_THAT(errorOf(b), HasSubstr("nested more than 64 deep"));
    }
  }
}

TEST(DataSetTest, RefusesLengthsThatGoBeyondTheFileOrTheirSequence) {
  EXPECT_THAT(errorOf(start().head(0x00081030, "UN", 0xFFFFFFFE).raw("abc")),
              HasSubstr("element (0008,1030) claims 4294967294 bytes and 3 are left"));
  Bytes b = start().head(kSequence, "SQ", 20).item(12).head(kName, "PN", 200);
  b.raw(std::string(300, 'x'));
  EXPECT_THAT(errorOf(b), HasSubstr("element (0010,0010) claims 200 bytes and 4 are left"));
  EXPECT_THAT(errorOf(start().head(kSequence, "SQ", 12).item(400).raw(std::string(400, 'x'))),
              HasSubstr("element (FFFE,E000) claims 400 bytes and 4 are left"));
  EXPECT_THAT(errorOf(start().head(kSequence, "SQ", kUndefinedLength).item(kUndefinedLength)),
              HasSubstr("the file is cut off: it ends within its header"));
}

TEST(DataSetTest, RefusesHeadersThatAreTooLong) {
  Bytes b = start();
  for (int i = 0; i < 17; ++i) b.element(0x00091010 + static_cast<uint32_t>(i), "UN", std::string(1 << 20, 'x'));
  EXPECT_THAT(errorOf(b), HasSubstr("it is longer than 16 MiB"));
  Bytes many = start();
  many.head(kSequence, "SQ", kUndefinedLength);
  for (int i = 0; i < 510'000; ++i) many.item(0);
  EXPECT_THAT(errorOf(many), HasSubstr("it has more than 500000 elements"));
}

TEST(DataSetTest, WalksThePixelsOnlyWhereTheWholeFileIsAskedFor) {
  Bytes b = start();
  b.head(kPixels, "OB", kUndefinedLength).item(0).item(4).raw("abcd").endSequence();
  b.head(0xFFFCFFFC, "OB", 2).u16(0);
  EXPECT_TRUE(parse(b, Extent::header));
  EXPECT_TRUE(parse(b, Extent::whole)) << errorOf(b, Extent::whole);
  Bytes cut = start();
  cut.head(kPixels, "OB", kUndefinedLength).item(0).item(400).raw("abcd");
  EXPECT_TRUE(parse(cut, Extent::header));
  EXPECT_THAT(errorOf(cut, Extent::whole), HasSubstr("claims 400 bytes and 4 are left"));
}

TEST(DataSetTest, DoesNotTakeTextForDicom) {
  Bytes text;
  text.raw("\x08 and some more text that only begins like a data set");
  const auto set = parse(text);
  ASSERT_TRUE(set);
  EXPECT_FALSE(*set);
  Bytes lookalike;
  lookalike.u16(8).u16(5).raw("CSCS").raw(std::string(40, 'y'));
  EXPECT_FALSE(parse(lookalike).value());
}

TEST(DataSetTest, LetsTheBytesDecideWhereTheDeclaredEncodingIsWrong) {
  Bytes b;
  b.raw(std::string(128, '\0')).raw("DICM").element(0x00020010, "UI", std::string("1.2.840.10008.1.2\0", 18));
  const auto body = start().element(kName, "PN", "Doe ").bytes();  // explicit, though implicit is declared
  b.raw({reinterpret_cast<const char*>(body.data()), body.size()});
  const auto set = parse(b);
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ((*set)->text(kName), "Doe");
}

}  // namespace
}  // namespace lynceus::io::dicom
