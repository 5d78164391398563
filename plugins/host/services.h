// What a plugin may ask of the host during one job: the functions behind lynceus_host.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <lynceus/plugin.h>

#include "core/detect/finding.h"
#include "core/job/context.h"
#include "plugins/host/job_memory.h"
#include "plugins/host/networks.h"

namespace lynceus::plugins {

/// Takes one line, printable and at most some 500 bytes long. Any thread, one at a time; must return quickly.
using LogSink = std::function<void(lynceus_log_level level, std::string_view line)>;

struct Limits {
  size_t memoryBytes = size_t{4} << 30;  ///< from allocate() at the same time
  size_t logLines = 200;                 ///< one more says that the others were dropped
  size_t findings = 1000;
};

/// What the program that runs a plugin gives it.
struct Resources {
  std::shared_ptr<compute::Device> device;
  LogSink log = {};
  Limits limits = {};
};

/// Whom the services serve.
struct Job {
  std::filesystem::path folder;  ///< of the plugin
  image::Geometry geometry;      ///< of the volume
  std::vector<std::string> kinds;
  compute::Precision precision = compute::Precision::fp32;
};

/// Made on the thread that runs the job. No call of the plugin can do harm here: what it must not do is refused, and
/// the log says why.
class Services {
 public:
  /// The context outlives end().
  Services(Job job, const Resources& resources, const job::Context& context);
  ~Services() = default;
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  const lynceus_host& table() const { return m_table; }
  /// Of the plugin, in the order of the reports.
  const std::vector<detect::Finding>& findings() const { return m_findings; }
  /// Why the first report was refused; empty: none was.
  const std::string& refusal() const { return m_refusal; }
  /// The last line that the plugin or, if it said nothing, the host logged; empty: none.
  std::string reason() const;
  size_t usedBytes() const { return m_memory.usedBytes(); }
  /// Ends the job: from now on every call is refused in silence.
  void end();
  /// Releases what the plugin allocated and did not release.
  void releaseMemory() { m_memory.releaseAll(); }

 private:
  void log(lynceus_log_level level, const char* text);
  void note(const std::string& line);  ///< of the host
  void write(lynceus_log_level level, const std::string& line);
  void progress(double fraction, const char* stage);
  bool cancelled();
  lynceus_status report(const lynceus_finding* finding);
  Expected<detect::Finding> readFinding(const lynceus_finding* finding) const;
  lynceus_status openNetwork(const char* file, lynceus_network** network);
  lynceus_status runNetwork(const lynceus_network* network, const lynceus_tensor* inputs, uint32_t count,
                            const lynceus_tensor** outputs, uint32_t* outputCount);
  lynceus_status fail(const char* function, const Error& error);
  bool onWorker(const char* function);
  /// Calls body(services) for a context that is ours; what is thrown stays here.
  template <class Result, class Body>
  static Result serve(void* context, Result otherwise, const Body& body) noexcept;
  void fillTable();

  Job m_job;
  LogSink m_sink;
  Limits m_limits;
  std::mutex m_contextMutex;
  const job::Context* m_context;  ///< nullptr once the job has ended
  std::thread::id m_worker = std::this_thread::get_id();
  std::atomic<bool> m_ended = false;
  JobMemory m_memory;
  Networks m_networks;
  lynceus_host m_table{};
  std::vector<detect::Finding> m_findings;
  std::string m_refusal;
  std::chrono::steady_clock::time_point m_lastProgress{};
  mutable std::mutex m_logMutex;
  size_t m_lines = 0;
  std::string m_lastOfPlugin, m_lastOfHost;
};

}  // namespace lynceus::plugins
