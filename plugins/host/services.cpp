#include "plugins/host/services.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "core/version.h"
#include "plugins/host/foreign_struct.h"
#include "plugins/host/text.h"

namespace lynceus::plugins {
namespace {

constexpr double kMarginMm = 10;            ///< a centre may lie so far outside the volume
constexpr double kLargestDiameterMm = 500;  ///< wider than a chest
constexpr auto kProgressPause = std::chrono::milliseconds(50);

/// In the box of the volume with its margin.
bool isNear(const image::Geometry& g, const image::Point3& centerMm) {
  const image::Vec3 index = g.toIndex(centerMm);
  const auto within = [](double i, int size, double spacingMm) {
    return i * spacingMm >= -0.5 * spacingMm - kMarginMm && (i - size + 0.5) * spacingMm <= kMarginMm;
  };
  return within(index.x, g.size.x, g.spacingMm.x) && within(index.y, g.size.y, g.spacingMm.y) &&
         within(index.z, g.size.z, g.spacingMm.z);
}

lynceus_status statusOf(ErrorCode code) {
  return code == ErrorCode::cancelled  ? LYNCEUS_CANCELLED
         : code == ErrorCode::resource ? LYNCEUS_NO_RESOURCE
                                       : LYNCEUS_FAILED;
}

}  // namespace

Services::Services(Job job, const Resources& resources, const job::Context& context)
    : m_job(std::move(job)),
      m_sink(resources.log),
      m_limits(resources.limits),
      m_context(&context),
      m_memory(resources.limits.memoryBytes),
      m_networks(m_job.folder, resources.device, m_job.precision) {
  fillTable();
}

std::string Services::reason() const {
  const std::lock_guard lock(m_logMutex);
  return m_lastOfPlugin.empty() ? m_lastOfHost : m_lastOfPlugin;
}

void Services::end() {
  m_ended = true;
  const std::scoped_lock lock(m_logMutex, m_contextMutex);
  m_sink = nullptr;
  m_context = nullptr;
}

void Services::write(lynceus_log_level level, const std::string& line) {
  if (!m_sink || m_lines > m_limits.logLines) return;
  if (++m_lines > m_limits.logLines)
    m_sink(LYNCEUS_LOG_WARNING,
           fmt::format("the plugin wrote more than {} lines: the rest is dropped", m_limits.logLines));
  else
    m_sink(level, line);
}

void Services::log(lynceus_log_level level, const char* text) {
  const std::string line = logLine(text);
  const std::lock_guard lock(m_logMutex);
  m_lastOfPlugin = line;
  write(level < LYNCEUS_LOG_DEBUG || level > LYNCEUS_LOG_ERROR ? LYNCEUS_LOG_ERROR : level, line);
}

void Services::note(const std::string& line) {
  const std::lock_guard lock(m_logMutex);
  m_lastOfHost = line;
  write(LYNCEUS_LOG_WARNING, line);
}

void Services::progress(double fraction, const char* stage) {
  if (!onWorker("progress")) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - m_lastProgress < kProgressPause) return;  // however often the plugin calls: a person sees twenty a second
  m_lastProgress = now;
  m_context->progress(std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0, stage ? logLine(stage, 60) : "");
}

bool Services::cancelled() {
  const std::lock_guard lock(m_contextMutex);
  return !m_context || m_context->cancelled();
}

bool Services::onWorker(const char* function) {
  if (std::this_thread::get_id() == m_worker) return true;
  note(fmt::format("{} was called from another thread than the one that runs the job: refused", function));
  return false;
}

lynceus_status Services::fail(const char* function, const Error& error) {
  note(fmt::format("{}: {}", function, error.message));
  return statusOf(error.code);
}

Expected<detect::Finding> Services::readFinding(const lynceus_finding* finding) const {
  const auto raw = copyStruct(finding, "a finding");
  if (!raw) return passError(raw);
  const auto refuse = [](const std::string& why) { return makeError(ErrorCode::badInput, "{}", why); };
  if (!(raw->score >= 0 && raw->score <= 1)) return refuse(fmt::format("a score is {}, not 0 to 1", raw->score));
  if (!(raw->diameter_mm > 0 && raw->diameter_mm <= kLargestDiameterMm))
    return refuse(fmt::format("a diameter is {} mm, not above 0 and at most {}", raw->diameter_mm, kLargestDiameterMm));
  const double* c = raw->center_mm;
  if (!std::isfinite(c[0] + c[1] + c[2]) || !isNear(m_job.geometry, {c[0], c[1], c[2]})) {
    return refuse(fmt::format("a centre is ({:.1f}, {:.1f}, {:.1f}) mm, more than {} mm outside the volume", c[0], c[1],
                              c[2], kMarginMm));
  }
  detect::Finding f;
  f.kind = m_job.kinds.front();
  if (raw->kind) {
    const auto kind = boundedText(raw->kind, 128);
    if (!kind || std::find(m_job.kinds.begin(), m_job.kinds.end(), *kind) == m_job.kinds.end()) {
      return refuse(
          fmt::format("a kind is '{}', which the plugin's description does not name", logLine(raw->kind, 128)));
    }
    f.kind = *kind;
  }
  f.centerMm = {c[0], c[1], c[2]};
  const double half = raw->diameter_mm / 2;
  f.boxMm = {f.centerMm - image::Vec3{half, half, half}, f.centerMm + image::Vec3{half, half, half}};
  f.estimatedDiameterMm = raw->diameter_mm;
  f.score = f.rawScore = raw->score;
  return f;
}

lynceus_status Services::report(const lynceus_finding* finding) {
  if (!onWorker("report")) return LYNCEUS_FAILED;
  const bool full = m_findings.size() >= m_limits.findings;
  if (full && !m_refusal.empty()) return LYNCEUS_FAILED;
  auto read = !full ? readFinding(finding)
                    : makeError(ErrorCode::badInput, "there are more than {} findings", m_limits.findings);
  if (read) {
    m_findings.push_back(std::move(*read));
    return LYNCEUS_OK;
  }
  if (m_refusal.empty()) {  // one line, not a million
    m_refusal = read.error().message;
    note("a finding was refused: " + m_refusal);
  }
  return LYNCEUS_FAILED;
}

lynceus_status Services::openNetwork(const char* file, lynceus_network** network) {
  if (!onWorker("network_open")) return LYNCEUS_FAILED;
  const auto name = boundedText(file, 1000);
  if (!name || !network)
    return fail("network_open", {ErrorCode::wrongUse, "an argument is a null pointer or a text without an end"});
  const auto opened = m_networks.open(*name);
  if (!opened) return fail("network_open", opened.error());
  *network = *opened;
  return LYNCEUS_OK;
}

lynceus_status Services::runNetwork(const lynceus_network* network, const lynceus_tensor* inputs, uint32_t count,
                                    const lynceus_tensor** outputs, uint32_t* outputCount) {
  if (!onWorker("network_run")) return LYNCEUS_FAILED;
  if (!outputs || !outputCount) return fail("network_run", {ErrorCode::wrongUse, "an argument is a null pointer"});
  const auto views = m_networks.run(network, inputs, count, *m_context);
  if (!views) return fail("network_run", views.error());
  *outputs = (*views)->data();
  *outputCount = static_cast<uint32_t>((*views)->size());
  return LYNCEUS_OK;
}

template <class Result, class Body>
Result Services::serve(void* context, Result otherwise, const Body& body) noexcept {
  auto* services = static_cast<Services*>(context);
  if (!services || services->m_ended) return otherwise;
  try {
    return body(*services);
  } catch (const std::exception&) {  // no memory for a copy or a line
    return otherwise;
  }
}

void Services::fillTable() {
  m_table.struct_size = sizeof m_table;
  m_table.abi_major = LYNCEUS_ABI_MAJOR;
  m_table.abi_minor = LYNCEUS_ABI_MINOR;
  m_table.version = kVersion;
  m_table.context = this;
  m_table.log = [](void* context, lynceus_log_level level, const char* text) {
    serve(context, 0, [&](Services& s) { return s.log(level, text), 0; });
  };
  m_table.progress = [](void* context, double fraction, const char* stage) {
    serve(context, 0, [&](Services& s) { return s.progress(fraction, stage), 0; });
  };
  m_table.cancelled = [](void* context) -> int32_t {
    return serve(context, 1, [](Services& s) { return s.cancelled() ? 1 : 0; });
  };
  m_table.allocate = [](void* context, size_t bytes) {
    return serve(context, static_cast<void*>(nullptr), [&](Services& s) {
      void* memory = s.m_memory.allocate(bytes);
      if (!memory) {
        s.note(fmt::format("allocate: {} bytes were refused, {} of {} are in use", bytes, s.usedBytes(),
                           s.m_limits.memoryBytes));
      }
      return memory;
    });
  };
  m_table.release = [](void* context, void* memory) {
    serve(context, 0, [&](Services& s) {
      if (memory && !s.m_memory.release(memory)) s.note("release: this memory did not come from allocate: ignored");
      return 0;
    });
  };
  m_table.network_open = [](void* context, const char* file, lynceus_network** network) -> lynceus_status {
    return serve(context, LYNCEUS_FAILED, [&](Services& s) { return s.openNetwork(file, network); });
  };
  m_table.network_run = [](void* context, lynceus_network* network, const lynceus_tensor* inputs, uint32_t inputCount,
                           const lynceus_tensor** outputs, uint32_t* outputCount) -> lynceus_status {
    return serve(context, LYNCEUS_FAILED,
                 [&](Services& s) { return s.runNetwork(network, inputs, inputCount, outputs, outputCount); });
  };
  m_table.report = [](void* context, const lynceus_finding* finding) -> lynceus_status {
    return serve(context, LYNCEUS_FAILED, [&](Services& s) { return s.report(finding); });
  };
}

}  // namespace lynceus::plugins
