// lynceus phantom -o DIR --seed S: a synthetic chest CT and the truth about its nodules.
#include <memory>
#include <regex>
#include <string>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "core/phantom/truth.h"
#include "core/version.h"
#include "io/dicom/write_ct.h"
#include "io/formats/image_file.h"
#include "io/results/findings_json.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

struct PhantomCommand {
  std::string out, preset = "chest", format = "dicom", lesions = "sculpted";
  uint64_t seed = 1;
  int matrix = 0, nodules = -1;
  double spacingMm = 0, sliceMm = 1.4, thicknessMm = 0;
  bool noNoise = false, noBlur = false, jpegLs = false, lungMask = false, force = false;
};

phantom::PhantomOptions optionsOf(const PhantomCommand& command) {
  phantom::PhantomOptions options;
  options.seed = command.seed;
  const int matrix = command.matrix > 0 ? command.matrix : command.spacingMm > 0 ? 0 : 512;
  options.size = {matrix, matrix, 0};
  options.spacingMm = {command.spacingMm, command.spacingMm, command.sliceMm};
  options.sliceThicknessMm = command.thicknessMm;
  options.nodules = command.nodules;
  options.atLeastNodules = command.preset == "demo" ? 3 : 0;
  options.lesions = command.lesions == "grown" ? phantom::LesionKind::grown : phantom::LesionKind::sculpted;
  options.noise = !command.noNoise;
  options.blur = !command.noBlur;
  options.tame = command.preset == "demo";
  options.lungMask = command.lungMask;
  return options;
}

// An earlier phantom may be replaced on request; anything else in the folder is left alone.
Expected<void> prepareFolder(const fs::path& folder, bool force) {
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error)) {
    return makeError(ErrorCode::wrongUse, "{}: is a file: name a folder with -o", folder.string());
  }
  if (fs::is_directory(folder, error) && !fs::is_empty(folder, error) && !force) {
    return makeError(ErrorCode::wrongUse, "{}: the folder is not empty: choose another one or add --force",
                     folder.string());
  }
  fs::create_directories(folder, error);
  if (error)
    return makeError(ErrorCode::resource, "{}: the folder cannot be made: {}", folder.string(), error.message());
  static const std::regex ours(R"(slice_\d+\.dcm|ct\.(nii|nii\.gz|mha|nrrd)|lung_mask\..*|truth\.json)");
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (std::regex_match(entry.path().filename().string(), ours)) fs::remove(entry.path(), error);
  }
  if (error)
    return makeError(ErrorCode::resource, "{}: the folder cannot be emptied: {}", folder.string(), error.message());
  return {};
}

io::dicom::CtDescription describePatient(const PhantomCommand& command, const phantom::Phantom& made) {
  io::dicom::CtDescription d;
  d.patientName = fmt::format("Phantom^Seed {}", command.seed);
  d.patientId = fmt::format("PHANTOM-{}", command.seed);
  d.patientBirthDate =
      fmt::format("{}{:02}{:02}", 1940 + command.seed % 45, 1 + command.seed % 12, 1 + command.seed % 28);
  d.patientSex = made.female ? "F" : "M";
  d.patientComments = "Synthetic data: not a patient";
  d.studyDate = "20260101";
  d.studyTime = "120000";
  d.studyDescription = "Synthetic chest CT";
  d.seriesDescription =
      fmt::format("Phantom seed {} {} {:g} mm", command.seed, made.scanner.kernel, made.sliceThicknessMm);
  d.manufacturer = "Lynceus";
  d.modelName = "Chest phantom";
  d.softwareVersion = kVersion;
  d.convolutionKernel = made.scanner.kernel;
  if (made.contrast) d.contrastAgent = "Simulated";
  d.sliceThicknessMm = made.sliceThicknessMm;
  const image::Geometry& g = made.volume.geometry();
  d.identity = fmt::format("lynceus phantom {} seed {} {} x {} x {} of {} x {} mm, {} mm thick, {} nodules{}{}{}",
                           kVersion, command.seed, g.size.x, g.size.y, g.size.z, g.spacingMm.x, g.spacingMm.z,
                           made.sliceThicknessMm, made.nodules.size(), command.lesions == "grown" ? ", grown" : "",
                           command.noNoise ? ", no noise" : "", command.noBlur ? ", no blur" : "");
  d.jpegLs = command.jpegLs;
  return d;
}

Expected<void> writeImages(const PhantomCommand& command, const phantom::Phantom& made, detect::SeriesReference& series,
                           job::Context& context) {
  const fs::path folder = command.out;
  if (command.format != "dicom") return io::writeImageFile(made.volume, folder / ("ct." + command.format));
  const io::dicom::CtDescription description = describePatient(command, made);
  const auto written = io::dicom::writeCtSeries(made.volume, description, folder, context);
  if (!written) return passError(written);
  series.studyUid = written->studyUid;
  series.seriesUid = written->seriesUid;
  series.seriesDescription = description.seriesDescription;
  series.patientId = description.patientId;
  series.patientName = description.patientName;
  series.patientBirthDate = description.patientBirthDate;
  series.instanceCount = static_cast<int>(written->files.size());
  return {};
}

Expected<void> writeLungMask(const PhantomCommand& command, const phantom::Phantom& made) {
  if (!made.lung) return {};
  const auto volume =
      image::Volume::create(made.lung->geometry, {made.lung->voxels.begin(), made.lung->voxels.end()}, 0);
  if (!volume) return passError(volume);
  const std::string extension = command.format == "dicom" ? "nii.gz" : command.format;
  return io::writeImageFile(*volume, fs::path(command.out) / ("lung_mask." + extension));
}

Expected<phantom::Phantom> makePhantom(const PhantomCommand& command) {
  if (auto prepared = prepareFolder(command.out, command.force); !prepared) return passError(prepared);
  TerminalContext context("phantom");
  const phantom::PhantomOptions options = optionsOf(command);
  auto made = phantom::makeChest(options, context);
  if (!made) return made;
  detect::DetectionResult truth = phantom::truthOf(*made);
  truth.series.source = command.out;
  if (auto written = writeImages(command, *made, truth.series, context); !written) return passError(written);
  if (auto written = writeLungMask(command, *made); !written) return passError(written);
  const auto written =
      results::writeFindingsJson(truth, fs::path(command.out) / "truth.json", phantom::describe(*made, options));
  if (!written) return passError(written);
  return made;
}

int runPhantom(const PhantomCommand& command) {
  const auto made = makePhantom(command);
  if (!made) return reportError(made.error());
  const image::Geometry& g = made->volume.geometry();
  fmt::print("{}: {}; {} x {} x {} voxels of {:.3f} x {:.3f} x {:g} mm\n", command.out, made->description, g.size.x,
             g.size.y, g.size.z, g.spacingMm.x, g.spacingMm.y, g.spacingMm.z);
  return kExitOk;
}

}  // namespace

void addPhantom(CLI::App& app, int& exitCode) {
  const auto options = std::make_shared<PhantomCommand>();
  CLI::App* command =
      app.add_subcommand("phantom", "Make a synthetic chest CT with nodules and write the truth about them");
  command->add_option("-o,--out", options->out, "Folder to write: the images and truth.json")->required();
  command->add_option("--seed", options->seed, "The same seed gives the same patient, scan and nodules")->required();
  command->add_option("--preset", options->preset, "chest, or demo: a chest with at least three nodules")
      ->check(CLI::IsMember({"chest", "demo"}))
      ->capture_default_str();
  command->add_option("--format", options->format, "What to write")
      ->check(CLI::IsMember({"dicom", "nii.gz", "nii", "mha", "nrrd"}))
      ->capture_default_str();
  command->add_option("--matrix", options->matrix, "Voxels across a slice; without --spacing 512")
      ->check(CLI::Range(16, 4096));
  command->add_option("--spacing", options->spacingMm, "Voxel size in a slice, mm; the seed decides without it")
      ->check(CLI::Range(0.1, 20.0));
  command->add_option("--slice-mm", options->sliceMm, "Distance of the slices, mm")
      ->check(CLI::Range(0.1, 20.0))
      ->capture_default_str();
  command->add_option("--thickness-mm", options->thicknessMm, "Thickness of a slice, mm; the distance without it")
      ->check(CLI::Range(0.1, 20.0));
  command->add_option("--nodules", options->nodules, "How many lesions; without it the seed decides, mostly 0 to 8")
      ->check(CLI::Range(0, 60));
  command
      ->add_option(
          "--lesions", options->lesions,
          "How they are made: sculpted from smooth bodies, or grown cell by cell (to test what learned on the others)")
      ->check(CLI::IsMember({"sculpted", "grown"}))
      ->capture_default_str();
  command->add_flag("--no-noise", options->noNoise, "Leave out the noise");
  command->add_flag("--no-blur", options->noBlur, "Leave out the scanner's blur");
  command->add_flag("--jpeg-ls", options->jpegLs, "Compress the DICOM files without loss");
  command->add_flag("--lung-mask", options->lungMask, "Write the lungs as well, as 0 and 1");
  command->add_flag("--force", options->force, "Replace an earlier phantom in the folder");
  command->callback([options, &exitCode] { exitCode = runPhantom(*options); });
}

}  // namespace lynceus::cli
