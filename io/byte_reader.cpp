#include "io/byte_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "io/zip_file.h"

namespace lynceus::io {
namespace {

constexpr size_t kFirstWindowBytes = 16 << 10;  // most headers
constexpr size_t kWindowBytes = 64 << 10;

// As many bytes as there are; fewer at the end of the file or where it cannot be read.
size_t readFully(int file, uint64_t offset, uint8_t* into, size_t count) {
  size_t done = 0;
  while (done < count) {
    const ssize_t n = pread(file, into + done, count - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

}  // namespace

Expected<ByteReader> ByteReader::open(const Location& location) {
  ByteReader reader;
  reader.m_name = location.path.string();
  if (location.zip) {
    const ZipFile::Member& member = location.zip->members().at(location.member);
    if (!member.problem.empty()) return makeError(ErrorCode::unsupported, "{}", member.problem);
    reader.m_size = member.size;
    reader.m_member = location;
    auto beginning = location.zip->unpack(location.member, kFirstWindowBytes);
    if (!beginning) return passError(beginning);
    reader.m_unpacked = std::move(*beginning);
    return reader;
  }
  // Opening a pipe would wait for a writer.
  reader.m_file = ::open(location.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  if (reader.m_file < 0 || fstat(reader.m_file, &status) != 0) {
    return makeError(ErrorCode::badInput, "{}: the file cannot be read: {}", reader.m_name, std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return makeError(ErrorCode::badInput, "{}: this is not a regular file", reader.m_name);
  }
  reader.m_size = static_cast<uint64_t>(status.st_size);
  reader.m_timeNs = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  return reader;
}

ByteReader ByteReader::ofMemory(std::vector<uint8_t> bytes, std::string name) {
  ByteReader reader;
  reader.m_name = std::move(name);
  reader.m_size = bytes.size();
  reader.m_window = std::move(bytes);
  return reader;
}

ByteReader::ByteReader(ByteReader&& other) noexcept { *this = std::move(other); }

ByteReader& ByteReader::operator=(ByteReader&& other) noexcept {
  std::swap(m_file, other.m_file);
  std::swap(m_name, other.m_name);
  std::swap(m_size, other.m_size);
  std::swap(m_timeNs, other.m_timeNs);
  std::swap(m_windowOffset, other.m_windowOffset);
  std::swap(m_window, other.m_window);
  std::swap(m_member, other.m_member);
  std::swap(m_unpacked, other.m_unpacked);
  return *this;
}

ByteReader::~ByteReader() {
  if (m_file >= 0) close(m_file);
}

// A packed stream can only be read from its start, so each time much more of it is: at most a third is unpacked twice.
bool ByteReader::unpackMember(uint64_t upTo) {
  const uint64_t have = m_unpacked->size();
  if (upTo <= have) return true;
  auto bytes = m_member.zip->unpack(m_member.member, std::max(upTo, 4 * have));
  if (!bytes) return false;
  m_unpacked = std::move(*bytes);
  return upTo <= m_unpacked->size();
}

std::span<const uint8_t> ByteReader::view(uint64_t offset, size_t count) {
  if (offset >= m_size) return {};
  count = static_cast<size_t>(std::min<uint64_t>(count, m_size - offset));
  if (m_member.zip) {
    if (!unpackMember(offset + count)) return {};
    return std::span(*m_unpacked).subspan(static_cast<size_t>(offset), count);
  }
  const bool there = offset >= m_windowOffset && offset + count <= m_windowOffset + m_window.size();
  if (!there && m_file >= 0) {
    const size_t size = m_window.empty() ? kFirstWindowBytes : kWindowBytes;
    m_window.resize(std::max(size, count));
    m_window.resize(readFully(m_file, offset, m_window.data(), m_window.size()));
    m_windowOffset = offset;
  }
  if (offset < m_windowOffset || offset >= m_windowOffset + m_window.size()) return {};
  const auto from = static_cast<size_t>(offset - m_windowOffset);
  return std::span<const uint8_t>(m_window).subspan(from, std::min(count, m_window.size() - from));
}

bool ByteReader::read(uint64_t offset, std::span<uint8_t> into) {
  if (offset > m_size || into.size() > m_size - offset) return false;
  if (m_file >= 0) return readFully(m_file, offset, into.data(), into.size()) == into.size();
  if (m_member.zip) {
    if (!unpackMember(offset + into.size())) return false;
    std::copy_n(m_unpacked->begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return true;
  }
  if (offset + into.size() > m_window.size()) return false;
  std::copy_n(m_window.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
  return true;
}

Expected<ByteReader> ByteReader::inflate(uint64_t offset, uint64_t maxBytes) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
    return makeError(ErrorCode::resource, "{}: there is not enough memory to unpack it", m_name);
  }
  std::vector<uint8_t> out;
  int state = Z_OK;
  while (state == Z_OK && out.size() < maxBytes) {
    const auto in = view(offset, kWindowBytes);
    if (in.empty()) break;
    stream.next_in = const_cast<Bytef*>(in.data());  // zlib does not write there
    stream.avail_in = static_cast<uInt>(in.size());
    while (state == Z_OK && out.size() < maxBytes && (stream.avail_in > 0 || stream.avail_out == 0)) {
      const size_t from = out.size();
      out.resize(static_cast<size_t>(std::min<uint64_t>(maxBytes, from + std::max(from / 2, kWindowBytes))));
      stream.next_out = out.data() + from;
      stream.avail_out = static_cast<uInt>(out.size() - from);
      state = ::inflate(&stream, Z_NO_FLUSH);
      if (state == Z_BUF_ERROR) state = Z_OK;  // it wants more of either
      out.resize(out.size() - stream.avail_out);
    }
    offset += in.size() - stream.avail_in;
  }
  inflateEnd(&stream);
  if (state != Z_OK && state != Z_STREAM_END) {
    return makeError(ErrorCode::badInput, "{}: its deflated part is damaged; copy it again from the source", m_name);
  }
  return ofMemory(std::move(out), m_name);
}

}  // namespace lynceus::io
