// An environment variable with another value for the time of one test.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace lynceus::test {

class Environment {
 public:
  Environment(const char* name, const std::string& value) : m_name(name) {
    if (const char* old = std::getenv(name)) m_old = old;
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { m_old ? setenv(m_name, m_old->c_str(), 1) : unsetenv(m_name); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* m_name;
  std::optional<std::string> m_old;
};

}  // namespace lynceus::test
