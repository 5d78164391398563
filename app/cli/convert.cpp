// lynceus convert PATH OUT: a series as one file in Hounsfield units.
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "io/formats/image_file.h"
#include "io/source.h"

namespace lynceus::cli {
namespace {

struct ConvertOptions {
  std::string path, out, seriesUid;
  io::LoadOptions load;
};

Expected<io::LoadedSeries> convert(const ConvertOptions& options) {
  if (auto writable = io::checkWritable(options.out); !writable) return passError(writable);
  TerminalContext context("convert");
  const auto source = io::openSource(options.path, context);
  if (!source) return passError(source);
  const auto index = io::chooseSeries(*source, options.seriesUid);
  if (!index) return passError(index);
  auto loaded = io::loadSeries(*source, *index, context, options.load);
  if (!loaded) return loaded;
  if (auto written = io::writeImageFile(loaded->volume, options.out); !written) return passError(written);
  return loaded;
}

int runConvert(const ConvertOptions& options) {
  const auto loaded = convert(options);
  if (!loaded) return reportError(loaded.error());
  const image::Geometry& g = loaded->volume.geometry();
  fmt::print("{}: {} x {} x {} voxels of {:.4g} x {:.4g} x {:.4g} mm, Hounsfield units\n", options.out, g.size.x,
             g.size.y, g.size.z, g.spacingMm.x, g.spacingMm.y, g.spacingMm.z);
  for (const std::string& remark : loaded->remarks) fmt::print(stderr, "lynceus: note: {}\n", remark);
  return kExitOk;
}

}  // namespace

void addConvert(CLI::App& app, int& exitCode) {
  const auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = app.add_subcommand("convert", "Write a CT series as one NIfTI, MetaImage or NRRD file in HU");
  command->add_option("PATH", options->path, "DICOM folder or file; NIfTI, MetaImage or NRRD file")->required();
  command->add_option("OUT", options->out, "File to write: .nii.gz, .nii, .mha or .nrrd")->required();
  command->add_option("--series", options->seriesUid, "Series Instance UID, where PATH has several series");
  command->add_flag("--accept-geometry", options->load.acceptGeometry, kAcceptGeometryHelp);
  command->callback([options, &exitCode] { exitCode = runConvert(*options); });
}

}  // namespace lynceus::cli
