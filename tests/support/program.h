// Runs the real program `lynceus` as a user would, and keeps what it said.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/temporary_folder.h"

namespace lynceus::test {

struct ProgramRun {
  int exitCode = -1;
  std::string out, err;
};

inline std::string readText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// @param arguments  as typed in a shell, quoted where needed.
inline ProgramRun runLynceus(const std::string& arguments) {
  const TemporaryFolder folder;
  const std::string command = std::string("'") + LYNCEUS_BINARY_DIR + "/bin/lynceus' " + arguments + " >'" +
                              (folder / "out").string() + "' 2>'" + (folder / "err").string() + "' </dev/null";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), readText(folder / "out"),
          readText(folder / "err")};
}

}  // namespace lynceus::test
