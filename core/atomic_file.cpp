#include "core/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace lynceus {

namespace {

std::string remedy(int errorNumber) {
  switch (errorNumber) {
    case ENOSPC:
    case EDQUOT: return "the disk is full: free space or choose another folder";
    case EACCES:
    case EPERM: return "you have no permission to write there: choose another folder";
    case EROFS: return "the disk is read-only: choose another folder";
    case ENOENT:
    case ENOTDIR: return "the folder does not exist: create it or choose another one";
    case EISDIR: return "a folder has this name: choose another name";
    default: return std::strerror(errorNumber);
  }
}

/// @return 0 or the errno of the step that failed.
int writeAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return ::fsync(file) == 0 ? 0 : errno;
}

/// Makes the rename itself survive a power cut; a file system that cannot do it is no reason to fail.
void syncFolder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

Expected<void> writeFileAtomically(const std::filesystem::path& path, std::string_view bytes) {
  static std::atomic<unsigned> counter = 0;
  std::filesystem::path temporary = path;
  temporary += fmt::format(".{}-{}.tmp", ::getpid(), counter++);

  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  int failure = file < 0 ? errno : 0;
  if (file >= 0) {
    failure = writeAll(file, bytes);
    if (::close(file) != 0 && failure == 0) failure = errno;
    if (failure == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) failure = errno;
    if (failure != 0) ::unlink(temporary.c_str());
  }
  if (failure != 0) return makeError(ErrorCode::resource, "{}: cannot be written, {}", path.string(), remedy(failure));
  syncFolder(path.parent_path());
  return {};
}

}  // namespace lynceus
