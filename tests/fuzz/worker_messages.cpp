// libFuzzer target: any bytes from the other end of a worker's connection end in messages or an error, and what is in
// them in requests, answers or an error. Bytes that are one JSON object are tried as each kind of request as well.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "app/study/requests.h"
#include "core/job/shared_volume.h"

using namespace lynceus;

namespace {

void readAsEveryRequest(const nlohmann::json& body) {
  if (const auto r = study::scanRequestFromJson(body); r && !study::scanRequestFromJson(study::toJson(*r)))
    std::abort();
  if (const auto r = study::loadRequestFromJson(body); r && !study::loadRequestFromJson(study::toJson(*r)))
    std::abort();
  if (const auto a = study::loadAnswerFromJson(body); a && !study::loadAnswerFromJson(study::toJson(*a))) std::abort();
  if (const auto c = study::chosenFromJson(body); c && !study::chosenFromJson(study::toJson(*c))) std::abort();
  const auto detect = study::detectRequestFromJson(body);
  if (!detect) return;
  if (!study::detectRequestFromJson(study::toJson(*detect))) std::abort();
  FileDescriptor memory(memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (ftruncate(memory.get(), 120) != 0 || fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0) std::abort();
  static_cast<void>(job::mapVolume(detect->volume, std::move(memory)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 100000) return 0;  // fits into the socket at once
  auto ends = job::Channel::open();
  if (!ends) return 0;
  job::Channel channel(std::move(ends->second));
  if (send(ends->first.get(), data, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) return 0;
  ends->first.reset();
  for (;;) {
    const auto message = channel.receive(std::chrono::milliseconds(0));
    if (!message || !*message) break;
    readAsEveryRequest((*message)->body);
  }
  const auto whole = nlohmann::json::parse(data, data + size, nullptr, false);
  if (whole.is_object()) readAsEveryRequest(whole);
  return 0;
}
