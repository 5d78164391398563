// How Lynceus says that something went wrong: a value with a code for programs and a sentence for a person.
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace lynceus {

/// What kind of trouble it is; the command line turns it into its exit code.
enum class ErrorCode {
  wrongUse,     ///< the caller asked for something that does not exist or contradicts itself
  badInput,     ///< a file or study is damaged, unsupported or not what it claims to be
  badGeometry,  ///< the slices do not form a regular volume
  unsupported,  ///< valid input that needs something this build or device cannot do
  resource,     ///< a model, a device, memory or disk space is missing
  cancelled,    ///< the user stopped it
  internal,     ///< a bug of ours
};

/// The message names the file, the attribute, the value and what to do about it, in one sentence.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

template <class T>
using Expected = tl::expected<T, Error>;

/// Builds the failed side of any Expected<T>: `return makeError(ErrorCode::badInput, "{}: …", path);`
template <class... Args>
tl::unexpected<Error> makeError(ErrorCode code, fmt::format_string<Args...> text, Args&&... args) {
  return tl::make_unexpected(Error{code, fmt::format(text, std::forward<Args>(args)...)});
}

/// Passes the error of one Expected on as the failed side of another.
template <class T>
tl::unexpected<Error> passError(const Expected<T>& failed) {
  return tl::make_unexpected(failed.error());
}

}  // namespace lynceus
