// NumPy's .npy files: how tensors get in and out of `lynceus run`.
#pragma once

#include <filesystem>

#include "core/error.h"
#include "core/nn/tensor.h"

namespace lynceus::nn {

/// Little-endian float16/32/64 become float, integers and bool int64; row-major files of format version 1 to 3.
/// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
Expected<Tensor> readNpy(const std::filesystem::path& file);

/// Writes float32 or int64, format version 1.0. An existing file is replaced.
Expected<void> writeNpy(const std::filesystem::path& file, const Tensor& tensor);

}  // namespace lynceus::nn
