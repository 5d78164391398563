#include "core/detect/pipeline.h"

#include <algorithm>
#include <cmath>

#include "core/detect/decode.h"
#include "core/detect/mirror.h"
#include "core/detect/second_stage.h"
#include "core/detect/stages.h"
#include "core/detect/tile_input.h"
#include "core/image/resample.h"

namespace lynceus::detect {
namespace {

using image::Geometry;
using image::Image;
using image::Int3;
using image::Mask;
using image::Vec3;

/// In the part that the tile answers for, or so near that its neighbour may have placed the same lesion on this side:
/// the two see different surroundings, and neither must leave it to the other. Suppression drops what both found.
bool inCore(const Tile& tile, const Vec3& p) {
  constexpr double kOverlap = 3;  // voxels, more than a cell of a coded output
  const auto within = [](double v, int first, int last) {
    return v >= first - 0.5 - kOverlap && v < last - 0.5 + kOverlap;
  };
  return within(p.x, tile.coreFirst.x, tile.coreLast.x) && within(p.y, tile.coreFirst.y, tile.coreLast.y) &&
         within(p.z, tile.coreFirst.z, tile.coreLast.z);
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

Finding makeFinding(const Candidate& c, const Geometry& grid, const model::Package& package) {
  Finding f;
  f.kind = package.output.kind;
  f.centerMm = grid.toPatient(c.center);
  f.boxMm = boxAround(grid, c);
  f.estimatedDiameterMm = std::cbrt(c.size.x * c.size.y * c.size.z) * package.preprocessing.spacingMm;
  const auto probability = [](double logit) { return 1 / (1 + std::exp(-logit)); };
  f.rawScore = probability(c.logit);
  if (c.secondLogit) f.secondStageRawScore = probability(*c.secondLogit);
  f.score = calibratedScore(c, package.calibration);
  return f;
}

std::vector<Finding> makeFindings(const std::vector<Candidate>& candidates, const Geometry& grid,
                                  const model::Package& package) {
  std::vector<Finding> findings;
  for (const Candidate& c : candidates) findings.push_back(makeFinding(c, grid, package));
  return findings;
}

void add(const TileOutputs& terms, TileOutputs& sum) {
  for (size_t o = 0; o < sum.size(); ++o) {
    if (!sum[o].tensor.isFloat() || sum[o].tensor.shape != terms[o].tensor.shape) continue;  // nothing that is decoded
    const std::vector<float>& from = terms[o].tensor.floats();
    std::vector<float>& to = sum[o].tensor.floats();
    std::transform(from.begin(), from.end(), to.begin(), to.begin(), [](float a, float b) { return a + b; });
  }
}

void scale(float factor, TileOutputs& outputs) {
  for (auto& output : outputs) {
    if (!output.tensor.isFloat()) continue;
    for (float& v : output.tensor.floats()) v *= factor;
  }
}

// What the result records. A quantised network has float parts, too.
std::string precisionText(compute::Precision precision, bool quantized) {
  const std::string floats = precision == compute::Precision::bf16 ? "bf16" : "fp32";
  return quantized ? "int8 and " + floats : floats;
}

}  // namespace

Pipeline::Pipeline(model::Package package, Network network, std::optional<Network> secondNetwork,
                   std::shared_ptr<compute::Device> device)
    : m_package(std::move(package)),
      m_device(std::move(device)),
      m_network(std::move(network)),
      m_secondNetwork(std::move(secondNetwork)) {}

Expected<Pipeline> Pipeline::create(model::Package package, std::shared_ptr<compute::Device> device) {
  if (auto verified = model::verifyPackage(package); !verified) return passError(verified);
  auto network = Network::read(package.folder / package.network);
  if (!network) return passError(network);
  std::optional<Network> second;
  if (package.secondStage) {
    auto read = Network::read(package.folder / package.secondStage->network);
    if (!read) return passError(read);
    second = std::move(*read);
  }
  return Pipeline(std::move(package), std::move(*network), std::move(second), std::move(device));
}

Expected<TileOutputs> Pipeline::runTile(const nn::Tensor& tile, const Options& options, const job::Context& context) {
  const nn::Shape& s = tile.shape;
  const Int3 size{static_cast<int>(s[4]), static_cast<int>(s[3]), static_cast<int>(s[2])};
  const int images = options.tta ? kMirrors : 1;
  TileOutputs sum;
  for (int image = 0; image < images; ++image) {
    if (context.cancelled()) return wasCancelled();
    nn::Tensor input = tile;
    mirror(input, image);
    auto outputs = m_network.run(*m_device, std::move(input), options.precision, context);
    if (!outputs) return passError(outputs);
    if (auto back = mirrorBack(*outputs, image, m_package.output, size); !back) return passError(back);
    if (image == 0)
      sum = std::move(*outputs);
    else
      add(*outputs, sum);
  }
  if (images > 1) scale(1.0F / static_cast<float>(images), sum);
  return sum;
}

Expected<std::vector<Candidate>> Pipeline::search(const Image<float>& hu, const Mask* region, const Options& options,
                                                  const job::Context& context) {
  const model::Tiling& tiling = m_package.tiling;
  const TilePlan plan = planTiles(hu.geometry.size, tiling.maxSizeVoxels, tiling.overlapVoxels, tiling.multipleOf);
  std::vector<Candidate> candidates;
  for (size_t t = 0; t < plan.tiles.size(); ++t) {
    context.progress(static_cast<double>(t) / static_cast<double>(plan.tiles.size()), "network");
    const Tile& tile = plan.tiles[t];
    const auto outputs = runTile(tileInput(hu, plan, tile, m_package.preprocessing), options, context);
    if (!outputs) return passError(outputs);
    auto found = decode(*outputs, m_package.output, m_package.preprocessing.spacingMm);
    if (!found) return passError(found);
    for (Candidate& c : *found) {
      c.center = c.center + Vec3{1.0 * tile.start.x, 1.0 * tile.start.y, 1.0 * tile.start.z};
      if (!inCore(tile, c.center)) continue;
      if (!region || contains(*region, hu.geometry.toPatient(c.center))) candidates.push_back(c);
    }
  }
  return candidates;
}

Expected<std::vector<Candidate>> Pipeline::choose(std::vector<Candidate> candidates, const image::Volume& volume,
                                                  const Geometry& grid, const Options& options,
                                                  const job::Context& context) {
  const model::Output& rules = m_package.output;
  const int limit = m_package.secondStage ? m_package.secondStage->candidates : rules.maxFindings;
  auto chosen = suppress(std::move(candidates), rules.nmsIou, limit);
  if (!m_secondNetwork) return chosen;
  if (auto done = classify(*m_secondNetwork, *m_device, volume, grid, m_package, options.precision, options.tta,
                           context, chosen);
      !done) {
    return passError(done);
  }
  return chosen;
}

Provenance Pipeline::provenance(const Options& options) const {
  const model::Preprocessing& pre = m_package.preprocessing;
  const bool quantized =
      nn::isQuantized(m_network.graph()) || (m_secondNetwork && nn::isQuantized(m_secondNetwork->graph()));
  Provenance p;
  p.modelId = m_package.id;
  p.modelVersion = m_package.version;
  p.weightsSha256 = m_package.weightsSha256();
  p.device = m_device->description();
  p.precision = precisionText(options.precision, quantized);
  p.preprocessing =
      fmt::format("{:.2f} mm isotropic, window {:.0f} to {:.0f} HU", pre.spacingMm, pre.lowHu, pre.highHu);
  if (const auto& second = m_package.secondStage) {
    p.secondStageSha256 = m_package.sha256.at(second->network);
    p.preprocessing += fmt::format(", second stage {} voxels of {:.2f} mm", second->cropVoxels, second->spacingMm);
  }
  if (options.tta) p.preprocessing += fmt::format(", tta {} mirrors", kMirrors);
  stamp(p);
  return p;
}

Expected<DetectionResult> Pipeline::run(const image::Volume& volume, const model::SeriesFacts& facts,
                                        const Options& options, const job::Context& context) {
  Stopwatch total, watch;
  DetectionResult result;
  result.geometry = volume.geometry();
  result.provenance = provenance(options);
  if (!admit(m_package.input, volume, facts, result)) return result;

  context.progress(0, "lung region");
  const std::optional<LungRegion> lungs = regionOf(volume, options.region, result);
  result.timingsMs["region"] = watch.lap();
  if (context.cancelled()) return wasCancelled();

  context.progress(0.05, "resample");
  const Geometry grid = networkGrid(volume, lungs ? &*lungs : nullptr, m_package.preprocessing);
  const Image<float> hu = image::resampleLinear(volume, grid);
  result.timingsMs["resample"] = watch.lap();
  if (context.cancelled()) return wasCancelled();

  const double searched = m_package.secondStage ? 0.8 : 0.9;
  auto candidates = search(hu, lungs ? &lungs->mask : nullptr, options, context.part(0.1, searched));
  if (!candidates) return passError(candidates);
  result.timingsMs["network"] = watch.lap();
  const auto chosen = choose(std::move(*candidates), volume, grid, options, context.part(searched, 0.9));
  if (!chosen) return passError(chosen);
  if (m_package.secondStage) result.timingsMs["secondStage"] = watch.lap();

  context.progress(0.9, "measure");
  result.findings = makeFindings(*chosen, grid, m_package);
  rank(result.findings, options.threshold.value_or(m_package.output.threshold),
       static_cast<size_t>(m_package.output.maxFindings));
  if (context.cancelled()) return wasCancelled();
  if (auto done = segmentAndMeasure(volume, context.part(0.9, 1), result.findings); !done) return passError(done);
  result.timingsMs["measure"] = watch.lap();
  result.timingsMs["total"] = total.lap();
  result.status = Status::succeeded;
  context.progress(1, "done");
  return result;
}

}  // namespace lynceus::detect
