// The program `lynceus`: one subcommand for each job, each in a file of its own.
#include <exception>
#include <new>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "core/thread_team.h"
#include "core/version.h"

int main(int argc, char** argv) {
  using namespace lynceus;
  using namespace lynceus::cli;
  CLI::App app{"Lynceus finds lesions in CT studies. Research use only."};
  app.require_subcommand(1);
  app.set_version_flag("--version", versionText());
  app.failure_message(CLI::FailureMessage::help);
  startThreadTeam();
  int exitCode = kExitOk;
  for (const AddCommand add : kCommands) add(app, exitCode);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitOk : kExitWrongUse;
  } catch (const std::bad_alloc&) {
    return reportError({ErrorCode::resource, "there is not enough memory for this study; close other programs"});
  } catch (const std::exception& e) {
    return reportError({ErrorCode::internal, fmt::format("this is a bug of Lynceus, please report it: {}", e.what())});
  }
  return exitCode;
}
