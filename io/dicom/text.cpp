#include "io/dicom/text.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcspchrs.h>

#include "io/dicom/library.h"
#include "io/utf8.h"

namespace lynceus::io::dicom {
namespace {

constexpr size_t kMaxTextBytes = 1024;
constexpr char kEscape = '\x1B';

unsigned byteOf(char c) { return static_cast<unsigned char>(c); }
bool isHigh(char c) { return byteOf(c) >= 0x80; }
bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

// What CharacterSet::Text promises, of valid UTF-8.
std::string tidy(std::string_view utf8) {
  std::string text;
  for (size_t i = 0; i < utf8.size(); i += utf8Length(utf8[i])) {
    const unsigned first = byteOf(utf8[i]);
    const bool control = first < 0x20 || first == 0x7F || (first == 0xC2 && byteOf(utf8[i + 1]) < 0xA0);
    const std::string_view character = control ? " " : utf8.substr(i, utf8Length(utf8[i]));
    if (text.empty() && character == " ") continue;
    if (text.size() + character.size() > kMaxTextBytes) break;
    text += character;
  }
  return trimmed(text);
}

// What Chinese text is made of besides ASCII: ideographs, CJK punctuation, fullwidth forms, the middle dot of names,
// Roman and circled numbers.
bool isChineseText(std::string_view utf8) {
  bool anyIdeograph = false;
  for (size_t i = 0; i < utf8.size(); i += utf8Length(utf8[i])) {
    if (!isHigh(utf8[i])) continue;
    unsigned code = byteOf(utf8[i]) & (utf8Length(utf8[i]) == 2 ? 0x1Fu : 0x0Fu);
    for (size_t k = 1; k < utf8Length(utf8[i]); ++k) code = code << 6 | (byteOf(utf8[i + k]) & 0x3Fu);
    const bool ideograph = code >= 0x3400 && code <= 0x9FFF;
    const bool symbol = code == 0xB7 || (code >= 0x2000 && code < 0x3400) || (code >= 0xFF00 && code <= 0xFFEF);
    if (!ideograph && !symbol) return false;
    anyIdeograph = anyIdeograph || ideograph;
  }
  return anyIdeograph;
}

// European names in Latin-1 hold byte pairs that GBK has too ("ü" and the letter after it, "ÉÉ"), but next to ASCII
// letters, seldom two such pairs in a row, and never alone with two high bytes each.
std::optional<std::string> asGbk(std::string_view bytes) {
  bool anyPlainPair = false;
  for (size_t i = 0; i < bytes.size();) {
    if (!isHigh(bytes[i])) {
      ++i;
      continue;
    }
    const bool afterLetter = i > 0 && isLetter(bytes[i - 1]);
    int plainPairs = 0;
    for (; i < bytes.size() && isHigh(bytes[i]); i += 2) {
      const unsigned lead = byteOf(bytes[i]), trail = i + 1 < bytes.size() ? byteOf(bytes[i + 1]) : 0;
      if (lead == 0x80 || lead == 0xFF || trail < 0x40 || trail == 0x7F || trail == 0xFF) return {};
      if (trail >= 0x80) ++plainPairs;
    }
    const bool beforeLetter = i < bytes.size() && isLetter(bytes[i]);
    if ((afterLetter || beforeLetter) && plainPairs < 2) return {};
    anyPlainPair = anyPlainPair || plainPairs > 0;
  }
  if (!anyPlainPair) return {};
  const auto text = io::toUtf8("GBK", bytes);
  return text && isChineseText(*text) ? text : std::nullopt;
}

// Some GB2312 text is valid UTF-8 of two-byte characters. Those of one alphabet start with neighbouring bytes (Cyrillic
// D0 and D1, Greek CE and CF, Arabic D8 to DB); Chinese characters do not.
bool isRatherGb2312(std::string_view utf8) {
  unsigned low = 0xFF, high = 0;
  for (size_t i = 0; i < utf8.size(); i += utf8Length(utf8[i])) {
    if (!isHigh(utf8[i])) continue;
    if (utf8Length(utf8[i]) != 2 || byteOf(utf8[i + 1]) < 0xA1) return false;
    low = std::min(low, byteOf(utf8[i]));
    high = std::max(high, byteOf(utf8[i]));
  }
  return high > low + 3;
}

// UTF-8 or GBK, if the bytes can be nothing else that is likely.
std::optional<std::string> guess(const std::string& bytes) {
  if (!isUtf8(bytes)) return asGbk(bytes);
  if (isRatherGb2312(bytes)) {
    if (auto text = asGbk(bytes)) return text;
  }
  return bytes;
}

struct Converter {
  std::string declared;
  DcmSpecificCharacterSet set;
  bool usable = false;
};

// Setting one up opens several iconv tables, and the texts of a study share one: kept for the thread.
// @return null where DCMTK does not know the character set.
DcmSpecificCharacterSet* converterFor(const std::string& declared) {
  thread_local std::unique_ptr<Converter> last;
  if (!last || last->declared != declared) {
    prepareLibrary();
    last = std::make_unique<Converter>();
    last->declared = declared;
    last->usable = last->set.selectCharacterSet(declared.c_str()).good();
    // UTF-8 and GB18030 do not go with others; files that say so use the first.
    for (size_t from = 0; !last->usable && from < declared.size();) {
      const size_t to = std::min(declared.find('\\', from), declared.size());
      const std::string one = trimmed(declared.substr(from, to - from));
      last->usable = !one.empty() && last->set.selectCharacterSet(one.c_str()).good();
      from = to + 1;
    }
  }
  return last->usable ? &last->set : nullptr;
}

std::optional<std::string> convert(DcmSpecificCharacterSet& set, const std::string& bytes, const char* delimiters) {
  OFString text;
  if (set.convertString(OFString(bytes.data(), bytes.size()), text, delimiters).bad()) return {};
  std::string utf8(text.data(), text.size());
  if (!isUtf8(utf8)) return {};
  return utf8;
}

// ISO 2022 IR 87 and 159 (PS3.5 annex H), which DCMTK cannot read where iconv is that of glibc: by way of EUC-JP, which
// has the same characters with the high bit set.
// @param katakana  JIS X 0201 (IR 13) is declared, which puts them into the upper half.
std::optional<std::string> convertJapanese(std::string_view bytes, bool katakana) {
  enum class Set { single, x0208, x0212 } set = Set::single;
  struct Switch {
    std::string_view escape;
    Set set;
  };
  static constexpr Switch kSwitches[] = {{"\x1B(B", Set::single}, {"\x1B(J", Set::single}, {"\x1B)I", Set::single},
                                         {"\x1B$B", Set::x0208},  {"\x1B$@", Set::x0208},  {"\x1B$(D", Set::x0212}};
  std::string eucJp;
  for (size_t i = 0; i < bytes.size();) {
    if (bytes[i] == kEscape) {
      const auto* const found = std::find_if(std::begin(kSwitches), std::end(kSwitches), [&](const Switch& s) {
        return bytes.substr(i, s.escape.size()) == s.escape;
      });
      if (found == std::end(kSwitches)) return {};
      if (found->escape != "\x1B)I") set = found->set;  // that one is for the upper half
      i += found->escape.size();
    } else if (set == Set::single || byteOf(bytes[i]) <= 0x20) {
      if (isHigh(bytes[i]) && !katakana) return {};
      if (isHigh(bytes[i])) eucJp += '\x8E';
      eucJp += bytes[i++];
    } else {
      if (i + 1 >= bytes.size()) return {};
      if (set == Set::x0212) eucJp += '\x8F';
      eucJp += static_cast<char>(bytes[i] | 0x80);
      eucJp += static_cast<char>(bytes[i + 1] | 0x80);
      i += 2;
    }
  }
  return io::toUtf8("EUC-JP", eucJp);
}

bool hasJapaneseEscape(std::string_view bytes) {
  for (const char* escape : {"\x1B$B", "\x1B$@", "\x1B$(D"}) {
    if (bytes.find(escape) != std::string_view::npos) return true;
  }
  return false;
}

std::string asciiPart(std::string text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (isHigh(text[i])) text[i] = '?';
  }
  return text;
}

std::string withoutNulls(std::string bytes) {
  std::replace(bytes.begin(), bytes.end(), '\0', ' ');
  return bytes;
}

}  // namespace

CharacterSet::Text CharacterSet::toUtf8(const std::string& bytes, bool personName) const {
  const bool plain = std::none_of(bytes.begin(), bytes.end(), [](char c) { return isHigh(c) || c == kEscape; });
  if (plain) return {tidy(bytes), false};
  const std::string text = withoutNulls(bytes);
  const bool escapes = text.find(kEscape) != std::string::npos;
  const std::string declared = trimmed(m_declared);
  const bool latin1 = declared == "ISO_IR 100" || declared == "ISO 2022 IR 100";
  const bool none = declared.empty() || declared == "ISO_IR 6" || declared == "ISO 2022 IR 6";
  const bool declares = !latin1 && !none;
  if (hasJapaneseEscape(text)) {
    if (auto utf8 = convertJapanese(text, declared.find("IR 13") != std::string::npos)) return {tidy(*utf8), !declares};
  }
  // What needs no declaration to be read.
  static const std::string kByEscapes = "ISO 2022 IR 100\\ISO 2022 IR 58\\ISO 2022 IR 149";
  DcmSpecificCharacterSet* set = declares ? converterFor(declared) : escapes ? converterFor(kByEscapes) : nullptr;
  const char* delimiters = personName ? "\\^=" : "\\";
  if (set) {
    if (auto utf8 = convert(*set, text, delimiters)) return {tidy(*utf8), !declares};
    // Written without repeating the escape sequence after a delimiter.
    if (escapes) {
      if (auto utf8 = convert(*set, text, "")) return {tidy(*utf8), true};
    }
  }
  if (auto utf8 = guess(text)) return {tidy(*utf8), true};
  if (set && declares) return {tidy(asciiPart(text)), true};
  return {tidy(latin1ToUtf8(text)), !latin1};
}

}  // namespace lynceus::io::dicom
