// What lynceus-worker can do.
#pragma once

#include "app/worker/session.h"

namespace lynceus::worker {

/// Reads studies: which series are there, and the volume of one, in memory that crosses without a copy.
Handler parseMode();

/// Searches volumes with model packages. The last models stay ready.
Handler detectMode();

}  // namespace lynceus::worker
