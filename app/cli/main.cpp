// The program `lynceus`: one subcommand for each job, each in a file of its own.
#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "core/version.h"

int main(int argc, char** argv) {
  using namespace lynceus::cli;
  CLI::App app{"Lynceus finds lesions in CT studies. Research use only."};
  app.require_subcommand(1);
  app.set_version_flag("--version", versionText());
  app.failure_message(CLI::FailureMessage::help);
  int exitCode = kExitOk;
  for (const AddCommand add : kCommands) add(app, exitCode);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitOk : kExitWrongUse;
  }
  return exitCode;
}
