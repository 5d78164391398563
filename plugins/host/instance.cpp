#include "plugins/host/instance.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "core/parallel.h"
#include "plugins/host/guarded.h"

namespace lynceus::plugins {
namespace {

namespace fs = std::filesystem;

/// Tells the threads of a plugin from ours: while this lives the calling thread has a name of its own, and who is
/// started by it inherits the name.
class ThreadWatch {
 public:
  ThreadWatch() {
    parallelFor(1, [](int64_t) {});  // the team of this thread starts now, under the old name
    prctl(PR_GET_NAME, m_before);
    prctl(PR_SET_NAME, kName);
  }
  ~ThreadWatch() { prctl(PR_SET_NAME, m_before); }
  ThreadWatch(const ThreadWatch&) = delete;
  ThreadWatch& operator=(const ThreadWatch&) = delete;

  /// Threads that still run. One that was joined may be listed for a moment after it.
  static int leftBehind() {
    constexpr auto kPatience = std::chrono::milliseconds(400);
    const auto start = std::chrono::steady_clock::now();
    int left = count();
    for (; left > 0 && std::chrono::steady_clock::now() - start < kPatience; left = count())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return left;
  }

 private:
  static int count() {
    int n = 0;
    std::error_code ignored;
    for (const fs::directory_entry& thread : fs::directory_iterator("/proc/self/task", ignored)) {
      if (thread.path().filename() == std::to_string(gettid())) continue;
      std::ifstream file(thread.path() / "comm");
      std::string name;
      n += std::getline(file, name) && name == kName;
    }
    return n;
  }

  static constexpr const char* kName = "lynceus-plugin";
  char m_before[16] = {};
};

Expected<lynceus_status> runGuarded(Library& library, uint32_t model, const lynceus_host& host, const Work& work) {
  const lynceus_plugin& plugin = library.functions();
  void* instance = nullptr;
  const void* interfaceStruct = nullptr;
  auto created = guarded(library, "create", [&] { return plugin.create(model, &host, &instance, &interfaceStruct); });
  if (!created || *created != LYNCEUS_OK) return created;
  auto status = work(instance, interfaceStruct);
  const auto destroyed = guarded(library, "destroy", [&] { return plugin.destroy(instance), 0; });
  if (status && !destroyed) return passError(destroyed);
  return status;
}

}  // namespace

Expected<lynceus_status> runInstance(Library& library, uint32_t model, const std::shared_ptr<Services>& services,
                                     const Work& work) {
  const ThreadWatch watch;
  auto status = runGuarded(library, model, services->table(), work);
  services->end();
  const int left = ThreadWatch::leftBehind();
  if (left == 0) {
    services->releaseMemory();
    return status;
  }
  library.setDamage(fmt::format("the plugin left {} threads running after its end", left));
  static auto* const kept = new std::vector<std::shared_ptr<Services>>;  // until the process ends: they may call it
  kept->push_back(services);
  return status;
}

}  // namespace lynceus::plugins
