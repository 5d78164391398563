// Names as hospitals write them, whatever their files declare.
#include "io/dicom/text.h"

#include <array>
#include <random>
#include <stdexcept>

#include <gtest/gtest.h>
#include <iconv.h>

#include "io/utf8.h"

namespace lynceus::io::dicom {
namespace {

// UTF-8 in another encoding, by the C library: an opinion that does not come from the code under test.
std::string encoded(const char* encoding, const std::string& utf8) {
  iconv_t converter = iconv_open(encoding, "UTF-8");
  std::string from = utf8, into(utf8.size() * 4 + 16, '\0');
  char* in = from.data();
  char* out = into.data();
  size_t inLeft = from.size(), outLeft = into.size();
  const size_t result = iconv(converter, &in, &inLeft, &out, &outLeft);
  iconv_close(converter);
  if (result == static_cast<size_t>(-1)) throw std::runtime_error(utf8 + " is not in " + encoding);
  into.resize(into.size() - outLeft);
  return into;
}

struct Case {
  const char* declared;
  std::string bytes;
  const char* utf8;
  bool guessed = false;
};

void expectText(const Case& c, bool personName = true) {
  const auto text = CharacterSet(c.declared).toUtf8(c.bytes, personName);
  EXPECT_EQ(text.utf8, c.utf8) << c.declared;
  EXPECT_EQ(text.guessed, c.guessed) << c.declared << ": " << c.utf8;
}

TEST(Text, ReadsTheDeclaredCharacterSet) {
  const std::string escape = "\x1B";
  expectText({"", "Doe^Jane", "Doe^Jane"});
  expectText({"ISO_IR 6", " Doe^Jane ", "Doe^Jane"});
  expectText({"ISO_IR 100", "M\xFCller^J\xF6rg", "Müller^Jörg"});
  expectText({"ISO_IR 100 ", "Andr\xE9", "André"});
  expectText({"ISO_IR 101", encoded("ISO-8859-2", "Łódź^Żółć"), "Łódź^Żółć"});
  expectText({"ISO_IR 144", encoded("ISO-8859-5", "Люкceмбypг"), "Люкceмбypг"});
  expectText({"ISO_IR 126", encoded("ISO-8859-7", "Διονυσιος"), "Διονυσιος"});
  expectText({"ISO_IR 192", "王^小東", "王^小東"});
  expectText({"GB18030", encoded("GB18030", "王^小东=𠮷"), "王^小东=𠮷"});
  expectText({"GBK", encoded("GBK", "Wang^XiaoDong=王^小东"), "Wang^XiaoDong=王^小东"});
  // PS3.5 annexes H, I and K: Japanese, Korean, Chinese with escape sequences in the component groups.
  expectText({"\\ISO 2022 IR 87",
              "Yamada^Tarou=" + escape + "$B;3ED" + escape + "(B^" + escape + "$BB@O:" + escape + "(B=" + escape +
                  "$B$d$^$@" + escape + "(B^" + escape + "$B$?$m$&" + escape + "(B",
              "Yamada^Tarou=山田^太郎=やまだ^たろう"});
  expectText({"ISO 2022 IR 13\\ISO 2022 IR 87",
              "\xD4\xCF\xC0\xDE^\xC0\xDB\xB3=" + escape + "$B;3ED" + escape + "(J^" + escape + "$BB@O:" + escape + "(J",
              "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"});
  expectText({"\\ISO 2022 IR 87\\ISO 2022 IR 159",
              escape + "$(D" + "0!" + escape + "(B^" + escape + "$B@6" + escape + "(B", "丂^清"});
  expectText({"\\ISO 2022 IR 149",
              "Hong^Gildong=" + escape + "$)C\xFB\xF3^" + escape + "$)C\xD1\xCE\xD4\xD7=" + escape + "$)C\xC8\xAB^" +
                  escape + "$)C\xB1\xE6\xB5\xBF",
              "Hong^Gildong=洪^吉洞=홍^길동"});
  expectText({"\\ISO 2022 IR 58",
              "Zhang^XiaoDong=" + escape + "$)A" + encoded("GB2312", "张") + "^" + escape + "$)A" +
                  encoded("GB2312", "小东") + "=",
              "Zhang^XiaoDong=张^小东="});
  expectText({"ISO 2022 IR 6\\ISO 2022 IR 58", escape + "$)A" + encoded("GB2312", "第一行文字。"), "第一行文字。"},
             false);
}

TEST(Text, KeepsBackslashesThatAreHalfACharacter) {
  const std::string bytes = "\x81\x5C\xBB\x5C";
  ASSERT_EQ(bytes.size(), 4u);
  const auto text = CharacterSet("GB18030").toUtf8(bytes);
  EXPECT_EQ(encoded("GB18030", text.utf8), bytes);
  EXPECT_EQ(text.utf8.find('\\'), std::string::npos);
  EXPECT_EQ(CharacterSet("GB18030").toUtf8(bytes + "\\" + bytes).utf8, text.utf8 + "\\" + text.utf8);
}

TEST(Text, ReadsSetsThatDoNotGoTogetherByTheFirst) {
  expectText({"ISO_IR 192\\ISO 2022 IR 58", "王^小東", "王^小東"});
  expectText({"GB18030\\ISO 2022 IR 58", encoded("GB18030", "王^小东"), "王^小东"});
}

TEST(Text, ReadsEscapeSequencesThatAreNotRepeatedOrNotDeclared) {
  const std::string once = "Zhang=\x1B$)A" + encoded("GB2312", "张^小东");
  expectText({"\\ISO 2022 IR 58", once, "Zhang=张^小东", true});
  const std::string each = "\x1B$)A" + encoded("GB2312", "张") + "^\x1B$)A" + encoded("GB2312", "小东");
  expectText({"", each, "张^小东", true});
}

TEST(Text, GuessesUtf8ThatIsNotDeclared) {
  for (const char* declared : {"", "ISO_IR 6", "ISO_IR 100", "ISO 2022 IR 100", "no such set"}) {
    for (const char* name : {"Müller^Jörg", "王^小东", "Иванов^Пётр", "Παπαδόπουλος", "Țîrlea^Ștefan", "Łódź", "محمد",
                             "Nguyễn", "山田^太郎", "胸部CT"}) {
      expectText({declared, name, name, true});
    }
  }
}

constexpr std::array kEuropeanNames = {
    "Müller",
    "José",
    "Ångström",
    "CRÉÉE",
    "Noël",
    "Ñ",
    "Öz^Ali",
    "Åse^Bjørn",
    "Ægir^Þór",
    "François",
    "PEÑA^JOSÉ",
    "GARÇON^RENÉ",
    "Gonçalves",
    "São João",
    "CORAÇÕES",
    "Ünal^Öz",
    "Zoë",
    "Øre",
    "ØSTERGÅRD^SØREN",
    "Strauß",
    "GRÜßE",
    "Thorax à jeun",
    "Ålesund",
    "Élodie",
    "Señor Ñandú",
    "Über",
    "Gößmann^Jürgen",
    "Ísafjörður",
    "Þóra",
    "Bjørnstjerne",
    "Çelik",
    "Àngels^Núria",
    "ÄÖÜ",
    "Crâne sans IV",
    "Großhöchstetten",
    "Ö",
    "Jøåkim^Æ",
    "Ås",
    "É^É",
    "Hôtel-Dieu, Évry",
};

constexpr std::array kChineseNames = {
    "王^小东",    "李^娜",
    "张^伟",      "刘^洋",
    "陈^静",      "杨^丽",
    "赵^磊",      "黄^敏",
    "周^杰",      "吴^芳",
    "徐^强",      "孙^艳",
    "胡^军",      "朱^镕基",
    "陶^喆",      "张^堃",
    "欧阳^修",    "司马^相如",
    "诸葛^亮",    "买买提·吐尔逊",
    "王喆",       "镕",
    "李堃",       "冯^骥才",
    "马^刚",      "龚^玥",
    "郝^赟",      "高^燊",
    "何^旻",      "吕^珺",
    "郑^煊",      "谢^晞",
    "韩^翀",      "唐^旸",
    "胸部平扫",   "胸部CT平扫",
    "肺窗 1.0mm", "上腹部（增强）动脉期",
    "Chest 胸部", "北京协和医院",
};

TEST(Text, TakesLatin1ForWhatItIs) {
  static_assert(kEuropeanNames.size() == 40);
  for (const char* name : kEuropeanNames) {
    const std::string bytes = encoded("ISO-8859-1", name);
    expectText({"ISO_IR 100", bytes, name, false});
    expectText({"", bytes, name, true});
  }
  const std::string polish = encoded("ISO-8859-2", "Łódź");
  expectText({"ISO_IR 101", polish, "Łódź", false});
}

TEST(Text, GuessesGbkThatIsDeclaredAsLatin1OrNotAtAll) {
  static_assert(kChineseNames.size() == 40);
  for (const char* name : kChineseNames) {
    if (std::string(name) == "镕") continue;  // E9 46, "éF": one pair alone with a letter in it cannot be told
    const std::string bytes = encoded("GBK", name);
    expectText({"ISO_IR 100", bytes, name, true});
    expectText({"", bytes, name, true});
    expectText({"ISO_IR 192", bytes, name, true});
    expectText({"GBK", bytes, name, false});
    expectText({"GB18030", bytes, name, false});
  }
}

TEST(Text, GuessesGbkWhereTheBytesHappenToBeUtf8) {
  // Each of these characters has a byte from C2 to DF and one from A1 to BF.
  const std::string bytes = "\xC2\xB7^\xD0\xA1\xC7\xBF";
  ASSERT_TRUE(isUtf8(bytes));
  expectText({"ISO_IR 100", bytes, "路^小强", true});
  EXPECT_EQ(CharacterSet("ISO_IR 192").toUtf8(bytes).utf8, bytes);
}

TEST(Text, KeepsTheAsciiPartOfWhatCannotBeRead) {
  expectText({"ISO_IR 192", "Doe\xFF\xFE^Jane", "Doe??^Jane", true});
  expectText({"GB18030", "Doe^Jane\xFF", "Doe^Jane?", true});
  expectText({"no such set", "Doe^Jane\xFF", "Doe^Janeÿ", true});
}

TEST(Text, MakesControlCharactersBlanksAndTrims) {
  expectText({"", std::string("\0 a\tb\nc\0", 8), "a b c"});
  expectText({"ISO_IR 192", "\x01\x7F王\xC2\x85小\x02 ", "王 小"});
  expectText({"", "", ""});
  expectText({"", "  \t", ""});
}

TEST(Text, CutsLongTextBetweenCharacters) {
  std::string longText = "x";
  for (int i = 0; i < 400; ++i) longText += "汉";
  const auto text = CharacterSet("ISO_IR 192").toUtf8(longText);
  EXPECT_EQ(text.utf8.size(), 1u + 341 * 3);
  EXPECT_TRUE(isUtf8(text.utf8));
  EXPECT_EQ(CharacterSet().toUtf8(std::string(5000, 'a')).utf8, std::string(1024, 'a'));
  EXPECT_EQ(CharacterSet().toUtf8(std::string(5000, '\n') + "a" + std::string(5000, '\n')).utf8, "a");
}

TEST(Text, IsUtf8WhateverTheBytesAndTheDeclaration) {
  constexpr std::array kDeclared = {"",
                                    "ISO_IR 6",
                                    "ISO_IR 13",
                                    "ISO_IR 100",
                                    "ISO_IR 101",
                                    "ISO_IR 144",
                                    "ISO_IR 148",
                                    "ISO_IR 166",
                                    "ISO_IR 192",
                                    "GB18030",
                                    "GBK",
                                    "\\ISO 2022 IR 58",
                                    "\\ISO 2022 IR 87\\ISO 2022 IR 159",
                                    "ISO 2022 IR 13\\ISO 2022 IR 87",
                                    "\\ISO 2022 IR 149",
                                    "ISO_IR 192\\GBK",
                                    "rubbish",
                                    "\\\\\\"};
  constexpr std::array kParts = {"\x1B$B", "\x1B$)A", "\x1B$)C", "\x1B(B", "\x1B(J",  "\x1B",
                                 "^",      "=",       "\\",      "A",      "\xD5\xC5"};
  std::mt19937 random(1);  // NOLINT: the same bytes in every run
  const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
  for (int i = 0; i < 20000; ++i) {
    std::string bytes;
    for (size_t n = below(24); n > 0; --n) {
      if (below(4) == 0) {
        bytes += kParts[below(kParts.size())];
      } else {
        bytes += static_cast<char>(below(3) == 0 ? below(256) : 128 + below(128));
      }
    }
    const auto text =
        CharacterSet(kDeclared[static_cast<size_t>(i) / 100 % kDeclared.size()]).toUtf8(bytes, i % 2 == 0);
    ASSERT_TRUE(isUtf8(text.utf8)) << i;
    ASSERT_LE(text.utf8.size(), 1024u);
    for (const char c : text.utf8) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) << i;
  }
}

TEST(Utf8, RefusesWhatIsNot) {
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE6\xB1", "\xE6\xB1\x41", "\xFF"}) {
    EXPECT_FALSE(isUtf8(bad)) << testing::PrintToString(std::string(bad));
  }
  for (const char* good : {"", "a", "é", "汉", "𠮷", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) EXPECT_TRUE(isUtf8(good));
}

}  // namespace
}  // namespace lynceus::io::dicom
