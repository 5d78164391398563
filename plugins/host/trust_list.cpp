#include "plugins/host/trust_list.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "core/atomic_file.h"
#include "core/json_reader.h"
#include "plugins/host/text.h"

namespace lynceus::plugins {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kSchemaVersion = 1;
constexpr size_t kMostEntries = 10000;
constexpr size_t kMostPath = 4096;

TrustEntry readEntry(JsonReader& in) {
  TrustEntry entry;
  entry.sha256 = in.string("sha256");
  const bool isHash = entry.sha256.size() == 64 && std::all_of(entry.sha256.begin(), entry.sha256.end(), [](char c) {
                        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                      });
  if (!isHash) in.fail("sha256", "must be 64 lower-case hexadecimal digits");
  const std::string path = in.string("path");
  if (path.empty() || path.size() > kMostPath || path.find('\0') != std::string::npos)
    in.fail("path", "must be the path of a file");
  entry.path = path;
  const std::string state = in.string("state");
  if (state != "trusted" && state != "disabled") in.fail("state", "must be \"trusted\" or \"disabled\"");
  entry.state = state == "trusted" ? TrustState::trusted : TrustState::disabled;
  return entry;
}

}  // namespace

fs::path TrustList::defaultPath() {
  if (const char* set = std::getenv("XDG_CONFIG_HOME"); set && *set) return fs::path(set) / "lynceus/plugins.json";
  if (const char* home = std::getenv("HOME"); home && *home) return fs::path(home) / ".config/lynceus/plugins.json";
  return {};
}

Expected<TrustList> TrustList::read(const fs::path& file) {
  std::error_code ignored;
  if (file.empty() || !fs::exists(file, ignored)) return TrustList();
  std::ifstream in(file, std::ios::binary);
  if (!in || !fs::is_regular_file(file, ignored))
    return makeError(ErrorCode::resource, "{}: the list of trusted plugins cannot be read", file.string());
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return parse(text, file.string());
}

Expected<TrustList> TrustList::parse(std::string_view text, const std::string& name) {
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) {
    return makeError(ErrorCode::badInput, "{}: is no JSON: repair or delete it, and trust your plugins again", name);
  }
  std::optional<Error> error;
  JsonReader in(document, "", error);
  in.integer("schemaVersion", kSchemaVersion, kSchemaVersion);
  std::vector<JsonReader> entries = in.objects("plugins");
  if (entries.size() > kMostEntries) in.fail("plugins", "must be 10000 at most");
  TrustList list;
  for (JsonReader& entry : entries) {
    TrustEntry one = readEntry(entry);
    if (error) break;
    if (list.find(one.sha256)) entry.fail("sha256", "stands in the list twice");
    list.m_entries.push_back(std::move(one));
  }
  if (error) {
    return makeError(error->code, "{}: {}: repair or delete the file, and trust your plugins again", name,
                     error->message);
  }
  return list;
}

std::string TrustList::toJson() const {
  json list = json::array();
  for (const TrustEntry& e : m_entries) {
    list.push_back({{"sha256", e.sha256},
                    {"path", e.path.string()},
                    {"state", e.state == TrustState::trusted ? "trusted" : "disabled"}});
  }
  // A path need not be UTF-8; the hash is what counts.
  return json{{"schemaVersion", kSchemaVersion}, {"plugins", std::move(list)}}.dump(2, ' ', false,
                                                                                    json::error_handler_t::replace);
}

Expected<void> TrustList::write(const fs::path& file) const {
  if (file.empty())
    return makeError(ErrorCode::resource, "there is no home folder for a list of trusted plugins: set HOME");
  std::error_code failed;
  fs::create_directories(file.parent_path(), failed);
  return writeFileAtomically(file, toJson() + "\n");
}

const TrustEntry* TrustList::find(const std::string& sha256) const {
  const auto found =
      std::find_if(m_entries.begin(), m_entries.end(), [&](const TrustEntry& e) { return e.sha256 == sha256; });
  return found == m_entries.end() ? nullptr : &*found;
}

const TrustEntry* TrustList::findPath(const fs::path& path) const {
  const auto found =
      std::find_if(m_entries.begin(), m_entries.end(), [&](const TrustEntry& e) { return e.path == path; });
  return found == m_entries.end() ? nullptr : &*found;
}

void TrustList::set(TrustEntry entry) {
  std::erase_if(m_entries, [&](const TrustEntry& e) { return e.sha256 == entry.sha256 || e.path == entry.path; });
  m_entries.push_back(std::move(entry));
}

}  // namespace lynceus::plugins
