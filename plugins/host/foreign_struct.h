// Structs of the plugin interface that the other side filled in: read as far as both sides know them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include <lynceus/plugin.h>

#include "core/error.h"

namespace lynceus::plugins {

/// No version of the interface will have a larger struct: who says so does not know what he is saying.
inline constexpr size_t kLargestStruct = 65536;

/// Bytes of a struct in version 1.0, up to the end of its last member: later versions are never shorter.
template <class T>
inline constexpr size_t kFirstSize = 0;
template <>
inline constexpr size_t kFirstSize<lynceus_plugin> = offsetof(lynceus_plugin, destroy) + sizeof(void (*)(void*));
template <>
inline constexpr size_t kFirstSize<lynceus_description> = offsetof(lynceus_description, coverage_mm) +
                                                          2 * sizeof(double);
template <>
inline constexpr size_t kFirstSize<lynceus_detector> = sizeof(lynceus_detector);
template <>
inline constexpr size_t kFirstSize<lynceus_classifier> = sizeof(lynceus_classifier);
template <>
inline constexpr size_t kFirstSize<lynceus_finding> = offsetof(lynceus_finding, kind) + sizeof(const char*);
template <>
inline constexpr size_t kFirstSize<lynceus_tensor> = offsetof(lynceus_tensor, rank) + sizeof(uint32_t);

/// Structs that stand in arrays: their size is the stride, so it never changes within a major version.
template <class T>
inline constexpr bool kInArrays = std::is_same_v<T, lynceus_finding> || std::is_same_v<T, lynceus_tensor>;

/// @param what  names the struct in the error, which names no file.
template <class T>
Expected<void> checkAddress(const T* from, std::string_view what) {
  if (!from) return makeError(ErrorCode::badInput, "{} is a null pointer", what);
  if (reinterpret_cast<uintptr_t>(from) % alignof(T) != 0)
    return makeError(ErrorCode::badInput, "{} lies at an address that no compiler would give it", what);
  return {};
}

/// A copy of the struct at `from`: what is longer than ours is cut off, what an older side does not have is zero.
template <class T>
Expected<T> copyStruct(const T* from, std::string_view what) {
  if (const auto address = checkAddress(from, what); !address) return passError(address);
  const size_t size = from->struct_size;
  if (size < kFirstSize<T> || size > kLargestStruct || (kInArrays<T> && size != sizeof(T)))
    return makeError(ErrorCode::badInput, "{} says that it has {} bytes, this struct has {}", what, size, sizeof(T));
  T copy{};
  std::memcpy(&copy, from, std::min(size, sizeof copy));
  return copy;
}

}  // namespace lynceus::plugins
