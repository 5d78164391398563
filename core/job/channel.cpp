#include "core/job/channel.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

namespace lynceus::job {
namespace {

constexpr const char* kFileCount = "files";  // member of a message that descriptors come with

/// Room for the descriptors of one message, aligned as the system wants it.
union Control {
  cmsghdr header;
  std::array<char, CMSG_SPACE(Channel::kMostFiles * sizeof(int))> bytes;
};

tl::unexpected<Error> gone() { return makeError(ErrorCode::resource, "the other side has closed the connection"); }

}  // namespace

Expected<std::pair<FileDescriptor, FileDescriptor>> Channel::open() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return makeError(ErrorCode::resource, "the system gives no connection to a worker ({}); close other programs",
                     std::strerror(errno));
  }
  return std::pair{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

Expected<void> Channel::send(const nlohmann::json& body, std::span<const int> files) {
  nlohmann::json whole = body;
  if (!files.empty()) whole[kFileCount] = files.size();
  const std::string line = whole.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (line.size() > kLongestLine || files.size() > kMostFiles) {
    return makeError(ErrorCode::internal, "a message of {} bytes and {} files is too large", line.size(), files.size());
  }
  const std::lock_guard lock(m_sending);
  Control control = {};
  for (size_t sent = 0; sent < line.size();) {
    iovec bytes{const_cast<char*>(line.data()) + sent, line.size() - sent};
    msghdr message = {};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (sent == 0 && !files.empty()) {  // descriptors travel with the first byte
      message.msg_control = control.bytes.data();
      message.msg_controllen = CMSG_SPACE(files.size_bytes());
      cmsghdr* const header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(files.size_bytes());
      std::memcpy(CMSG_DATA(header), files.data(), files.size_bytes());
    }
    const ssize_t n = sendmsg(m_socket.get(), &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return gone();
    sent += static_cast<size_t>(n);
  }
  return {};
}

Expected<bool> Channel::readMore(std::chrono::milliseconds timeout) {
  pollfd waiting{m_socket.get(), POLLIN, 0};
  const int ready = poll(&waiting, 1, static_cast<int>(timeout.count()));
  if (ready == 0 || (ready < 0 && errno == EINTR)) return false;
  std::array<char, 65536> buffer;
  iovec bytes{buffer.data(), buffer.size()};
  Control control = {};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  const ssize_t n = recvmsg(m_socket.get(), &message, MSG_CMSG_CLOEXEC);
  if (n < 0 && errno == EINTR) return false;
  if (n <= 0) return gone();
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; at + sizeof(int) <= h->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(h) + at, sizeof fd);
      m_files.emplace_back(fd);
    }
  }
  m_bytes.append(buffer.data(), static_cast<size_t>(n));
  // What nobody waits for would fill this process's table of files.
  if (m_files.size() > 4 * kMostFiles) return makeError(ErrorCode::badInput, "files came without messages");
  return true;
}

Expected<Message> Channel::parse(const std::string& line) {
  Message message;
  message.body = nlohmann::json::parse(line, nullptr, false);
  if (!message.body.is_object()) return makeError(ErrorCode::badInput, "what came from the other side is no message");
  const auto count = message.body.find(kFileCount);
  if (count == message.body.end()) return message;
  if (!count->is_number_unsigned() || count->get<uint64_t>() > m_files.size()) {
    return makeError(ErrorCode::badInput, "a message of the other side came without its files");
  }
  for (uint64_t n = count->get<uint64_t>(); n > 0; --n) {
    message.files.push_back(std::move(m_files.front()));
    m_files.pop_front();
  }
  return message;
}

Expected<std::optional<Message>> Channel::receive(std::chrono::milliseconds timeout) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + timeout;
  for (;;) {
    const size_t newline = m_bytes.find('\n', m_searched);
    if (newline != std::string::npos) {
      const std::string line = m_bytes.substr(0, newline);
      m_bytes.erase(0, newline + 1);
      m_searched = 0;
      auto message = parse(line);
      if (!message) return passError(message);
      return std::optional(std::move(*message));
    }
    m_searched = m_bytes.size();
    if (m_searched > kLongestLine) return makeError(ErrorCode::badInput, "a message of the other side never ends");
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    const auto more = readMore(std::max(left, std::chrono::milliseconds(0)));
    if (!more) return passError(more);
    if (!*more && Clock::now() >= end) return std::optional<Message>();
  }
}

}  // namespace lynceus::job
