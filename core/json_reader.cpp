#include "core/json_reader.h"

#include <cmath>

namespace lynceus {

using image::Vec3;
using nlohmann::json;

namespace {

const json kNull;
const json kEmptyObject = json::object();

bool isVector(const json& value) {
  if (!value.is_array() || value.size() != 3) return false;
  for (const json& v : value) {
    if (!v.is_number() || !std::isfinite(v.get<double>())) return false;
  }
  return true;
}

Vec3 toVector(const json& v) { return {v[0].get<double>(), v[1].get<double>(), v[2].get<double>()}; }

/// Whole numbers as int64, also those that a writer stored as unsigned.
std::optional<int64_t> whole(const json& value) {
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()})
    return std::nullopt;
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<int64_t>();
}

}  // namespace

JsonReader::JsonReader(const json& object, std::string path, std::optional<Error>& error)
    : m_object(object.is_object() ? &object : &kEmptyObject), m_path(std::move(path)), m_error(&error) {
  if (!object.is_object()) fail("", "must be an object");
}

void JsonReader::fail(std::string_view key, std::string_view problem) {
  if (failed()) return;
  const char* dot = m_path.empty() || key.empty() ? "" : ".";
  *m_error = Error{ErrorCode::badInput, fmt::format("{}{}{} {}", m_path, dot, key, problem)};
}

bool JsonReader::has(const char* key) const {
  const auto found = m_object->find(key);
  return found != m_object->end() && !found->is_null();
}

const json* JsonReader::member(const char* key) {
  const auto found = m_object->find(key);
  if (found != m_object->end()) return &*found;
  fail(key, "is missing");
  return &kNull;
}

std::string JsonReader::string(const char* key) {
  const json* value = member(key);
  if (value->is_string()) return value->get<std::string>();
  fail(key, "must be a text");
  return {};
}

bool JsonReader::boolean(const char* key) {
  const json* value = member(key);
  if (!value->is_boolean()) fail(key, "must be true or false");
  return value->is_boolean() && value->get<bool>();
}

double JsonReader::number(const char* key, double least, double most) {
  const json* value = member(key);
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (number >= least && number <= most) return number;
  if (!value->is_number()) fail(key, "must be a number");
  fail(key, fmt::format("is {} and must be from {} to {}", number, least, most));
  return 0;
}

int64_t JsonReader::integer(const char* key, int64_t least, int64_t most) {
  const auto number = whole(*member(key));
  if (number && *number >= least && *number <= most) return *number;
  fail(key, fmt::format("must be a whole number from {} to {}", least, most));
  return least;
}

Vec3 JsonReader::vector(const char* key) {
  const json* value = member(key);
  if (isVector(*value)) return toVector(*value);
  fail(key, "must be three numbers");
  return {};
}

std::vector<Vec3> JsonReader::vectors(const char* key, size_t count) {
  const json* value = member(key);
  std::vector<Vec3> out;
  if (value->is_array() && value->size() == count) {
    for (const json& v : *value) {
      if (isVector(v)) out.push_back(toVector(v));
    }
  }
  if (out.size() != count) fail(key, fmt::format("must be {} lists of three numbers", count));
  return out;
}

std::vector<int64_t> JsonReader::integers(const json* value, std::string_view name, size_t count, int64_t least,
                                          int64_t most) {
  std::vector<int64_t> out;
  if (value->is_array() && value->size() == count) {
    for (const json& v : *value) {
      if (const auto number = whole(v); number && *number >= least && *number <= most) out.push_back(*number);
    }
  }
  if (out.size() != count) fail(name, fmt::format("must be {} whole numbers from {} to {}", count, least, most));
  return out;
}

std::vector<std::string> JsonReader::stringList(const char* key) {
  const json* value = member(key);
  std::vector<std::string> out;
  if (!value->is_array()) fail(key, "must be a list of texts");
  for (const json& v : *value) {
    if (v.is_string())
      out.push_back(v.get<std::string>());
    else
      fail(key, "must be a list of texts");
  }
  return out;
}

JsonReader JsonReader::object(const char* key) {
  return JsonReader(*member(key), m_path.empty() ? key : m_path + "." + key, *m_error);
}

std::vector<JsonReader> JsonReader::objects(const char* key) {
  const json* value = member(key);
  std::vector<JsonReader> out;
  if (!value->is_array()) {
    fail(key, "must be a list of objects");
    return out;
  }
  for (size_t i = 0; i < value->size(); ++i) out.emplace_back((*value)[i], fmt::format("{}[{}]", key, i), *m_error);
  return out;
}

std::map<std::string, std::string> JsonReader::strings() {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : m_object->items()) out[key] = string(key.c_str());
  return out;
}

std::map<std::string, double> JsonReader::numbers() {
  std::map<std::string, double> out;
  for (const auto& [key, value] : m_object->items()) out[key] = number(key.c_str());
  return out;
}

}  // namespace lynceus
