#include "core/job/engine.h"

#include <algorithm>
#include <utility>

#include <unistd.h>

namespace lynceus::job {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kGlance{50};           // how often a running job is looked at
constexpr milliseconds kPolite{300};          // from asking a job to stop to ending its worker
constexpr milliseconds kMemoryInterval{200};  // between looks at the memory
constexpr double kJudgeFrom = 0.02;           // fraction from which the time left is more than a guess

size_t mostBytesOf(const EngineOptions& options) {
  if (options.mostBytes > 0) return options.mostBytes;
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 5 * 4;
}

double secondsSince(Clock::time_point then) { return std::chrono::duration<double>(Clock::now() - then).count(); }

std::optional<double> secondsLeft(double fraction, Clock::time_point start) {
  if (fraction < kJudgeFrom) return std::nullopt;
  return secondsSince(start) / fraction * (1 - fraction);
}

/// The error that a worker reports; a code that this version does not know is a bug of somebody.
Error errorOf(const json& message) {
  constexpr auto kLast = static_cast<int>(ErrorCode::internal);
  const int code = message.value("code", kLast);
  return {static_cast<ErrorCode>(code < 0 || code > kLast ? kLast : code),
          message.value("message", "no reason was given")};
}

std::string tooMuchMemory(size_t held, size_t most, const std::string& where) {
  constexpr double kGiB = 1 << 30;
  return fmt::format(
      "the worker that did it held {:.1f} GiB of memory {}, more than the {:.1f} GiB that it may have, and was ended",
      static_cast<double>(held) / kGiB, where, static_cast<double>(most) / kGiB);
}

}  // namespace

struct Engine::Job {
  JobId id = 0;
  Work work;
  Observer observer;
  Progress progress;  // guarded by the engine's mutex
  bool cancel = false;
  std::optional<Expected<Message>> outcome;
  // Of the running attempt, and of its keeper's thread alone.
  Clock::time_point start, lastSign;
  bool crashed = false;
};

struct Engine::Keeper {
  std::string mode, device;
  bool idle = true;
  std::optional<WorkerProcess> worker;
  std::thread thread;
};

Engine::Engine(EngineOptions options, LogSink log) : m_options(std::move(options)), m_log(std::move(log)) {}

Engine::~Engine() {
  {
    const std::lock_guard lock(m_mutex);
    m_ending = true;
    for (const auto& [id, job] : m_jobs) job->cancel = true;
  }
  m_changed.notify_all();
  for (const auto& keeper : m_keepers) keeper->thread.join();
}

Engine::JobId Engine::submit(Work work, Observer observer) {
  const auto job = std::make_shared<Job>();
  job->work = std::move(work);
  job->observer = std::move(observer);
  const std::lock_guard lock(m_mutex);
  job->id = ++m_last;
  m_jobs[job->id] = job;
  const Work& given = job->work;
  const auto same = [&](const auto& other) { return other.mode == given.mode && other.device == given.device; };
  int able = 0, idle = 0, waiting = 0;
  for (const auto& keeper : m_keepers) {
    able += same(*keeper);
    idle += same(*keeper) && keeper->idle;
  }
  for (const auto& [id, other] : m_jobs) waiting += other->progress.state == State::queued && same(other->work);
  if (waiting > idle && able < std::max(1, m_options.workersPerMode)) {
    Keeper& keeper = *m_keepers.emplace_back(std::make_unique<Keeper>());
    keeper.mode = given.mode;
    keeper.device = given.device;
    keeper.thread = std::thread([this, &keeper] { keep(keeper); });
  }
  m_changed.notify_all();
  return job->id;
}

void Engine::cancel(JobId id) {
  const std::lock_guard lock(m_mutex);
  if (const auto job = m_jobs.find(id); job != m_jobs.end()) job->second->cancel = true;
  m_changed.notify_all();
}

Progress Engine::progress(JobId id) const {
  const std::lock_guard lock(m_mutex);
  const auto job = m_jobs.find(id);
  return job == m_jobs.end() ? Progress() : job->second->progress;
}

Expected<Message> Engine::wait(JobId id) {
  std::unique_lock lock(m_mutex);
  const auto found = m_jobs.find(id);
  if (found == m_jobs.end()) return makeError(ErrorCode::internal, "there is no job {}", id);
  const std::shared_ptr<Job> job = found->second;
  m_changed.wait(lock, [&] { return job->outcome.has_value(); });
  m_jobs.erase(id);
  return std::move(*job->outcome);
}

Expected<Message> Engine::run(Work work, const Context& context) {
  const JobId id = submit(std::move(work));
  const std::shared_ptr<Job> job = [&] {
    const std::lock_guard lock(m_mutex);
    return m_jobs.at(id);
  }();
  for (;;) {
    if (context.cancelled()) cancel(id);
    Progress now;
    {
      std::unique_lock lock(m_mutex);
      if (m_changed.wait_for(lock, kGlance, [&] { return job->outcome.has_value(); })) break;
      now = job->progress;
    }
    if (now.state == State::running && !now.stage.empty()) context.progress(now.fraction, now.stage);
  }
  return wait(id);
}

/// The thread of one worker. The worker starts with its first job and stays, warm, for the next ones.
void Engine::keep(Keeper& keeper) {
  while (const std::shared_ptr<Job> job = next(keeper)) {
    attempt(keeper, *job);
    const std::lock_guard lock(m_mutex);
    keeper.idle = true;
  }
}

/// The most urgent queued job for a worker, or one that was cancelled before it began; none when the engine ends.
std::shared_ptr<Engine::Job> Engine::next(Keeper& keeper) {
  std::unique_lock lock(m_mutex);
  for (;;) {
    std::shared_ptr<Job> best;
    for (const auto& [id, job] : m_jobs) {
      if (job->progress.state != State::queued) continue;
      if (job->work.mode != keeper.mode || job->work.device != keeper.device) continue;
      if (!best || (job->cancel && !best->cancel) ||
          (job->cancel == best->cancel && job->work.priority > best->work.priority)) {
        best = job;
      }
    }
    if (best) {
      best->progress.state = State::running;
      keeper.idle = false;
      return best;
    }
    if (m_ending) return nullptr;
    m_changed.wait(lock);
  }
}

/// Gives the job to a worker, and once more to a fresh one where the first crashed.
void Engine::attempt(Keeper& keeper, Job& job) {
  constexpr int kMostAttempts = 2;
  std::string first;  // why the first attempt failed
  for (int n = 1;; ++n) {
    job.crashed = false;
    Progress begun;
    begun.state = State::running;
    begun.attempts = n;
    setProgress(job, begun);
    auto outcome = attendAny(keeper, job);
    if (!outcome && job.crashed) {
      if (n < kMostAttempts) {
        first = outcome.error().message;
        continue;
      }
      outcome = makeError(outcome.error().code, "{} (tried twice)", outcome.error().message);
    }
    if (outcome && n > 1 && m_log) m_log(first + "; another worker did it");
    const bool cancelled = !outcome && outcome.error().code == ErrorCode::cancelled;
    const State state = outcome ? State::done : cancelled ? State::cancelled : State::failed;
    return finish(job, state, std::move(outcome));
  }
}

/// attend(), whatever the worker sends: a plugin in it may write into the connection.
Expected<Message> Engine::attendAny(Keeper& keeper, Job& job) {
  try {
    return attend(keeper, job);
  } catch (const json::exception& e) {
    keeper.worker.reset();
    return makeError(ErrorCode::internal, "the worker that did it was ended: what it sent is no message ({})",
                     e.what());
  }
}

/// One attempt from sending the work to its reply, or to the end of the worker.
Expected<Message> Engine::attend(Keeper& keeper, Job& job) {
  const auto cancelled = [&] {
    const std::lock_guard lock(m_mutex);
    return job.cancel;
  };
  if (cancelled()) return makeError(ErrorCode::cancelled, "stopped before it began");
  // One that ended while it had nothing to do is no attempt.
  if (keeper.worker && !keeper.worker->channel().receive(milliseconds(0))) keeper.worker.reset();
  if (!keeper.worker) {
    auto started = WorkerProcess::start(m_options.program, keeper.mode, m_options.threadsPerWorker);
    job.crashed = !started && started.error().code == ErrorCode::internal;
    if (!started) return passError(started);
    keeper.worker.emplace(std::move(*started));
  }
  const auto lose = [&](ErrorCode code, const std::string& why) -> Expected<Message> {
    keeper.worker->end();
    keeper.worker.reset();
    return tl::make_unexpected(Error{code, why});
  };
  const auto where = [&] {
    const std::lock_guard lock(m_mutex);
    return job.progress.stage.empty() ? std::string("before its first stage")
                                      : fmt::format("in the stage '{}'", job.progress.stage);
  };
  const auto crash = [&]() -> Expected<Message> {
    job.crashed = true;
    const std::string how = keeper.worker->end().how;
    keeper.worker.reset();
    const bool killed = how.find("signal 9") != std::string::npos;
    return makeError(ErrorCode::internal, "the worker that did it {} {}{}", how, where(),
                     killed ? ", mostly because memory ran out" : "");
  };

  job.start = job.lastSign = Clock::now();
  std::vector<int> files;
  for (const auto& file : job.work.files) files.push_back(file->get());
  Channel& channel = keeper.worker->channel();
  if (!channel.send({{"type", "start"}, {"job", job.id}, {"work", job.work.body}}, files)) return crash();
  std::optional<Clock::time_point> asked;
  Clock::time_point nextMemory = job.start;
  for (;;) {
    if (Clock::now() >= nextMemory) {
      nextMemory = Clock::now() + kMemoryInterval;
      if (const size_t held = keeper.worker->residentBytes(); held > mostBytesOf(m_options)) {
        return lose(ErrorCode::resource, tooMuchMemory(held, mostBytesOf(m_options), where()));
      }
    }
    auto message = channel.receive(kGlance);
    if (!message && message.error().code == ErrorCode::badInput) {
      return lose(ErrorCode::internal, fmt::format("the worker that did it was ended: {}", message.error().message));
    }
    if (!message) return asked ? lose(ErrorCode::cancelled, "stopped") : crash();
    if (*message && (*message)->body.value("job", JobId{0}) == job.id) {
      job.lastSign = Clock::now();
      const std::string type = (*message)->body.value("type", "");
      if (type == "done") return std::move(**message);
      if (type == "failed") return tl::make_unexpected(errorOf((*message)->body));
      listen(job, (*message)->body);
    }
    if (!asked && cancelled()) {
      asked = Clock::now();
      static_cast<void>(channel.send({{"type", "cancel"}, {"job", job.id}}));
    }
    if (asked && Clock::now() - *asked > kPolite) return lose(ErrorCode::cancelled, "stopped");
    if (Clock::now() - job.lastSign > m_options.silence) {
      return lose(ErrorCode::internal,
                  fmt::format("the worker that did it gave no sign of life for {:.0f} s {} and was ended",
                              secondsSince(job.lastSign), where()));
    }
  }
}

/// Progress and log lines of the running job.
void Engine::listen(Job& job, const json& message) {
  const std::string type = message.value("type", "");
  if (type == "log" && m_log) m_log(message.value("text", ""));
  if (type != "alive") return;
  Progress progress;
  {
    const std::lock_guard lock(m_mutex);
    progress = job.progress;
  }
  progress.fraction = std::clamp(message.value("fraction", 0.0), 0.0, 1.0);
  progress.stage = message.value("stage", "");
  progress.secondsLeft = secondsLeft(progress.fraction, job.start);
  setProgress(job, progress);
}

void Engine::setProgress(Job& job, const Progress& progress) {
  {
    const std::lock_guard lock(m_mutex);
    job.progress = progress;
  }
  if (job.observer) job.observer(progress);
}

void Engine::finish(Job& job, State state, Expected<Message> outcome) {
  Progress progress;
  {
    const std::lock_guard lock(m_mutex);
    progress = job.progress;
  }
  progress.state = state;
  progress.secondsLeft.reset();
  setProgress(job, progress);  // before wait() returns
  const std::lock_guard lock(m_mutex);
  job.outcome = std::move(outcome);
  m_changed.notify_all();
}

}  // namespace lynceus::job
