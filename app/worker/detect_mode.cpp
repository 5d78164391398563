#include <list>

#include "app/study/requests.h"
#include "app/worker/modes.h"
#include "core/detect/pipeline.h"
#include "core/job/shared_volume.h"
#include "io/results/findings_json.h"
#include "plugins/host/detector.h"

namespace lynceus::worker {
namespace {

/// Things that take long to make, by a key; the last used first.
template <class Thing>
class Recent {
 public:
  /// @param make  returns Expected<Thing>; called where there is none of this key.
  template <class Make>
  Expected<Thing*> get(const std::string& key, const Make& make) {
    for (auto it = m_things.begin(); it != m_things.end(); ++it) {
      if (it->first != key) continue;
      m_things.splice(m_things.begin(), m_things, it);
      return &m_things.front().second;
    }
    auto made = make();
    if (!made) return passError(made);
    m_things.emplace_front(key, std::move(*made));
    if (m_things.size() > kMost) m_things.pop_back();
    return &m_things.front().second;
  }

 private:
  static constexpr size_t kMost = 2;
  std::list<std::pair<std::string, Thing>> m_things;
};

/// The models of one worker process.
class Detection {
 public:
  Expected<job::Message> run(Job& job) {
    job.context.progress(0, "reading the model");
    const auto request = study::detectRequestFromJson(job.work);
    if (!request) return passError(request);
    if (job.files.size() != 1) return makeError(ErrorCode::internal, "a request for detection came without a volume");
    const auto volume = job::mapVolume(request->volume, std::move(job.files[0]));
    if (!volume) return passError(volume);
    const auto device = m_devices.get(request->options.device, [&] { return openDevice(request->options.device); });
    if (!device) return passError(device);
    auto result = request->model.isPlugin ? runPlugin(*request, *volume, **device, job)
                                          : runPackage(*request, *volume, **device, job);
    if (!result) return passError(result);
    if (request->classifier && result->status == detect::Status::succeeded) {
      if (auto judged = classify(*request, *volume, **device, job, *result); !judged) return passError(judged);
    }
    return job::Message{results::toJson(*result), {}};
  }

 private:
  using Device = std::shared_ptr<compute::Device>;

  static Expected<Device> openDevice(const std::string& name) {
    auto device = compute::openDevice(name);
    if (!device) return passError(device);
    return Device(std::move(*device));
  }

  /// A model that changed on the disk is another one.
  Expected<detect::DetectionResult> runPackage(const study::DetectRequest& request, const image::Volume& volume,
                                               const Device& device, const Job& job) {
    auto package = model::readPackage(request.model.path);
    if (!package) return passError(package);
    const auto pipeline = m_pipelines.get(package->definitionSha256 + "\n" + request.options.device,
                                          [&] { return detect::Pipeline::create(std::move(*package), device); });
    if (!pipeline) return passError(pipeline);
    return (*pipeline)->run(volume, request.facts, request.options.detect, job.context);
  }

  /// A library that cannot be opened may have an older self in this process: the next job gets a fresh one.
  Expected<plugins::Library*> library(const study::ModelChoice& model, Job& job) {
    auto opened = m_libraries.get(model.sha256, [&] { return plugins::Library::open(model.path, model.sha256); });
    job.last = job.last || !opened;
    return opened;
  }

  static plugins::Resources resources(const Device& device, const Job& job) {
    return {device, [&job](lynceus_log_level, std::string_view line) { job.log(std::string(line)); }};
  }

  Expected<detect::DetectionResult> runPlugin(const study::DetectRequest& request, const image::Volume& volume,
                                              const Device& device, Job& job) {
    const auto plugin = library(request.model, job);
    if (!plugin) return passError(plugin);
    auto result = plugins::runDetector(**plugin, request.model.id, volume, request.facts, request.options.detect,
                                       resources(device, job), job.context);
    job.last = !(*plugin)->damage().empty();
    return result;
  }

  Expected<void> classify(const study::DetectRequest& request, const image::Volume& volume, const Device& device,
                          Job& job, detect::DetectionResult& result) {
    const auto plugin = library(*request.classifier, job);
    if (!plugin) return passError(plugin);
    auto judged = plugins::classify(**plugin, request.classifier->id, volume, request.facts, request.options.detect,
                                    resources(device, job), job.context, result);
    job.last = job.last || !(*plugin)->damage().empty();
    return judged;
  }

  Recent<Device> m_devices;
  Recent<detect::Pipeline> m_pipelines;
  Recent<plugins::Library> m_libraries;
};

}  // namespace

Handler detectMode() {
  return [detection = std::make_shared<Detection>()](Job& job) { return detection->run(job); };
}

}  // namespace lynceus::worker
