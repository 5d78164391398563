// Refuses what cannot fit before memory is asked for: sizes come from headers that nobody vouches for.
#pragma once

#include <cstdint>
#include <string>

#include "core/error.h"

namespace lynceus::io {

/// @return ErrorCode::resource if `count` values of `bytesEach` need more than four fifths of the machine's memory.
Expected<void> checkMemory(const std::string& what, int64_t count, size_t bytesEach);

}  // namespace lynceus::io
