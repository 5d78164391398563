// Files that are either complete or not there: nobody ever reads half a result.
#pragma once

#include <filesystem>
#include <string_view>

#include "core/error.h"

namespace lynceus {

/// Writes `bytes` to a temporary file beside `path`, syncs it to the disk and renames it to `path`, replacing an older
/// file. Any thread; of two writers of one path the last wins.
/// @return ErrorCode::resource with the path and the remedy (disk full, no permission, missing folder); then `path` is
/// as it was before and nothing is left beside it.
Expected<void> writeFileAtomically(const std::filesystem::path& path, std::string_view bytes);

}  // namespace lynceus
