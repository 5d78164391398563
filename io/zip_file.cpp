#include "io/zip_file.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <new>
#include <optional>
#include <utility>

#include <zip.h>

#include "io/memory.h"
#include "io/utf8.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLargestDeflateRatio = 1032;  // 258 bytes for two bits (zlib's technical notes)
constexpr uint64_t kLargeBytes = 4u << 20;       // above any single slice but the largest
constexpr uint64_t kDirectoryEntryBytes = 46;    // at least, for each member

uint64_t littleEndian(const char* bytes, size_t count) {
  uint64_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// libzip 1.7 sets aside what a ZIP64 directory claims to hold before it looks: every such claim near the end of the
// file, where it searches, is checked first.
Expected<void> checkClaims(const fs::path& path) {
  constexpr uint64_t kTailBytes = 65536 + 22 + 20 + 56;
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return makeError(ErrorCode::badInput, "{}: the file cannot be read", path.string());
  std::string tail(static_cast<size_t>(std::min(size, kTailBytes)), '\0');
  file.seekg(static_cast<std::streamoff>(size - tail.size()));
  file.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  const std::string_view locator("PK\6\7", 4);
  for (size_t at = tail.find(locator); at != std::string::npos; at = tail.find(locator, at + 1)) {
    if (tail.size() - at < 20) break;
    char record[56] = {};
    file.clear();
    file.seekg(static_cast<std::streamoff>(littleEndian(&tail[at + 8], 8)));
    if (!file.read(record, sizeof record)) continue;
    const uint64_t members = std::max(littleEndian(record + 24, 8), littleEndian(record + 32, 8));
    if (members > ZipFile::kMaxMembers || members > size / kDirectoryEntryBytes) {
      return makeError(ErrorCode::badInput,
                       "{}: the ZIP file claims to hold {} files, and at most {} are read; unpack what you need of it",
                       path.string(), members, std::min(ZipFile::kMaxMembers, size / kDirectoryEntryBytes));
    }
  }
  return {};
}

tl::unexpected<Error> cannotOpen(const fs::path& path, int code) {
  switch (code) {
    case ZIP_ER_MULTIDISK:
      return makeError(ErrorCode::unsupported, "{}: this is one part of a split ZIP file; join the parts first",
                       path.string());
    case ZIP_ER_OPEN:
    case ZIP_ER_READ:
    case ZIP_ER_NOENT: return makeError(ErrorCode::badInput, "{}: the file cannot be read", path.string());
    case ZIP_ER_MEMORY:
      return makeError(ErrorCode::resource, "{}: there is not enough memory to open it", path.string());
    default:
      return makeError(
          ErrorCode::badInput,
          "{}: the ZIP file is cut off or damaged: there is no whole list of files at its end; copy it again "
          "from the source",
          path.string());
  }
}

std::string methodName(unsigned method) {
  switch (method) {
    case ZIP_CM_DEFLATE64: return "Deflate64";
    case ZIP_CM_BZIP2: return "bzip2";
    case ZIP_CM_LZMA: return "LZMA";
    case ZIP_CM_XZ: return "XZ";
    case 93: return "Zstandard";
    case ZIP_CM_PPMD: return "PPMd";
    default: return fmt::format("method {}", method);
  }
}

// Where the name is not declared as UTF-8 it is in whatever the machine used that packed it: the Chinese of Windows,
// else the DOS character set that the format prescribes, in which the pairs of GB2312 would be letters beside box
// drawings.
std::string readableName(zip_t* handle, uint64_t index) {
  const char* raw = zip_get_name(handle, index, ZIP_FL_ENC_RAW);
  std::string name = raw ? raw : "";
  if (!isUtf8(name)) {
    auto chinese = toUtf8("GB2312", name);
    const char* guessed = chinese ? nullptr : zip_get_name(handle, index, ZIP_FL_ENC_GUESS);
    name = chinese ? std::move(*chinese) : guessed ? guessed : "";
    if (!isUtf8(name)) name = latin1ToUtf8(name);
  }
  std::replace_if(
      name.begin(), name.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; }, '?');
  return name;
}

std::string problemOf(const zip_stat_t& status) {
  constexpr zip_uint64_t kNeeded =
      ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if ((status.valid & kNeeded) != kNeeded) return "the ZIP file does not say how it is packed; pack it again";
  if (status.encryption_method != ZIP_EM_NONE) {
    return "it is encrypted; unpack the ZIP file with its password and give the folder";
  }
  if (status.comp_method != ZIP_CM_STORE && status.comp_method != ZIP_CM_DEFLATE) {
    return fmt::format("it is packed by {}, and only deflated or stored files are read; unpack the ZIP file first",
                       methodName(status.comp_method));
  }
  const uint64_t most = status.comp_method == ZIP_CM_STORE ? status.comp_size
                        : status.comp_size > ~uint64_t{0} / kLargestDeflateRatio
                            ? ~uint64_t{0}
                            : status.comp_size * kLargestDeflateRatio;
  if (status.size > most) {
    return fmt::format("the ZIP file claims that its {} bytes unpack to {}, which cannot be; pack it again",
                       status.comp_size, status.size);
  }
  return {};
}

// @return false where the member is damaged, or not as large as it was when it was listed.
bool readMember(zip_t* handle, uint64_t index, uint64_t size, std::vector<uint8_t>& into) {
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_stat_index(handle, index, 0, &status) != 0 || status.size != size) return false;
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen_index(handle, index, 0), zip_fclose);
  if (!file) return false;
  for (size_t done = 0; done < into.size();) {
    const zip_int64_t n = zip_fread(file.get(), into.data() + done, into.size() - done);
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  // At the end libzip compares the checksum, and that there is no more.
  uint8_t beyond = 0;
  return into.size() < size || zip_fread(file.get(), &beyond, 1) == 0;
}

}  // namespace

void ZipFile::Discard::operator()(zip* handle) const { zip_discard(handle); }

ZipFile::ZipFile(fs::path path) : m_path(std::move(path)) {}
ZipFile::~ZipFile() = default;

Expected<std::shared_ptr<const ZipFile>> ZipFile::open(const fs::path& path) {
  if (auto bounded = checkClaims(path); !bounded) return passError(bounded);
  const std::shared_ptr<ZipFile> file(new ZipFile(path));
  auto handle = file->borrow();
  if (!handle) return passError(handle);
  if (static_cast<uint64_t>(zip_get_num_entries(handle->get(), 0)) > kMaxMembers) {
    return makeError(ErrorCode::badInput, "{}: the ZIP file holds more than {} files; unpack what you need of it",
                     path.string(), kMaxMembers);
  }
  file->listMembers(handle->get());
  file->m_idle.push_back(std::move(*handle));
  return file;
}

void ZipFile::listMembers(zip* handle) {
  const auto count = static_cast<uint64_t>(zip_get_num_entries(handle, 0));
  m_members.resize(count);
  for (uint64_t i = 0; i < count; ++i) {
    Member& member = m_members[i];
    member.name = readableName(handle, i);
    member.isFolder = !member.name.empty() && member.name.back() == '/';
    zip_stat_t status;
    zip_stat_init(&status);
    zip_stat_index(handle, i, 0, &status);
    member.size = status.size;
    const std::string problem = member.isFolder ? "" : problemOf(status);
    if (!problem.empty()) member.problem = fmt::format("{}/{}: {}", m_path.string(), member.name, problem);
  }
}

Expected<ZipFile::Handle> ZipFile::borrow() const {
  {
    const std::lock_guard lock(m_mutex);
    if (!m_idle.empty()) {
      Handle handle = std::move(m_idle.back());
      m_idle.pop_back();
      return handle;
    }
  }
  int code = 0;
  Handle handle(zip_open(m_path.c_str(), ZIP_RDONLY, &code));
  if (!handle) return cannotOpen(m_path, code);
  return handle;
}

Expected<ZipFile::Bytes> ZipFile::unpack(uint64_t member, uint64_t count) const {
  if (member >= m_members.size()) {
    return makeError(ErrorCode::internal, "{}: there is no member {} in the ZIP file", m_path.string(), member);
  }
  if (count <= kLargeBytes || m_members[member].size <= kLargeBytes) return unpackNow(member, count);
  const std::lock_guard lock(m_largeMutex);
  if (m_large && m_largeMember == member) return m_large;
  m_large = nullptr;
  auto bytes = unpackNow(member, m_members[member].size);
  if (!bytes) return bytes;
  m_large = *bytes;
  m_largeMember = member;
  return bytes;
}

Expected<ZipFile::Bytes> ZipFile::unpackNow(uint64_t index, uint64_t count) const {
  const Member& member = m_members[index];
  if (!member.problem.empty()) return makeError(ErrorCode::unsupported, "{}", member.problem);
  const std::string name = fmt::format("{}/{}", m_path.string(), member.name);
  count = std::min(count, member.size);
  if (auto fits = checkMemory(name, static_cast<int64_t>(count), 1); !fits) return passError(fits);
  auto handle = borrow();
  if (!handle) return passError(handle);
  std::shared_ptr<std::vector<uint8_t>> bytes;
  try {
    bytes = std::make_shared<std::vector<uint8_t>>(static_cast<size_t>(count));
  } catch (const std::bad_alloc&) {
    return makeError(ErrorCode::resource, "{}: there is not enough memory to unpack it", name);
  }
  const bool whole = readMember(handle->get(), index, member.size, *bytes);
  {
    const std::lock_guard lock(m_mutex);
    m_idle.push_back(std::move(*handle));
  }
  if (whole) return bytes;
  return makeError(ErrorCode::badInput, "{}: this part of the ZIP file is damaged; copy it again from the source",
                   name);
}

}  // namespace lynceus::io
