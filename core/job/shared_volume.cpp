#include "core/job/shared_volume.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/image/geometry_json.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010  // Linux 5.1; older headers lack it
#endif

namespace lynceus::job {
namespace {

using image::Geometry;
using image::Volume;
using image::VoxelBuffer;
using nlohmann::json;

tl::unexpected<Error> notAVolume(const std::string& why) {
  return makeError(ErrorCode::badInput, "the memory that came with a volume cannot be used: {}", why);
}

/// No other process can make the file smaller, which would end this one when it reads, or map it for writing from now.
Expected<FileDescriptor> seal(FileDescriptor file) {
  const int size = F_SEAL_SHRINK | F_SEAL_GROW;
  // A kernel before 5.1 knows no F_SEAL_FUTURE_WRITE.
  if (fcntl(file.get(), F_ADD_SEALS, size | F_SEAL_FUTURE_WRITE) != 0 && fcntl(file.get(), F_ADD_SEALS, size) != 0) {
    return makeError(ErrorCode::resource, "the memory of a volume cannot be sealed ({})", std::strerror(errno));
  }
  return file;
}

}  // namespace

json describeVolume(const Volume& volume) {
  json description = image::toJson(volume.geometry());
  description["paddingHu"] = volume.paddingHu();
  return description;
}

Expected<FileDescriptor> shareVolume(const Volume& volume) {
  if (volume.memoryFile() >= 0) {
    FileDescriptor file(fcntl(volume.memoryFile(), F_DUPFD_CLOEXEC, 0));
    if (!file) return makeError(ErrorCode::resource, "there are too many open files ({})", std::strerror(errno));
    return (fcntl(file.get(), F_GET_SEALS) & F_SEAL_SHRINK) ? std::move(file) : seal(std::move(file));
  }
  auto copy = VoxelBuffer::allocate(volume.hu().size(), VoxelBuffer::Kind::shared);
  if (!copy) return passError(copy);
  std::copy(volume.hu().begin(), volume.hu().end(), copy->values().begin());
  FileDescriptor file(fcntl(copy->file(), F_DUPFD_CLOEXEC, 0));
  if (!file) return makeError(ErrorCode::resource, "there are too many open files ({})", std::strerror(errno));
  return seal(std::move(file));
}

Expected<Volume> mapVolume(const json& description, FileDescriptor memory) {
  std::optional<Error> error;
  JsonReader in(description, "volume", error);
  const Geometry g = image::readGeometry(in);
  const int64_t paddingHu = in.integer("paddingHu", INT16_MIN, INT16_MAX);
  if (error) return notAVolume(error->message);
  struct stat status = {};
  const auto bytes = g.voxelCount() * static_cast<int64_t>(sizeof(int16_t));
  if (fstat(memory.get(), &status) != 0) return notAVolume(std::strerror(errno));
  if (status.st_size != bytes) return notAVolume(fmt::format("it has {} bytes instead of {}", status.st_size, bytes));
  const int seals = fcntl(memory.get(), F_GET_SEALS);
  if (seals < 0 || !(seals & F_SEAL_SHRINK)) return notAVolume("its sender could still make it smaller");
  auto buffer = VoxelBuffer::map(std::move(memory), static_cast<size_t>(g.voxelCount()));
  if (!buffer) return passError(buffer);
  return Volume::create(g, std::move(*buffer), static_cast<int16_t>(paddingHu));
}

}  // namespace lynceus::job
