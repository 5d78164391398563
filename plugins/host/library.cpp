#include "plugins/host/library.h"

#include <algorithm>
#include <map>
#include <mutex>

#include <dlfcn.h>
#include <lynceus/plugin.h>

#include "core/sha256.h"
#include "plugins/host/foreign_struct.h"
#include "plugins/host/guarded.h"
#include "plugins/host/text.h"

namespace lynceus::plugins {
namespace {

namespace fs = std::filesystem;

/// Adds the file to an error that names none.
tl::unexpected<Error> at(const fs::path& file, const Error& error) {
  return makeError(error.code, "{}: {}", file.string(), error.message);
}

std::string hostAbi() { return fmt::format("{}.{}", LYNCEUS_ABI_MAJOR, LYNCEUS_ABI_MINOR); }

/// The texts of a description with a length that was checked; the first that has none is the error.
class Texts {
 public:
  std::string read(const char* text, std::string_view member) {
    const auto bounded = boundedText(text, kMostBytes);
    if (!bounded && m_bad.empty()) m_bad = member;
    return std::string(bounded.value_or(std::string_view()));
  }
  const std::string& bad() const { return m_bad; }

 private:
  std::string m_bad;
};

Expected<Description> readDescription(const lynceus_description* from) {
  const auto raw = copyStruct(from, "a model's description");
  if (!raw) return passError(raw);
  Texts texts;
  Description d;
  d.id = texts.read(raw->id, "id");
  d.version = texts.read(raw->version, "version");
  d.summary = texts.read(raw->summary, "summary");
  d.licence = texts.read(raw->licence, "licence");
  d.interfaceId = texts.read(raw->interface_id, "interface_id");
  for (size_t i = 0; raw->kinds && raw->kinds[i] && i <= kMostKinds; ++i)
    d.kinds.push_back(texts.read(raw->kinds[i], "each of kinds"));
  if (!texts.bad().empty()) {
    return makeError(ErrorCode::badInput, "{} of the model's description must be a text of at most {} bytes",
                     texts.bad(), kMostBytes);
  }
  d.input =
      inputRules({raw->pixel_spacing_mm[0], raw->pixel_spacing_mm[1]},
                 {raw->slice_spacing_mm[0], raw->slice_spacing_mm[1]}, {raw->coverage_mm[0], raw->coverage_mm[1]});
  if (const auto checked = checkDescription(d); !checked) return passError(checked);
  return d;
}

/// The versions stand where every major version has them; the rest is read only if the major version is ours.
Expected<void> checkVersion(const lynceus_plugin* from, std::string& abi) {
  constexpr size_t kVersionEnd = offsetof(lynceus_plugin, abi_minor) + sizeof(uint16_t);
  if (auto address = checkAddress(from, "what lynceus_plugin_entry returned"); !address) return address;
  if (from->struct_size < kVersionEnd) {
    return makeError(ErrorCode::badInput, "the struct of the plugin says that it has {} bytes, this struct has {}",
                     from->struct_size, sizeof *from);
  }
  abi = fmt::format("{}.{}", from->abi_major, from->abi_minor);
  if (from->abi_major == LYNCEUS_ABI_MAJOR) return {};
  return makeError(ErrorCode::unsupported,
                   "the plugin was built for version {} of the plugin interface, this Lynceus has {}: get a build of "
                   "the plugin for {}.x",
                   abi, hostAbi(), LYNCEUS_ABI_MAJOR);
}

Expected<lynceus_plugin> checkFunctions(const lynceus_plugin* from) {
  auto functions = copyStruct(from, "the struct of the plugin");
  if (!functions) return functions;
  const char* missing = !functions->count      ? "count"
                        : !functions->describe ? "describe"
                        : !functions->create   ? "create"
                        : !functions->destroy  ? "destroy"
                                               : nullptr;
  if (missing) return makeError(ErrorCode::badInput, "the plugin's function {} is a null pointer", missing);
  return functions;
}

/// Loads the file. The system gives what it has loaded from a path again, whatever lies there by now: that would run
/// other code than the hash says.
Expected<std::shared_ptr<void>> load(const fs::path& file, const std::string& hash) {
  static std::mutex mutex;
  static std::map<fs::path, std::string> hashes;
  const std::lock_guard lock(mutex);
  if (void* before = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD)) {
    dlclose(before);
    if (hashes[file] != hash) {
      return makeError(ErrorCode::resource, "{}: another version of this file is loaded: start the program again",
                       file.string());
    }
  }
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) return makeError(ErrorCode::badInput, "{}: cannot be loaded: {}", file.string(), logLine(dlerror()));
  hashes[file] = hash;
  return std::shared_ptr<void>(handle, [](void* h) { dlclose(h); });
}

}  // namespace

Expected<Library> Library::open(const fs::path& file, const std::string& trustedSha256) {
  Library library;
  std::error_code ignored;
  library.m_file = fs::absolute(file, ignored);
  if (!fs::is_regular_file(library.m_file, ignored))
    return makeError(ErrorCode::resource, "{}: there is no such file", file.string());
  const auto hash = sha256OfFile(library.m_file);
  if (!hash) return passError(hash);
  library.m_sha256 = *hash;
  if (!trustedSha256.empty() && trustedSha256 != *hash) {
    return makeError(ErrorCode::resource,
                     "{}: its SHA-256 is {}, trusted was {}: the file has changed; 'lynceus plugins trust' trusts it "
                     "again",
                     file.string(), *hash, trustedSha256);
  }
  auto handle = load(library.m_file, library.m_sha256);
  if (!handle) return passError(handle);
  library.m_handle = std::move(*handle);
  const auto entry =
      reinterpret_cast<decltype(&lynceus_plugin_entry)>(dlsym(library.m_handle.get(), "lynceus_plugin_entry"));
  if (!entry) {
    return makeError(ErrorCode::badInput, "{}: is no plugin: it exports no function lynceus_plugin_entry",
                     file.string());
  }
  const auto plugin = guarded(library, "lynceus_plugin_entry", [&] { return entry(); });
  if (!plugin) return passError(plugin);
  if (const auto version = checkVersion(*plugin, library.m_abi); !version) return at(file, version.error());
  auto functions = checkFunctions(*plugin);
  if (!functions) return at(file, functions.error());
  library.m_functions = std::make_shared<const lynceus_plugin>(*functions);
  if (const auto read = library.readModels(); !read) return passError(read);
  return library;
}

Expected<void> Library::readModels() {
  const auto count = guarded(*this, "count", [&] { return m_functions->count(); });
  if (!count) return passError(count);
  if (*count < 1 || *count > kMostModels) {
    return makeError(ErrorCode::badInput, "{}: the plugin says that it has {} models, 1 to {} are possible",
                     m_file.string(), *count, kMostModels);
  }
  for (uint32_t i = 0; i < *count; ++i) {
    const auto raw = guarded(*this, "describe", [&] { return m_functions->describe(i); });
    if (!raw) return passError(raw);
    auto description = readDescription(*raw);
    if (!description)
      return at(m_file, {description.error().code, fmt::format("model {}: {}", i, description.error().message)});
    if (find(description->id))
      return makeError(ErrorCode::badInput, "{}: two models have the id {}", m_file.string(), description->id);
    m_models.push_back(std::move(*description));
  }
  return {};
}

Expected<uint32_t> Library::find(const std::string& modelId) const {
  const auto found =
      std::find_if(m_models.begin(), m_models.end(), [&](const Description& d) { return d.id == modelId; });
  if (found != m_models.end()) return static_cast<uint32_t>(found - m_models.begin());
  std::vector<std::string> ids;
  for (const Description& d : m_models) ids.push_back(d.id);
  return makeError(ErrorCode::wrongUse, "{}: there is no model '{}' in this plugin; it has {}", m_file.string(),
                   modelId, fmt::join(ids, ", "));
}

void Library::setDamage(std::string why) {
  if (!m_damage.empty()) return;
  m_damage = std::move(why);
  dlopen(m_file.c_str(), RTLD_NOW | RTLD_LOCAL);  // one reference that nobody gives back
}

}  // namespace lynceus::plugins
