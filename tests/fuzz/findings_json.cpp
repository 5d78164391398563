// libFuzzer target: any bytes as findings.json end in a result or an error; what is read can be written and read again.
#include <cstdlib>

#include "io/results/findings_json.h"

using namespace lynceus;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto json = nlohmann::json::parse(data, data + size, nullptr, false);
  if (json.is_discarded()) return 0;
  const auto result = results::fromJson(json);
  if (result && !results::fromJson(results::toJson(*result))) std::abort();
  return 0;
}
