// Text in other encodings as UTF-8, which is all that the rest of the program knows.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lynceus::io {

/// Strict (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. ASCII is UTF-8.
bool isUtf8(std::string_view bytes);

/// Length of the character that starts with this byte of valid UTF-8.
inline size_t utf8Length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Latin-1: any bytes are.
std::string latin1ToUtf8(std::string_view bytes);

/// @param encoding  what iconv calls it, such as "GBK".
/// @return nothing where a byte does not fit the encoding. Any thread.
std::optional<std::string> toUtf8(const char* encoding, std::string_view bytes);

}  // namespace lynceus::io
