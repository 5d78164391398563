#include "app/cli/command.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <string_view>

#include <omp.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

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

Expected<compute::Precision> parsePrecision(const std::string& word) {
  if (word == "fp32" || word == "int8") return compute::Precision::fp32;
  if (word == "bf16") return compute::Precision::bf16;
  if (word == "fp16")
    return makeError(ErrorCode::wrongUse,
                     "--precision fp16: processors have no fast half-precision convolution: use bf16, which is as "
                     "small, or fp32 (networks with fp16 weights run in either)");
  return makeError(ErrorCode::wrongUse, "--precision {}: use fp32, bf16 or int8", word);
}

Expected<void> checkPrecision(const std::string& word, const nn::Graph& graph) {
  if (word != "int8" || nn::isQuantized(graph)) return {};
  return makeError(ErrorCode::wrongUse,
                   "--precision int8: this network holds no 8-bit numbers: make one that does with `lynceus quantize`");
}

void addThreadsOption(CLI::App& command) {
  command
      .add_option_function<int>(
          "--threads", [](int threads) { omp_set_num_threads(threads); },
          "threads to compute with; default: OMP_NUM_THREADS, else one for each core that this "
          "process may use")
      ->check(CLI::Range(1, 1024));
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
