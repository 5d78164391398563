// lynceus deidentify IN -o OUT: copies of DICOM images that no longer say who the patient is.
#include <charconv>
#include <filesystem>
#include <memory>
#include <regex>
#include <string>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "io/dicom/deidentify_files.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;
using io::dicom::DeidentifyOptions;
using io::dicom::DeidentifyReport;
using io::dicom::LeftOutBecause;
using io::dicom::PseudonymKey;

struct DeidentifyCommand {
  std::string in, out, keyFile, shiftDates;
  bool retainDates = false;
  DeidentifyOptions options;
};

constexpr int kMostDays = 36525;

Expected<DeidentifyOptions> optionsOf(const DeidentifyCommand& command) {
  DeidentifyOptions options = command.options;
  static const std::regex plain("[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}");
  if (!options.patientId.empty() && !std::regex_match(options.patientId, plain)) {
    return makeError(ErrorCode::wrongUse,
                     "--patient-id {}: use up to 64 letters, digits, '.', '_' and '-', and no '.' at the beginning",
                     options.patientId);
  }
  if (command.retainDates) options.dates = DeidentifyOptions::Dates::retain;
  if (command.shiftDates.empty()) return options;
  options.dates = DeidentifyOptions::Dates::shift;
  if (command.shiftDates == "patient") return options;
  int days = 0;
  const char* end = command.shiftDates.data() + command.shiftDates.size();
  const auto parsed = std::from_chars(command.shiftDates.data(), end, days);
  if (parsed.ec != std::errc() || parsed.ptr != end || days == 0 || days < -kMostDays || days > kMostDays) {
    return makeError(ErrorCode::wrongUse,
                     "--shift-dates {}: name a number of days between -{} and {} that is not 0, or \"patient\"",
                     command.shiftDates, kMostDays, kMostDays);
  }
  options.shiftDays = days;
  return options;
}

/// Whoever gets the copies must not get the key with them.
Expected<void> checkKeyPlace(const DeidentifyCommand& command) {
  std::error_code error;
  const fs::path key = fs::weakly_canonical(command.keyFile, error);
  const fs::path relative = key.lexically_relative(fs::weakly_canonical(command.out, error));
  if (!relative.empty() && *relative.begin() != "..") {
    return makeError(ErrorCode::wrongUse, "{}: the key leads back to the patients: keep it outside of {}",
                     command.keyFile, command.out);
  }
  return {};
}

Expected<PseudonymKey> keyOf(const DeidentifyCommand& command) {
  if (command.keyFile.empty()) return PseudonymKey::random();
  if (auto fine = checkKeyPlace(command); !fine) return passError(fine);
  return PseudonymKey::ofFile(command.keyFile);
}

std::string counted(int count, const char* one, const char* several) {
  return fmt::format("{} {}", count, count == 1 ? one : several);
}

void printReport(const DeidentifyCommand& command, const DeidentifyReport& report) {
  for (const auto& file : report.leftOut) fmt::print(stderr, "lynceus: left out: {}\n", file.reason);
  for (const auto& file : report.mayBeBurnedIn) {
    fmt::print(stderr, "lynceus: warning: {}: its pixels may show who the patient is: look at the copy\n",
               file.string());
  }
  if (report.unreadableFolders > 0)
    fmt::print(stderr, "lynceus: warning: {} could not be opened\n",
               counted(report.unreadableFolders, "folder", "folders"));
  fmt::print("{}: {} of {}, {}, {}\n", command.out, counted(report.written, "image", "images"),
             counted(report.patients, "patient", "patients"), counted(report.studies, "study", "studies"),
             counted(report.series, "series", "series"));
  if (report.leftOut.empty()) return;
  fmt::print("Left out: {} not DICOM, {} damaged, {} not an image, {} with text in the pixels\n",
             report.count(LeftOutBecause::notDicom), report.count(LeftOutBecause::damaged),
             report.count(LeftOutBecause::notImage), report.count(LeftOutBecause::burnedIn));
}

int runDeidentify(const DeidentifyCommand& command) {
  const auto options = optionsOf(command);
  if (!options) return reportError(options.error());
  const auto key = keyOf(command);
  if (!key) return reportError(key.error());
  Expected<DeidentifyReport> report;
  {
    TerminalContext context("deidentify");
    report = io::dicom::deidentifyFiles(command.in, command.out, *options, *key, context);
  }
  if (!report) return reportError(report.error());
  printReport(command, *report);
  if (command.keyFile.empty() && report->written > 0)
    fmt::print(stderr, "lynceus: note: without --key a later run gives the same patient other identifiers\n");
  if (report->written == 0) {
    return reportError(
        {ErrorCode::badInput, fmt::format("{}: there is no image that could be de-identified", command.in)});
  }
  return report->count(LeftOutBecause::damaged) > 0 || report->unreadableFolders > 0 ? kExitPartial : kExitOk;
}

}  // namespace

void addDeidentify(CLI::App& app, int& exitCode) {
  const auto command = std::make_shared<DeidentifyCommand>();
  CLI::App* sub = app.add_subcommand(
      "deidentify", "Write copies of DICOM images without what says who the patient is (PS3.15 basic profile)");
  sub->add_option("IN", command->in, "DICOM file, or folder with all folders below it")->required();
  sub->add_option("-o,--out", command->out, "Folder for the copies; not in IN, nor IN in it")->required();
  sub->add_option("--key", command->keyFile,
                  "Secret file that new identifiers derive from, made where it is missing; the same key gives the same "
                  "identifiers, so that later studies match. Whoever has it can recognise a patient: keep it");
  sub->add_option("--patient-id", command->options.patientId, "New ID and name of the one patient in IN");
  CLI::Option* retain = sub->add_flag("--retain-dates", command->retainDates, "Keep dates and times (except of birth)");
  sub->add_option("--shift-dates", command->shiftDates,
                  "Keep dates, moved by this number of days; \"patient\": by a number for each patient that follows "
                  "from the key")
      ->excludes(retain);
  sub->add_flag("--clean-descriptors", command->options.cleanDescriptors,
                "Keep of descriptions the words of a closed list, such as CHEST, kernels and millimetres");
  sub->add_flag("--include-burned-in", command->options.includeBurnedIn,
                "Write images too whose pixels may show who the patient is");
  sub->callback([command, &exitCode] { exitCode = runDeidentify(*command); });
}

}  // namespace lynceus::cli
