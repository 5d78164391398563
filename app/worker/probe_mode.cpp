#include "app/worker/modes.h"
#include "plugins/host/library.h"

namespace lynceus::worker {

Handler probeMode() {
  return [](Job& job) -> Expected<job::Message> {
    job.last = true;  // whatever the library left behind ends with this process
    const auto library = plugins::Library::open(job.work.at("library").get<std::string>());
    if (!library) return passError(library);
    return job::Message{{{"descriptions", plugins::toJson(library->models())}}, {}};
  };
}

}  // namespace lynceus::worker
