// The loader against its peers, in the same run: ITK with GDCM, and dcmdump called for each file. Writes its own inputs
// into $TMPDIR, measures in random order, prints medians, ratios and what issue the figures answer to.
//   benchmark-loader [--benchmark_filter=…] [--benchmark_repetitions=9]
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>

#include <benchmark/benchmark.h>
#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <itkGDCMImageIO.h>
#include <itkGDCMSeriesFileNames.h>
#include <itkImageSeriesReader.h>

#include "core/parallel.h"
#include "core/phantom/chest.h"
#include "io/dicom/write_ct.h"
#include "io/source.h"
#include "tests/support/temporary_folder.h"

using namespace lynceus;
namespace fs = std::filesystem;

namespace {

constexpr int kSlices = 400, kPixels = 512;
constexpr int kSmallFolders = 100, kSmallSlices = 100, kSmallPixels = 64, kDumped = 300;
constexpr size_t kVolumeBytes = size_t{kSlices} * kPixels * kPixels * sizeof(int16_t);
using ItkVolume = itk::Image<int16_t, 3>;

[[noreturn]] void die(const std::string& what) {
  std::cerr << "benchmark-loader: " << what << '\n';
  std::exit(1);
}

template <class T>
T must(Expected<T> result) {
  if (!result) die(result.error().message);
  return std::move(*result);
}

// --- inputs

/// A chest with noise as scanners have it, so that it compresses as a scan does; each slice is used four times.
image::Volume makeVolume() {
  job::Context context;
  phantom::PhantomOptions options;
  options.size = {kPixels, kPixels, kSlices / 4};
  options.spacingMm = {0.7, 0, 3};
  const phantom::Phantom chest = must(phantom::makeChest(options, context));
  image::Geometry geometry = chest.volume.geometry();
  geometry.size.z = kSlices;
  geometry.spacingMm.z = 0.75;
  const auto hu = chest.volume.hu();
  std::vector<int16_t> all;
  for (int i = 0; i < 4; ++i) all.insert(all.end(), hu.begin(), hu.end());
  return must(image::Volume::create(geometry, std::move(all)));
}

void writeJpegLossless(const std::vector<fs::path>& files, const fs::path& folder) {
  DJEncoderRegistration::registerCodecs();
  fs::create_directories(folder);
  parallelFor(static_cast<int64_t>(files.size()), [&](int64_t i) {
    const fs::path& file = files[static_cast<size_t>(i)];
    DcmFileFormat format;
    if (format.loadFile(OFFilename(file.c_str())).bad() ||
        format.getDataset()->chooseRepresentation(EXS_JPEGProcess14SV1, nullptr).bad() ||
        format.saveFile(OFFilename((folder / file.filename()).c_str()), EXS_JPEGProcess14SV1).bad()) {
      die(file.string() + " could not be compressed");
    }
  });
}

void writeSmallFiles(const fs::path& folder) {
  job::Context context;
  image::Geometry geometry;
  geometry.size = {kSmallPixels, kSmallPixels, kSmallSlices};
  geometry.spacingMm = {5, 5, 3};
  const auto volume =
      must(image::Volume::create(geometry, std::vector<int16_t>(static_cast<size_t>(geometry.voxelCount()), 40)));
  for (int i = 0; i < kSmallFolders; ++i) {
    io::dicom::CtDescription description;
    description.identity = "small " + std::to_string(i);
    description.seriesDescription = "Thorax 3.0";
    description.patientName = "Doe^Jane";
    must(io::dicom::writeCtSeries(volume, description, folder / fmt::format("{}", i / 10) / fmt::format("{}", i % 10),
                                  context));
  }
}

// --- what is measured

size_t loadOurs(const fs::path& folder) {
  job::Context context;
  const io::Source source = must(io::openSource(folder, context));
  return must(io::loadSeries(source, 0, context)).volume.hu().size();
}

size_t loadOurs(const io::Source& source) {
  job::Context context;
  return must(io::loadSeries(source, 0, context)).volume.hu().size();
}

std::vector<std::string> filesOf(const fs::path& folder) {
  const auto names = itk::GDCMSeriesFileNames::New();
  names->SetDirectory(folder.string());
  return names->GetInputFileNames();
}

/// The peer as it is meant to be used, without what costs it time and is not needed: no dictionaries of each slice.
size_t loadItk(const std::vector<std::string>& files) {
  const auto reader = itk::ImageSeriesReader<ItkVolume>::New();
  reader->SetImageIO(itk::GDCMImageIO::New());
  reader->SetFileNames(files);
  reader->ReverseOrderOff();
  reader->MetaDataDictionaryArrayUpdateOff();
  reader->UseStreamingOff();
  reader->Update();
  return reader->GetOutput()->GetBufferedRegion().GetNumberOfPixels();
}

/// What an application may build from ITK's parts: a reader for each slice, on all threads, into one buffer.
size_t loadItkOnAllThreads(const std::vector<std::string>& files) {
  const auto volume = ItkVolume::New();
  volume->SetRegions(ItkVolume::SizeType{{kPixels, kPixels, files.size()}});
  volume->Allocate();
  parallelFor(static_cast<int64_t>(files.size()), [&](int64_t i) {
    const auto slice = itk::GDCMImageIO::New();
    slice->SetFileName(files[static_cast<size_t>(i)]);
    slice->ReadImageInformation();
    if (slice->GetComponentType() != itk::IOComponentEnum::SHORT) die("GDCM gives another type than int16");
    itk::ImageIORegion region(2);
    region.SetSize(0, kPixels);
    region.SetSize(1, kPixels);
    slice->SetIORegion(region);
    slice->Read(volume->GetBufferPointer() + i * kPixels * kPixels);
  });
  return volume->GetBufferedRegion().GetNumberOfPixels();
}

size_t scanOurs(const fs::path& folder) {
  job::Context context;
  size_t found = 0;
  for (const auto& series : must(io::openSource(folder, context)).series) found += series.instances.size();
  return found;
}

size_t scanItk(const fs::path& folder) {
  const auto names = itk::GDCMSeriesFileNames::New();
  names->SetRecursive(true);
  names->SetUseSeriesDetails(false);  // the UID alone tells these series apart, and it is faster
  names->SetDirectory(folder.string());
  size_t found = 0;
  for (const std::string& uid : names->GetSeriesUIDs()) found += names->GetFileNames(uid).size();
  return found;
}

size_t dumpEach(const std::vector<std::string>& files) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  for (int i = 0; i < kDumped; ++i) {
    std::string program = "dcmdump", file = files[static_cast<size_t>(i)];
    char* arguments[] = {program.data(), file.data(), nullptr};
    pid_t child = 0;
    int status = 0;
    if (posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0) {
      die("dcmdump (package dcmtk) did not run");
    }
  }
  posix_spawn_file_actions_destroy(&actions);
  return kDumped;
}

// --- peak memory: of a process of its own, because a peak never goes down

constexpr const char* kMemory = "--peak-of=";

/// VmHWM starts anew with each program; getrusage would count what the parent had when it forked.
double peakMib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  die("/proc/self/status names no VmHWM");
}

int loadAndPrintPeak(const std::string& what, const fs::path& folder) {
  if (what == "ours") {
    loadOurs(folder);
  } else if (what == "itk") {
    loadItk(filesOf(folder));
  } else {
    loadItkOnAllThreads(filesOf(folder));
  }
  std::cout << peakMib() << '\n';
  return 0;
}

double peakOf(const std::string& what, const fs::path& folder) {
  const std::string self = fs::read_symlink("/proc/self/exe").string();
  FILE* out = popen(("'" + self + "' " + kMemory + what + " '" + folder.string() + "'").c_str(), "r");
  double mib = 0;
  if (!out || std::fscanf(out, "%lf", &mib) != 1) die("the child that measures memory did not run");
  pclose(out);
  return mib;
}

// --- the table

class Medians : public benchmark::ConsoleReporter {
 public:
  Medians() : ConsoleReporter(OO_Tabular) {}
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Aggregate && run.aggregate_name == "median")
        m_ms[run.run_name.function_name] = run.GetAdjustedRealTime();
    }
  }
  double ms(const std::string& name) const {
    const auto found = m_ms.find(name);
    return found == m_ms.end() ? 0 : found->second;
  }

 private:
  std::map<std::string, double> m_ms;
};

void printRatio(const std::string& what, double oursMs, double peerMs, const std::string& target) {
  if (oursMs > 0 && peerMs > 0)
    std::cout << fmt::format("{:<58} {:>9.1f} {:>9.1f} {:>6.1f}x  {}\n", what, oursMs, peerMs, peerMs / oursMs, target);
}

void printTable(const Medians& medians, const fs::path& inputs) {
  std::cout << fmt::format("\n{} threads; medians in ms\n{:<58} {:>9} {:>9} {:>7}  target\n", omp_get_max_threads(), "",
                           "ours", "peer", "ratio");
  for (const auto& [folder, target] :
       {std::pair{"uncompressed", "4x"}, std::pair{"jpegls", "3x on 4 cores"}, std::pair{"jpeg", "3x on 4 cores"}}) {
    const std::string name = folder;
    const double scanAndLoad = medians.ms(name + "/ours"), load = medians.ms(name + "/ours/load");
    const double itk = medians.ms(name + "/itk"), itkThreads = medians.ms(name + "/itk/threads");
    printRatio(name + ": scan and load, ITK series reader (no scan)", scanAndLoad, itk, target);
    printRatio(name + ": load alone, ITK series reader", load, itk, "");
    printRatio(name + ": load alone, ITK readers on all threads", load, itkThreads, "");
  }
  const double scan = medians.ms("scan/ours");
  printRatio("scan of 10,000 files: GDCMSeriesFileNames", scan, medians.ms("scan/itk"), "2x");
  printRatio(fmt::format("scan of 10,000 files: dcmdump each ({} x {:.1f})", kDumped,
                         kSmallFolders * kSmallSlices / double(kDumped)),
             scan, medians.ms("scan/dcmdump") * kSmallFolders * kSmallSlices / kDumped, "3x");
  const double mib = kVolumeBytes / 1048576.0;
  std::cout << fmt::format("\npeak memory in MiB, volume {:.0f}, target {:.0f}\n", mib, 1.2 * mib + 100);
  for (const std::string folder : {"uncompressed", "jpegls", "jpeg"}) {
    if (!fs::exists(inputs / folder)) continue;
    std::cout << fmt::format("{:<14} ours {:.0f}, ITK series reader {:.0f}, ITK readers on all threads {:.0f}\n",
                             folder, peakOf("ours", inputs / folder), peakOf("itk", inputs / folder),
                             peakOf("threads", inputs / folder));
  }
}

struct Measurement {
  std::string name;
  size_t expected;  ///< voxels or files that the body must have seen
  std::function<size_t()> body;
};

class MeasurementRun : public benchmark::internal::Benchmark {
 public:
  explicit MeasurementRun(Measurement m) : Benchmark(m.name.c_str()), m_measurement(std::move(m)) {}
  void Run(benchmark::State& state) override {
    while (state.KeepRunning()) {
      if (m_measurement.body() != m_measurement.expected)
        die(m_measurement.name + " gave another number of voxels or files than there are");
    }
  }

 private:
  Measurement m_measurement;
};

// The library owns what it is given.
void registerAll(std::vector<Measurement> measurements) {
  std::vector<benchmark::internal::Benchmark*> runs;
  for (Measurement& m : measurements) runs.push_back(new MeasurementRun(std::move(m)));
  for (benchmark::internal::Benchmark* run : runs) {
    benchmark::internal::RegisterBenchmarkInternal(run)
        ->Iterations(1)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond)
        ->ReportAggregatesOnly();
  }
}

void measureLoading(const fs::path& folder) {
  job::Context context;
  const std::string name = folder.filename().string();
  const std::vector<std::string> files = filesOf(folder);
  const io::Source source = must(io::openSource(folder, context));
  constexpr size_t kVoxels = kVolumeBytes / sizeof(int16_t);
  registerAll({{name + "/ours", kVoxels, [=] { return loadOurs(folder); }},
               {name + "/ours/load", kVoxels, [=] { return loadOurs(source); }},
               {name + "/itk", kVoxels, [=] { return loadItk(files); }},
               {name + "/itk/threads", kVoxels, [=] { return loadItkOnAllThreads(files); }}});
}

void measureScanning(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  registerAll({{"scan/ours", files.size(), [=] { return scanOurs(folder); }},
               {"scan/itk", files.size(), [=] { return scanItk(folder); }},
               {"scan/dcmdump", kDumped, [=] { return dumpEach(files); }}});
}

void writeInputs(const fs::path& folder) {
  std::cerr << "benchmark-loader: writing inputs into " << folder.string() << '\n';
  job::Context context;
  const image::Volume volume = makeVolume();
  io::dicom::CtDescription description;
  description.identity = "benchmark";
  description.seriesDescription = "Thorax 0.75";
  const auto plain = must(io::dicom::writeCtSeries(volume, description, folder / "uncompressed", context));
  description.jpegLs = true;
  must(io::dicom::writeCtSeries(volume, description, folder / "jpegls", context));
  writeJpegLossless(plain.files, folder / "jpeg");
  writeSmallFiles(folder / "small");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]).starts_with(kMemory))
    return loadAndPrintPeak(argv[1] + std::strlen(kMemory), argv[2]);
  // Random order spreads what else the machine does over all of them; what the caller says comes later and wins.
  std::vector<char*> arguments(argv, argv + argc);
  std::string interleave = "--benchmark_enable_random_interleaving=true", repetitions = "--benchmark_repetitions=7";
  arguments.insert(arguments.begin() + 1, {interleave.data(), repetitions.data()});
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  const test::TemporaryFolder inputs;
  writeInputs(inputs.path());
  for (const char* folder : {"uncompressed", "jpegls", "jpeg"}) measureLoading(inputs / folder);
  measureScanning(inputs / "small");
  Medians medians;
  benchmark::RunSpecifiedBenchmarks(&medians);
  printTable(medians, inputs.path());
}
