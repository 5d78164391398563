// Reads JSON that may come from anywhere: the first thing that is missing or wrong is kept as one sentence, and reading
// goes on with zeros, so a caller checks once at the end.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/image/geometry.h"

namespace lynceus {

/// One JSON object. Borrows the document and the place for the error, which all readers of one document share.
class JsonReader {
 public:
  /// @param path  of this object in the document, such as "findings[3]"; empty for the document itself.
  JsonReader(const nlohmann::json& object, std::string path, std::optional<Error>& error);

  bool failed() const { return m_error->has_value(); }
  /// Keeps "`path.key` `problem`" unless something was wrong before.
  void fail(std::string_view key, std::string_view problem);

  /// Whether an optional key is there and not null.
  bool has(const char* key) const;
  /// The value of a required key; a JSON null where it is missing.
  const nlohmann::json* member(const char* key);

  std::string string(const char* key);
  bool boolean(const char* key);
  double number(const char* key, double least = std::numeric_limits<double>::lowest(),
                double most = std::numeric_limits<double>::max());
  int64_t integer(const char* key, int64_t least, int64_t most);
  image::Vec3 vector(const char* key);
  /// Exactly `count` vectors of three numbers.
  std::vector<image::Vec3> vectors(const char* key, size_t count);
  /// Exactly `count` whole numbers; `name` is what an error calls the value.
  std::vector<int64_t> integers(const nlohmann::json* value, std::string_view name, size_t count, int64_t least,
                                int64_t most);
  std::vector<std::string> stringList(const char* key);
  JsonReader object(const char* key);
  std::vector<JsonReader> objects(const char* key);
  /// All members of this object.
  std::map<std::string, std::string> strings();
  std::map<std::string, double> numbers();

 private:
  const nlohmann::json* m_object;
  std::string m_path;
  std::optional<Error>* m_error;
};

}  // namespace lynceus
