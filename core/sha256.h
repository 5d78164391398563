// SHA-256 through OpenSSL: of weights, of the instances of a series, of what a result depends on.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"

namespace lynceus {

/// Lower-case hex.
std::string sha256(std::string_view bytes);
/// @return ErrorCode::resource where the file cannot be read.
Expected<std::string> sha256OfFile(const std::filesystem::path& path);

}  // namespace lynceus
