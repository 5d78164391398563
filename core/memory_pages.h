// Memory for the large things: volumes, and the activations of networks.
#pragma once

#include <cstddef>
#include <memory>

namespace lynceus {

/// Zeroed pages that come when they are first touched, by the thread that fills them, and are large where the system
/// has such. Aligned to a page. @return nullptr where the system has not that much.
std::shared_ptr<void> allocatePages(size_t bytes);

}  // namespace lynceus
