// Calls into a plugin: what it throws across its C interface ends here.
#pragma once

#include <exception>

#include <cxxabi.h>

#include "core/error.h"
#include "plugins/host/library.h"
#include "plugins/host/text.h"

namespace lynceus::plugins {

/// @param function  names the plugin's function in the error.
/// @return what call() returned; ErrorCode::badInput where the plugin threw, and then the library counts as damaged.
template <class Call>
auto guarded(Library& library, const char* function, const Call& call) -> Expected<decltype(call())> {
  std::string what = "something that is no std::exception";
  try {
    return call();
  } catch (const abi::__forced_unwind&) {
    throw;  // the thread is being ended: nobody may stop that
  } catch (const std::exception& e) {
    what = logLine(e.what());
  } catch (...) {
  }
  const std::string damage = fmt::format("{} threw an exception across the C interface: {}", function, what);
  library.setDamage(damage);
  return makeError(ErrorCode::badInput, "{}: {}", library.file().string(), damage);
}

}  // namespace lynceus::plugins
