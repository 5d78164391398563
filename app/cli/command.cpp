#include "app/cli/command.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <string_view>

#include <unistd.h>

#include "core/version.h"

namespace lynceus::cli {
namespace {

// Ctrl+C reaches the one running command through this pointer: signal handlers have no other way in.
std::atomic<job::Context*> g_running = nullptr;

extern "C" void onInterrupt(int) {
  if (job::Context* context = g_running.load()) context->cancel();
}

std::string clockText(double seconds) {
  const long s = std::lround(seconds);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

job::Context::ProgressSink makeBar(std::string title) {
  if (!isatty(fileno(stderr))) return {};
  return [title = std::move(title), start = std::chrono::steady_clock::now()](double fraction, std::string_view what) {
    constexpr int kWidth = 30;
    const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const int filled = static_cast<int>(fraction * kWidth);
    const std::string left = fraction > 0.02 ? clockText(elapsed / fraction * (1 - fraction)) + " left" : "";
    fmt::print(stderr, "\r\033[K{} [{:#<{}}{:.<{}}] {:3.0f} % {} {}", title, "", filled, "", kWidth - filled,
               fraction * 100, left, what);
    std::fflush(stderr);
  };
}

}  // namespace

std::string versionText() {
  return fmt::format("lynceus {} (commit {}, findings schema {}, model schema {})", kVersion, kCommit,
                     kFindingsSchemaVersion, kModelSchemaVersion);
}

int exitCodeOf(const Error& error) {
  switch (error.code) {
    case ErrorCode::wrongUse: return kExitWrongUse;
    case ErrorCode::badInput:
    case ErrorCode::badGeometry:
    case ErrorCode::unsupported: return kExitRejected;
    case ErrorCode::resource: return kExitResource;
    case ErrorCode::cancelled: return kExitPartial;
    case ErrorCode::internal: break;
  }
  return kExitInternal;
}

int reportError(const Error& error) {
  fmt::print(stderr, "lynceus: {}\n", error.message);
  return exitCodeOf(error);
}

TerminalContext::TerminalContext(std::string title) : job::Context(makeBar(std::move(title))) {
  g_running = this;
  std::signal(SIGINT, onInterrupt);
}

TerminalContext::~TerminalContext() {
  std::signal(SIGINT, SIG_DFL);
  g_running = nullptr;
  clear();
}

void TerminalContext::clear() const {
  if (isatty(fileno(stderr))) fmt::print(stderr, "\r\033[K");
}

}  // namespace lynceus::cli
