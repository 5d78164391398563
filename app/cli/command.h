// The table of subcommands and what they share: exit codes, the way they report errors, the progress bar.
#pragma once

#include <string>

#include "core/compute/device.h"
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

/// --precision of detect, batch, run and models check.
inline constexpr const char* kPrecisionHelp = "fp32, bf16 (where the processor has it), or int8 (a quantized network)";
/// What the word asks of the device; int8 runs as the quantized network says. An error says why it is no precision.
Expected<compute::Precision> parsePrecision(const std::string& word);
/// An error where the word is int8 and the network is not quantized.
Expected<void> checkPrecision(const std::string& word, const nn::Graph& graph);

/// --threads of every command that computes: the size of the program's one team.
void addThreadsOption(CLI::App& command);

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
void addEvaluate(CLI::App& app, int& exitCode);
void addPlugins(CLI::App& app, int& exitCode);
void addModelsCheck(CLI::App& models, int& exitCode);  ///< below `models`

inline constexpr AddCommand kCommands[] = {addInfo,   addConvert,    addDetect,   addBatch,    addPhantom, addRun,
                                           addModels, addDeidentify, addQuantize, addEvaluate, addPlugins};

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
