#include "app/worker/session.h"

#include <condition_variable>
#include <csignal>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include "core/version.h"

namespace lynceus::worker {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kSignInterval{100};  // between signs of life, and looks at whether to send one

/// A job that came, and how far it is.
struct Running {
  uint64_t id = 0;
  job::Message message;
  std::unique_ptr<job::Context> context;
  std::mutex mutex;  // of what follows
  double fraction = 0;
  std::string stage;
  uint64_t reports = 0;  // calls of progress()
};

/// Reads on a thread of its own, so that a cancel or the end of the program is heard whatever the main thread does.
class Session {
 public:
  explicit Session(FileDescriptor socket) : m_channel(std::move(socket)) {}

  void listen() {
    uint64_t signsSent = 0;
    for (;;) {
      auto message = m_channel.receive(kSignInterval);
      if (!message) leave();
      if (*message) take(std::move(**message));
      sendSign(signsSent);
    }
  }

  void work(const Handler& handler) {
    for (;;) {
      const std::shared_ptr<Running> job = next();
      Job mine{std::move(job->message.body["work"]), std::move(job->message.files), *job->context,
               [this, id = job->id](const std::string& line) {
                 static_cast<void>(m_channel.send({{"type", "log"}, {"job", id}, {"text", line}}));
               }};
      const auto answer = guarded(handler, mine);
      json body = {{"type", answer ? "done" : "failed"}, {"job", job->id}};
      std::vector<int> files;
      if (answer) {
        body["answer"] = answer->body;
        for (const FileDescriptor& file : answer->files) files.push_back(file.get());
      } else {
        body["code"] = static_cast<int>(answer.error().code);
        body["message"] = answer.error().message;
      }
      {
        const std::lock_guard lock(m_mutex);
        m_running.reset();  // no sign of life after the answer
      }
      if (auto sent = m_channel.send(body, files); !sent || mine.last) leave();
      malloc_trim(0);  // what the job freed goes back to the system while this process waits
    }
  }

  Expected<void> greet(const std::string& mode) {
    return m_channel.send(
        {{"type", "hello"}, {"protocol", job::kProtocolVersion}, {"version", kVersion}, {"mode", mode}});
  }

 private:
  /// The program is gone: so is this process, with whatever it started. Not by exit(): a hung job would block it.
  [[noreturn]] static void leave() {
    if (getpgrp() == getpid()) kill(0, SIGKILL);
    _exit(0);
  }

  void take(job::Message message) {
    const std::string type = message.body.value("type", "");
    const auto id = message.body.value("job", uint64_t{0});
    const std::lock_guard lock(m_mutex);
    if (type == "cancel" && m_running && m_running->id == id) m_running->context->cancel();
    if (type != "start") return;
    auto job = std::make_shared<Running>();
    job->id = id;
    job->message = std::move(message);
    job->context = std::make_unique<job::Context>([raw = job.get()](double fraction, std::string_view what) {
      const std::lock_guard change(raw->mutex);
      raw->fraction = fraction;
      raw->stage = what;
      ++raw->reports;
    });
    m_waiting.push_back(std::move(job));
    m_changed.notify_one();
  }

  std::shared_ptr<Running> next() {
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [&] { return !m_waiting.empty(); });
    m_running = m_waiting.front();
    m_waiting.pop_front();
    return m_running;
  }

  /// Only where the job has done something since the last one: a job that hangs falls silent.
  void sendSign(uint64_t& signsSent) {
    const std::lock_guard lock(m_mutex);
    if (!m_running) return;
    const std::lock_guard change(m_running->mutex);
    const uint64_t signs = m_running->context->polls() + m_running->reports;
    if (signs == std::exchange(signsSent, signs)) return;
    static_cast<void>(m_channel.send(
        {{"type", "alive"}, {"job", m_running->id}, {"fraction", m_running->fraction}, {"stage", m_running->stage}}));
  }

  static Expected<job::Message> guarded(const Handler& handler, Job& job) {
    try {
      return handler(job);
    } catch (const std::bad_alloc&) {
      return makeError(ErrorCode::resource, "there is not enough memory for this");
    } catch (const std::exception& e) {
      return makeError(ErrorCode::internal, "this is a bug of Lynceus, please report it: {}", e.what());
    }
  }

  job::Channel m_channel;
  std::mutex m_mutex;  // of what follows
  std::condition_variable m_changed;
  std::deque<std::shared_ptr<Running>> m_waiting;
  std::shared_ptr<Running> m_running;
};

}  // namespace

int serve(FileDescriptor socket, const std::string& mode, const Handler& handler) {
  fcntl(socket.get(), F_SETFD, FD_CLOEXEC);  // nothing that a plugin starts holds the connection open
  Session session(std::move(socket));
  if (const auto greeted = session.greet(mode); !greeted) {
    fmt::print(stderr, "lynceus-worker: {}\n", greeted.error().message);
    return 5;
  }
  std::thread(&Session::listen, &session).detach();  // ends with the process
  session.work(handler);
  return 0;
}

}  // namespace lynceus::worker
