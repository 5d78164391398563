// The table of subcommands and what they share: exit codes, the way they report errors, the progress bar.
#pragma once

#include <string>

#include "core/error.h"
#include "core/job/context.h"

namespace CLI {
class App;
}

namespace lynceus::cli {

/// Documented in README: scripts rely on them.
enum ExitCode : int {
  kExitOk = 0,
  kExitSomeFailed = 1,  ///< batch: some studies failed
  kExitWrongUse = 2,
  kExitRejected = 3,  ///< the input is not what the command can work on
  kExitResource = 4,  ///< model, device, memory, disk
  kExitInternal = 5,
  kExitPartial = 6,  ///< a result that covers a part of the input
};

/// --accept-geometry of detect, batch and convert.
inline constexpr const char* kAcceptGeometryHelp =
    "resample series with gaps, uneven distances or duplicate slices instead of refusing them; the result says so";

/// Adds one subcommand to the app; its callback stores the exit code.
using AddCommand = void (*)(CLI::App& app, int& exitCode);

void addInfo(CLI::App& app, int& exitCode);
void addConvert(CLI::App& app, int& exitCode);
void addDetect(CLI::App& app, int& exitCode);
void addBatch(CLI::App& app, int& exitCode);
void addPhantom(CLI::App& app, int& exitCode);
void addRun(CLI::App& app, int& exitCode);
void addModels(CLI::App& app, int& exitCode);
void addDeidentify(CLI::App& app, int& exitCode);
void addQuantize(CLI::App& app, int& exitCode);

inline constexpr AddCommand kCommands[] = {addInfo, addConvert, addDetect,     addBatch,   addPhantom,
                                           addRun,  addModels,  addDeidentify, addQuantize};

/// "lynceus 0.1.0 (commit …, findings schema 1, model schema 1)"
std::string versionText();

/// The exit code that belongs to an error.
int exitCodeOf(const Error& error);

/// Prints "lynceus: <message>" to stderr and returns the error's exit code.
int reportError(const Error& error);

/// A Context that draws a progress bar with the time left on stderr where that is a terminal, else nothing, and that
/// is cancelled by Ctrl+C. One at a time.
class TerminalContext : public job::Context {
 public:
  explicit TerminalContext(std::string title);
  ~TerminalContext();
  /// Takes the bar away, so that results can be printed.
  void clear() const;
};

}  // namespace lynceus::cli
