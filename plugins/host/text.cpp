#include "plugins/host/text.h"

#include <cstring>

namespace lynceus::plugins {
namespace {

unsigned char byteOf(std::string_view text, size_t i) { return static_cast<unsigned char>(text[i]); }

/// Bytes of the UTF-8 character that `text` begins with; 0 where it is none, or a control character.
size_t printableLength(std::string_view text) {
  const unsigned char first = byteOf(text, 0);
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byteOf(text, i) & 0xC0) != 0x80) return 0;
  const unsigned char second = byteOf(text, 1);
  const bool control = first == 0xC2 && second < 0xA0;
  const bool tooLong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F, beyond = first == 0xF4 && second > 0x8F;
  return control || tooLong || surrogate || beyond ? 0 : length;
}

}  // namespace

bool isPrintable(std::string_view text) {
  while (!text.empty()) {
    const size_t length = printableLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::optional<std::string_view> boundedText(const char* text, size_t most) {
  if (!text) return std::nullopt;
  const size_t length = strnlen(text, most + 1);
  if (length > most) return std::nullopt;
  return std::string_view(text, length);
}

std::string logLine(const char* text, size_t most) {
  if (!text) return "(null)";
  std::string_view rest(text, strnlen(text, most + 4));  // a character that begins within `most` ends by then
  std::string line;
  while (!rest.empty() && line.size() < most) {
    const size_t length = printableLength(rest);
    line += length == 0 ? "?" : std::string(rest.substr(0, length));
    rest.remove_prefix(length == 0 ? 1 : length);
  }
  return rest.empty() ? line : line + "…";
}

}  // namespace lynceus::plugins
