// How a program and its worker talk: JSON objects, one a line, over a socketpair, with file descriptors beside them.
#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file_descriptor.h"

namespace lynceus::job {

/// Of the messages; a program and a worker of different versions do not work together.
inline constexpr int kProtocolVersion = 1;

struct Message {
  nlohmann::json body;                ///< an object
  std::vector<FileDescriptor> files;  ///< what came beside it
};

/// One end. Any thread may send; one thread receives.
class Channel {
 public:
  static constexpr size_t kLongestLine = size_t{256} << 20;
  static constexpr size_t kMostFiles = 8;  ///< of one message

  explicit Channel(FileDescriptor socket) : m_socket(std::move(socket)) {}

  /// Two ends that are joined; both close on exec.
  static Expected<std::pair<FileDescriptor, FileDescriptor>> open();

  /// Blocks while the other side does not read. The descriptors stay the caller's.
  /// @return ErrorCode::resource where the other side is gone.
  Expected<void> send(const nlohmann::json& body, std::span<const int> files = {});

  /// The next message; empty where none came in time.
  /// @return ErrorCode::resource where the other side is gone, ErrorCode::badInput for what is no message.
  Expected<std::optional<Message>> receive(std::chrono::milliseconds timeout);

 private:
  Expected<bool> readMore(std::chrono::milliseconds timeout);  // false: nothing came
  Expected<Message> parse(const std::string& line);

  FileDescriptor m_socket;
  std::mutex m_sending;
  std::string m_bytes;    // received, not yet parsed
  size_t m_searched = 0;  // of m_bytes: no line ends there
  std::deque<FileDescriptor> m_files;
};

}  // namespace lynceus::job
