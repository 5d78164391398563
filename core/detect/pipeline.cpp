#include "core/detect/pipeline.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "core/detect/decode.h"
#include "core/detect/tile_input.h"
#include "core/image/resample.h"
#include "core/measure/measure.h"
#include "core/measure/nodule_mask.h"
#include "core/nn/onnx_import.h"
#include "core/version.h"

namespace lynceus::detect {
namespace {

using image::Geometry;
using image::Image;
using image::Int3;
using image::Mask;
using image::Vec3;

/// Milliseconds since it was made or last asked.
class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double ms = std::chrono::duration<double, std::milli>(now - m_last).count();
    m_last = now;
    return ms;
  }

 private:
  std::chrono::steady_clock::time_point m_last = std::chrono::steady_clock::now();
};

std::string nowUtc() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

bool inCore(const Tile& tile, const Vec3& p) {
  const auto within = [](double v, int first, int last) { return v >= first - 0.5 && v < last - 0.5; };
  return within(p.x, tile.coreFirst.x, tile.coreLast.x) && within(p.y, tile.coreFirst.y, tile.coreLast.y) &&
         within(p.z, tile.coreFirst.z, tile.coreLast.z);
}

bool insideMask(const Mask& mask, const image::Point3& pointMm) {
  const Int3 v = mask.geometry.nearestVoxel(pointMm), size = mask.geometry.size;
  // The coarse mask ends a little before the volume.
  return mask.at(std::clamp(v.x, 0, size.x - 1), std::clamp(v.y, 0, size.y - 1), std::clamp(v.z, 0, size.z - 1)) != 0;
}

BoxMm boxAround(const Geometry& grid, const Candidate& c) {
  // The grid's axes need not be the patient's: take the hull of the eight corners.
  BoxMm box{{1e9, 1e9, 1e9}, {-1e9, -1e9, -1e9}};
  for (int corner = 0; corner < 8; ++corner) {
    const image::Point3 p = grid.toPatient({c.center.x + (corner & 1 ? 0.5 : -0.5) * c.size.x,
                                            c.center.y + (corner & 2 ? 0.5 : -0.5) * c.size.y,
                                            c.center.z + (corner & 4 ? 0.5 : -0.5) * c.size.z});
    box.min = {std::min(box.min.x, p.x), std::min(box.min.y, p.y), std::min(box.min.z, p.z)};
    box.max = {std::max(box.max.x, p.x), std::max(box.max.y, p.y), std::max(box.max.z, p.z)};
  }
  return box;
}

tl::unexpected<Error> wasCancelled() { return makeError(ErrorCode::cancelled, "detection was cancelled"); }

Finding makeFinding(const Candidate& c, const Geometry& grid, const model::Package& package) {
  Finding f;
  f.kind = package.output.kind;
  f.centerMm = grid.toPatient(c.center);
  f.boxMm = boxAround(grid, c);
  f.estimatedDiameterMm = std::cbrt(c.size.x * c.size.y * c.size.z) * package.preprocessing.spacingMm;
  f.rawScore = 1 / (1 + std::exp(-c.logit));
  f.score = calibratedScore(c, package.calibration);
  return f;
}

void segmentAndMeasure(const image::Volume& volume, std::vector<Finding>& findings) {
  for (Finding& f : findings) {
    auto mask = measure::segmentNodule(volume, f.centerMm, f.estimatedDiameterMm);
    if (!mask) continue;  // a finding without a mask carries no measurements, and says so by their absence
    f.measurements = measure::measure(volume, *mask);
    f.measurements->algorithm = measure::kNoduleMaskAlgorithm;
    f.mask = std::move(*mask);
  }
}

// What the result records. A quantised network has float parts, too.
std::string precisionText(compute::Precision precision, bool quantized) {
  const std::string floats = precision == compute::Precision::bf16 ? "bf16" : "fp32";
  return quantized ? "int8 and " + floats : floats;
}

}  // namespace

Pipeline::Pipeline(model::Package package, nn::Graph graph, std::shared_ptr<compute::Device> device)
    : m_package(std::move(package)), m_graph(std::move(graph)), m_device(std::move(device)) {}

Expected<Pipeline> Pipeline::create(model::Package package, std::shared_ptr<compute::Device> device) {
  if (auto verified = model::verifyPackage(package); !verified) return passError(verified);
  auto graph = nn::importOnnx(package.folder / package.network);
  if (!graph) return passError(graph);
  if (graph->inputs.size() != 1) {
    return makeError(ErrorCode::badInput, "{}: a detector has one input, this network has {}",
                     (package.folder / package.network).string(), graph->inputs.size());
  }
  return Pipeline(std::move(package), std::move(*graph), std::move(device));
}

Expected<compute::Executable*> Pipeline::executableFor(const Int3& tileSize, compute::Precision precision) {
  if (!m_executable || !(m_compiledFor == tileSize) || m_compiledIn != precision) {
    m_executable.reset();
    auto compiled =
        m_device->compile(m_graph, {{m_graph.inputs[0].name, {1, 1, tileSize.z, tileSize.y, tileSize.x}}}, {precision});
    if (!compiled) return passError(compiled);
    m_executable = std::move(*compiled);
    m_compiledFor = tileSize;
    m_compiledIn = precision;
  }
  return m_executable.get();
}

Expected<std::vector<Candidate>> Pipeline::search(const Image<float>& hu, const Mask* region,
                                                  compute::Precision precision, const job::Context& context) {
  const model::Tiling& tiling = m_package.tiling;
  const TilePlan plan = planTiles(hu.geometry.size, tiling.maxSizeVoxels, tiling.overlapVoxels, tiling.multipleOf);
  auto executable = executableFor(plan.size, precision);
  if (!executable) return passError(executable);
  std::vector<Candidate> candidates;
  for (size_t t = 0; t < plan.tiles.size(); ++t) {
    if (context.cancelled()) return wasCancelled();
    context.progress(static_cast<double>(t) / static_cast<double>(plan.tiles.size()), "network");
    const Tile& tile = plan.tiles[t];
    auto tensors = (*executable)->run({tileInput(hu, plan, tile, m_package.preprocessing)});
    if (!tensors) return passError(tensors);
    TileOutputs outputs;
    for (size_t o = 0; o < tensors->size(); ++o) outputs.push_back({m_graph.outputs[o].name, std::move((*tensors)[o])});
    auto found = decode(outputs, m_package.output, m_package.preprocessing.spacingMm);
    if (!found) return passError(found);
    for (Candidate& c : *found) {
      c.center = c.center + Vec3{1.0 * tile.start.x, 1.0 * tile.start.y, 1.0 * tile.start.z};
      if (!inCore(tile, c.center)) continue;
      if (!region || insideMask(*region, hu.geometry.toPatient(c.center))) candidates.push_back(c);
    }
  }
  return candidates;
}

Expected<DetectionResult> Pipeline::run(const image::Volume& volume, const model::SeriesFacts& facts,
                                        const Options& options, const job::Context& context) {
  Stopwatch total, watch;
  DetectionResult result;
  result.geometry = volume.geometry();
  const model::Preprocessing& pre = m_package.preprocessing;
  result.provenance = {
      m_package.id,
      m_package.version,
      m_package.weightsSha256(),
      m_device->description(),
      precisionText(options.precision, nn::isQuantized(m_graph)),
      fmt::format("{:.2f} mm isotropic, window {:.0f} to {:.0f} HU", pre.spacingMm, pre.lowHu, pre.highHu),
      nowUtc(),
      kVersion,
      kCommit};
  if (const std::string rule = model::brokenRule(m_package.input, volume.geometry(), facts); !rule.empty()) {
    result.status = Status::rejectedInput;
    result.reason = rule + "; choose another series or another model";
    return result;
  }

  context.progress(0, "lung region");
  std::optional<LungRegion> lungs;
  if (options.region == Region::lung) {
    lungs = findLungRegion(volume);
    if (!lungs) result.remarks.push_back("no lung found: the whole volume was searched");
  }
  result.timingsMs["region"] = watch.lap();
  if (context.cancelled()) return wasCancelled();

  context.progress(0.05, "resample");
  const Geometry grid = networkGrid(volume, lungs ? &*lungs : nullptr, pre);
  const Image<float> hu = image::resampleLinear(volume, grid);
  result.timingsMs["resample"] = watch.lap();
  if (context.cancelled()) return wasCancelled();

  auto candidates = search(hu, lungs ? &lungs->mask : nullptr, options.precision, context.part(0.1, 0.9));
  if (!candidates) return passError(candidates);
  result.timingsMs["network"] = watch.lap();

  context.progress(0.9, "measure");
  const double threshold = options.threshold.value_or(m_package.output.threshold);
  for (const Candidate& c : suppress(std::move(*candidates), m_package.output.nmsIou, m_package.output.maxFindings)) {
    Finding f = makeFinding(c, grid, m_package);
    if (f.score < threshold) continue;
    f.id = static_cast<int>(result.findings.size()) + 1;
    result.findings.push_back(std::move(f));
  }
  if (context.cancelled()) return wasCancelled();
  segmentAndMeasure(volume, result.findings);
  result.timingsMs["measure"] = watch.lap();
  result.timingsMs["total"] = total.lap();
  result.status = Status::succeeded;
  context.progress(1, "done");
  return result;
}

}  // namespace lynceus::detect
