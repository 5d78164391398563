// libFuzzer target: any bytes as what a plugin says of itself, or as a list of trusted plugins, end in values or an
// error; what is read can be written and read again.
#include <cstdlib>

#include "plugins/host/description.h"
#include "plugins/host/trust_list.h"

using namespace lynceus::plugins;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto models = descriptionsFromJson(text); models && !descriptionsFromJson(toJson(*models))) std::abort();
  if (const auto list = TrustList::parse(text, "plugins.json"); list && !TrustList::parse(list->toJson(), "again"))
    std::abort();
  return 0;
}
