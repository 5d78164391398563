// Text that a plugin gives: any bytes, perhaps without an end.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lynceus::plugins {

/// UTF-8 without control characters.
bool isPrintable(std::string_view text);

/// The text at `text` without its terminating zero; nothing where it is null or longer than `most` bytes.
std::optional<std::string_view> boundedText(const char* text, size_t most);

/// One line for a log: at most `most` bytes and "…", with '?' for each byte that is not printable.
std::string logLine(const char* text, size_t most = 500);

}  // namespace lynceus::plugins
