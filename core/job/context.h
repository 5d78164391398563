// What a long piece of work gets from whoever runs it: a place to report progress and a way to be stopped.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

namespace lynceus::job {

/// Owned by the caller and shared with the work by reference. cancel() may be called from any thread.
class Context {
 public:
  using ProgressSink = std::function<void(double fraction, std::string_view what)>;

  Context() = default;
  /// @param sink  called on the working thread with fraction in 0..1 and a short phrase; must return quickly.
  /// @param parent  cancelling it cancels this one too; must outlive it.
  explicit Context(ProgressSink sink, const Context* parent = nullptr) : m_sink(std::move(sink)), m_parent(parent) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void progress(double fraction, std::string_view what) const {
    if (m_sink) m_sink(fraction, what);
  }
  void cancel() { m_cancelled = true; }
  /// Work polls this at least every 100 ms and returns ErrorCode::cancelled when it is true.
  bool cancelled() const {
    m_polls.fetch_add(1, std::memory_order_relaxed);
    return m_cancelled || (m_parent && m_parent->cancelled());
  }
  /// How often work has asked, this context's parts included: while the number grows, the work is alive. Any thread.
  uint64_t polls() const { return m_polls.load(std::memory_order_relaxed); }

  /// For a step of the work: its 0..1 becomes from..to of this one.
  Context part(double from, double to) const {
    return Context([this, from, to](double f, std::string_view what) { progress(from + (to - from) * f, what); }, this);
  }

 private:
  ProgressSink m_sink;
  const Context* m_parent = nullptr;
  std::atomic<bool> m_cancelled = false;
  mutable std::atomic<uint64_t> m_polls = 0;
};

}  // namespace lynceus::job
