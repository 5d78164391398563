// What lynceus-worker can do.
#pragma once

#include "app/worker/session.h"

namespace lynceus::worker {

/// Reads studies: which series are there, and the volume of one, in memory that crosses without a copy.
Handler parseMode();

/// Searches volumes with model packages and with the models of plugins. The last ones stay ready.
Handler detectMode();

/// Loads plugins and returns what they say of themselves.
Handler probeMode();

}  // namespace lynceus::worker
