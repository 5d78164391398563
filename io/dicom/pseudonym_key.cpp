#include "io/dicom/pseudonym_key.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/sha256.h"
#include "io/dicom/write_ct.h"

namespace lynceus::io::dicom {
namespace {

std::string bytesOfHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

Expected<std::string> randomBytes(size_t count) {
  std::string bytes(count, '\0');
  if (getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count))
    return makeError(ErrorCode::resource, "no random key could be made: {}", std::strerror(errno));
  return bytes;
}

class File {
 public:
  explicit File(int descriptor) : m_descriptor(descriptor) {}
  ~File() {
    if (m_descriptor >= 0) ::close(m_descriptor);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return m_descriptor; }

 private:
  int m_descriptor;
};

Expected<std::string> readKey(int file, const std::filesystem::path& path) {
  std::string bytes(PseudonymKey::kMostKeyBytes + 1, '\0');
  size_t count = 0;
  while (count < bytes.size()) {
    const ssize_t n = ::read(file, bytes.data() + count, bytes.size() - count);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return makeError(ErrorCode::resource, "{}: the key cannot be read: {}", path.string(), std::strerror(errno));
    if (n == 0) break;
    count += static_cast<size_t>(n);
  }
  if (count < PseudonymKey::kLeastKeyBytes || count > PseudonymKey::kMostKeyBytes) {
    return makeError(ErrorCode::wrongUse,
                     "{}: is not a key, which has {} to {} bytes: name a file that does not exist to make a new one",
                     path.string(), PseudonymKey::kLeastKeyBytes, PseudonymKey::kMostKeyBytes);
  }
  bytes.resize(count);
  return bytes;
}

/// @return 0 or the errno of what failed; then no file is left behind.
int storeKey(const std::filesystem::path& path, std::string_view bytes) {
  const File made(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (made.get() < 0) return errno;
  if (::write(made.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fsync(made.get()) == 0)
    return 0;
  const int failure = errno;
  ::unlink(path.c_str());
  return failure;
}

}  // namespace

std::string hmacSha256(std::string_view key, std::string_view text) {
  constexpr size_t kBlock = 64;
  std::string block = key.size() > kBlock ? bytesOfHex(sha256(key)) : std::string(key);
  block.resize(kBlock, '\0');
  std::string inner = block, outer = block;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5C);
  return sha256(outer + bytesOfHex(sha256(inner.append(text))));
}

Expected<PseudonymKey> PseudonymKey::random() {
  auto bytes = randomBytes(kNewKeyBytes);
  if (!bytes) return passError(bytes);
  return PseudonymKey(std::move(*bytes));
}

Expected<PseudonymKey> PseudonymKey::ofFile(const std::filesystem::path& path) {
  if (const File existing(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); existing.get() >= 0) {
    auto bytes = readKey(existing.get(), path);
    if (!bytes) return passError(bytes);
    return PseudonymKey(std::move(*bytes));
  } else if (errno != ENOENT) {
    return makeError(ErrorCode::resource, "{}: the key cannot be read: {}", path.string(), std::strerror(errno));
  }
  auto bytes = randomBytes(kNewKeyBytes);
  if (!bytes) return passError(bytes);
  if (const int failure = storeKey(path, *bytes); failure != 0)
    return makeError(ErrorCode::resource, "{}: the key cannot be stored: {}", path.string(), std::strerror(failure));
  return PseudonymKey(std::move(*bytes));
}

std::string PseudonymKey::uid(std::string_view original) const {
  return uidOf(hmacSha256(m_secret, fmt::format("uid {}", original)));
}

std::string PseudonymKey::pseudonym(std::string_view patient) const {
  return "LYN-" + hmacSha256(m_secret, fmt::format("patient {}", patient)).substr(0, 16);
}

int PseudonymKey::shiftDays(std::string_view patient) const {
  const std::string digest = hmacSha256(m_secret, fmt::format("days {}", patient));
  return -366 - static_cast<int>(std::stoul(digest.substr(0, 8), nullptr, 16) % 3653);
}

std::string PseudonymKey::shortName(std::string_view uid, size_t count) const {
  return hmacSha256(m_secret, fmt::format("folder {}", uid)).substr(0, count);
}

}  // namespace lynceus::io::dicom
