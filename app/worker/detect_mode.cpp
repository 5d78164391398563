#include <list>

#include "app/study/requests.h"
#include "app/worker/modes.h"
#include "core/detect/pipeline.h"
#include "core/job/shared_volume.h"
#include "io/results/findings_json.h"

namespace lynceus::worker {
namespace {

/// Pipelines that are ready, the last used first. A model that changed on the disk is another one.
class ModelCache {
 public:
  Expected<detect::Pipeline*> get(const std::filesystem::path& folder, const std::string& deviceName) {
    auto package = model::readPackage(folder);
    if (!package) return passError(package);
    const std::string key = package->definitionSha256 + "\n" + deviceName;
    for (auto it = m_ready.begin(); it != m_ready.end(); ++it) {
      if (it->key != key) continue;
      m_ready.splice(m_ready.begin(), m_ready, it);
      return &m_ready.front().pipeline;
    }
    auto device = compute::openDevice(deviceName);
    if (!device) return passError(device);
    auto pipeline = detect::Pipeline::create(std::move(*package), std::move(*device));
    if (!pipeline) return passError(pipeline);
    m_ready.push_front({key, std::move(*pipeline)});
    if (m_ready.size() > kMost) m_ready.pop_back();
    return &m_ready.front().pipeline;
  }

 private:
  static constexpr size_t kMost = 2;
  struct Ready {
    std::string key;
    detect::Pipeline pipeline;
  };
  std::list<Ready> m_ready;
};

Expected<job::Message> detectIn(ModelCache& models, job::Message work, const job::Context& context) {
  context.progress(0, "reading the model");
  const auto request = study::detectRequestFromJson(work.body.at("work"));
  if (!request) return passError(request);
  if (work.files.size() != 1) return makeError(ErrorCode::internal, "a request for detection came without a volume");
  const auto volume = job::mapVolume(request->volume, std::move(work.files[0]));
  if (!volume) return passError(volume);
  const auto pipeline = models.get(request->model, request->options.device);
  if (!pipeline) return passError(pipeline);
  const auto result = (*pipeline)->run(*volume, request->facts, request->options.detect, context);
  if (!result) return passError(result);
  return job::Message{results::toJson(*result), {}};
}

}  // namespace

Handler detectMode() {
  return [models = std::make_shared<ModelCache>()](job::Message work, const job::Context& context) {
    return detectIn(*models, std::move(work), context);
  };
}

}  // namespace lynceus::worker
