#include <memory>
#include <optional>

#include "app/study/requests.h"
#include "app/worker/modes.h"
#include "core/job/shared_volume.h"

namespace lynceus::worker {
namespace {

using nlohmann::json;

/// Keeps what it scanned last: the series that is loaded next is mostly one of those.
class Parser {
 public:
  Expected<job::Message> operator()(const Job& job) {
    return job.work.value("do", "") == "scan" ? scan(job.work, job.context) : load(job.work, job.context);
  }

 private:
  Expected<job::Message> scan(const json& object, job::Context& context) {
    const auto request = study::scanRequestFromJson(object);
    if (!request) return passError(request);
    if (auto opened = open(request->path, context); !opened) return passError(opened);
    const auto chosen = study::chooseSeries(*m_source, request->selection);
    if (!chosen) return passError(chosen);
    return job::Message{study::toJson(*chosen), {}};
  }

  Expected<job::Message> load(const json& object, job::Context& context) {
    const auto request = study::loadRequestFromJson(object);
    if (!request) return passError(request);
    if (!m_source || m_source->path != request->path) {
      if (auto opened = open(request->path, context); !opened) return passError(opened);
    }
    const auto index = io::chooseSeries(*m_source, request->seriesId);
    if (!index) return passError(index);
    const auto loaded =
        io::loadSeries(*m_source, *index, context, {request->acceptGeometry, image::VoxelBuffer::Kind::shared});
    if (!loaded) return passError(loaded);
    auto memory = job::shareVolume(loaded->volume);
    if (!memory) return passError(memory);
    job::Message answer{study::toJson(study::LoadAnswer{loaded->reference, study::factsOf(loaded->identity),
                                                        loaded->remarks, job::describeVolume(loaded->volume)}),
                        {}};
    answer.files.push_back(std::move(*memory));
    return answer;
  }

  Expected<void> open(const std::filesystem::path& path, job::Context& context) {
    m_source.reset();
    auto source = io::openSource(path, context);
    if (!source) return passError(source);
    m_source = std::move(*source);
    return {};
  }

  std::optional<io::Source> m_source;
};

}  // namespace

Handler parseMode() {
  return [parser = std::make_shared<Parser>()](const Job& job) { return (*parser)(job); };
}

}  // namespace lynceus::worker
