// A volume in memory that another process can map: what crosses is a file descriptor, never the voxels.
#pragma once

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file_descriptor.h"
#include "core/image/volume.h"

namespace lynceus::job {

/// What a message says of the volume whose memory comes beside it.
nlohmann::json describeVolume(const image::Volume& volume);

/// The memory of the volume for another process: its own where it lies in memory that can be shared
/// (image::VoxelBuffer::Kind::shared), else a copy. Nobody can change it or its size any more but who maps it already.
/// @return ErrorCode::resource where the system gives no such memory.
Expected<FileDescriptor> shareVolume(const image::Volume& volume);

/// Maps what another process shared, read-only. `description` may come from anywhere.
/// @return ErrorCode::badInput where the memory is not what the description says, or could still be made smaller.
Expected<image::Volume> mapVolume(const nlohmann::json& description, FileDescriptor memory);

}  // namespace lynceus::job
