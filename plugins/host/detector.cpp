#include "plugins/host/detector.h"

#include <algorithm>
#include <limits>

#include "core/detect/stages.h"
#include "core/parallel.h"
#include "plugins/host/foreign_struct.h"
#include "plugins/host/guarded.h"
#include "plugins/host/instance.h"

namespace lynceus::plugins {
namespace {

using detect::DetectionResult;
using detect::Finding;
using detect::Status;
using image::Geometry;

/// The region on the grid of the volume; both have the same axes.
std::vector<uint8_t> regionVoxels(const Geometry& volume, const image::Mask& region) {
  const image::Int3 most{region.geometry.size.x - 1, region.geometry.size.y - 1, region.geometry.size.z - 1};
  const auto nearest = [&](double x, double y, double z) {
    return region.geometry.nearestVoxel(volume.toPatient({x, y, z}));
  };
  std::vector<int> column(static_cast<size_t>(volume.size.x)), row(static_cast<size_t>(volume.size.y));
  for (int x = 0; x < volume.size.x; ++x) column[static_cast<size_t>(x)] = std::clamp(nearest(x, 0, 0).x, 0, most.x);
  for (int y = 0; y < volume.size.y; ++y) row[static_cast<size_t>(y)] = std::clamp(nearest(0, y, 0).y, 0, most.y);
  std::vector<uint8_t> inside(static_cast<size_t>(volume.voxelCount()));
  parallelForLarge(volume.size.z, volume.voxelCount(), [&](int64_t z) {
    const int slice = std::clamp(nearest(0, 0, static_cast<double>(z)).z, 0, most.z);
    uint8_t* out = inside.data() + z * volume.size.x * volume.size.y;
    for (const int y : row)
      for (const int x : column) *out++ = region.at(x, y, slice);
  });
  return inside;
}

lynceus_volume describeVolume(const image::Volume& volume, const uint8_t* region) {
  const Geometry& g = volume.geometry();
  lynceus_volume v{};
  v.struct_size = sizeof v;
  v.hu = volume.hu().data();
  v.region = region;
  v.size[0] = g.size.x, v.size[1] = g.size.y, v.size[2] = g.size.z;
  v.spacing_mm[0] = g.spacingMm.x, v.spacing_mm[1] = g.spacingMm.y, v.spacing_mm[2] = g.spacingMm.z;
  v.origin_mm[0] = g.originMm.x, v.origin_mm[1] = g.originMm.y, v.origin_mm[2] = g.originMm.z;
  for (size_t axis = 0; axis < 3; ++axis) {
    v.direction[axis] = g.direction[axis].x;
    v.direction[3 + axis] = g.direction[axis].y;
    v.direction[6 + axis] = g.direction[axis].z;
  }
  v.padding_hu = volume.paddingHu();
  return v;
}

detect::Provenance provenance(const Library& library, const Description& model, const Resources& resources,
                              compute::Precision precision) {
  detect::Provenance p;
  p.modelId = model.id;
  p.modelVersion = model.version;
  p.weightsSha256 = library.sha256();
  p.device = resources.device->description();
  p.precision = precision == compute::Precision::bf16 ? "bf16" : "fp32";
  p.preprocessing = "plugin ABI " + library.abi();
  detect::stamp(p);
  return p;
}

std::shared_ptr<Services> makeServices(const Library& library, const Description& model, const Geometry& geometry,
                                       const detect::Options& options, const Resources& resources,
                                       const job::Context& context) {
  return std::make_shared<Services>(Job{library.file().parent_path(), geometry, model.kinds, options.precision},
                                    resources, context);
}

/// How the work of a plugin ended.
struct Outcome {
  Status status = Status::failed;  ///< never partial
  bool noResource = false;
  std::string reason;  ///< empty where it succeeded
};

Outcome outcomeOf(const Expected<lynceus_status>& status, const Services& services, const Description& model) {
  const auto because = [&](std::string_view otherwise) {
    const std::string said = services.reason();
    return fmt::format("the plugin {} {}: {}", model.id, model.version, said.empty() ? otherwise : said);
  };
  if (!status) return {Status::failed, false, status.error().message};
  switch (*status) {
    case LYNCEUS_OK:
      if (services.refusal().empty()) return {Status::succeeded, false, {}};
      return {
          Status::failed, false,
          fmt::format("the plugin {} {} reported what is no finding: {}", model.id, model.version, services.refusal())};
    case LYNCEUS_REJECTED_INPUT: return {Status::rejectedInput, false, because("it rejects this series")};
    case LYNCEUS_NO_RESOURCE: return {Status::failed, true, because("it lacks memory, a file or a device")};
    case LYNCEUS_CANCELLED: return {Status::failed, false, because("it stopped, though nobody cancelled it")};
    case LYNCEUS_FAILED: return {Status::failed, false, because("it failed and did not say why")};
    default: return {Status::failed, false, because(fmt::format("it returned the unknown status {}", *status))};
  }
}

/// The interface that create() gave. `function` is the one in it that will be called.
template <class Interface, class Function>
Expected<Function> functionOf(const Library& library, const void* interfaceStruct, Function Interface::*member) {
  const auto functions = copyStruct(static_cast<const Interface*>(interfaceStruct), "the interface that create gave");
  if (!functions)
    return makeError(functions.error().code, "{}: {}", library.file().string(), functions.error().message);
  if (const Function function = (*functions).*member) return function;
  return makeError(ErrorCode::badInput, "{}: a function of the interface that create gave is a null pointer",
                   library.file().string());
}

Expected<Outcome> detectWith(Library& library, uint32_t model, const std::shared_ptr<Services>& services,
                             const lynceus_volume& volume, const job::Context& context) {
  const auto status = runInstance(library, model, services,
                                  [&](void* instance, const void* interfaceStruct) -> Expected<lynceus_status> {
                                    const auto detect = functionOf(library, interfaceStruct, &lynceus_detector::detect);
                                    if (!detect) return passError(detect);
                                    return guarded(library, "detect", [&] { return (*detect)(instance, &volume); });
                                  });
  if (context.cancelled()) return detect::wasCancelled();
  Outcome outcome = outcomeOf(status, *services, library.models()[model]);
  if (outcome.noResource) return makeError(ErrorCode::resource, "{}", outcome.reason);
  return outcome;
}

/// Scores in the order of the findings.
Expected<std::vector<double>> scoresOf(Library& library, uint32_t model, const std::shared_ptr<Services>& services,
                                       const lynceus_volume& volume, const std::vector<Finding>& findings,
                                       const job::Context& context) {
  const Description& description = library.models()[model];
  std::vector<lynceus_finding> candidates;
  for (const Finding& f : findings) {
    candidates.push_back({sizeof(lynceus_finding),
                          {f.centerMm.x, f.centerMm.y, f.centerMm.z},
                          f.estimatedDiameterMm,
                          f.score,
                          f.kind.c_str()});
  }
  std::vector<double> scores(findings.size(), std::numeric_limits<double>::quiet_NaN());
  const auto status = runInstance(
      library, model, services, [&](void* instance, const void* interfaceStruct) -> Expected<lynceus_status> {
        const auto classify = functionOf(library, interfaceStruct, &lynceus_classifier::classify);
        if (!classify) return passError(classify);
        return guarded(library, "classify", [&] {
          return (*classify)(instance, &volume, candidates.data(), static_cast<uint32_t>(candidates.size()),
                             scores.data());
        });
      });
  if (context.cancelled()) return detect::wasCancelled();
  const Outcome outcome = outcomeOf(status, *services, description);
  if (outcome.status != Status::succeeded) {
    return makeError(outcome.status == Status::rejectedInput ? ErrorCode::badInput : ErrorCode::resource, "{}",
                     outcome.reason);
  }
  const auto wrong = std::find_if(scores.begin(), scores.end(), [](double s) { return !(s >= 0 && s <= 1); });
  if (wrong != scores.end()) {
    return makeError(ErrorCode::resource, "the plugin {} {} gave finding {} the score {}, not 0 to 1", description.id,
                     description.version, findings[static_cast<size_t>(wrong - scores.begin())].id, *wrong);
  }
  return scores;
}

/// What the classifier can judge.
Expected<void> checkCandidates(const Description& model, const std::vector<Finding>& findings) {
  for (const Finding& f : findings) {
    if (std::find(model.kinds.begin(), model.kinds.end(), f.kind) == model.kinds.end()) {
      return makeError(ErrorCode::wrongUse, "the plugin {} judges {}, and finding {} is of the kind {}", model.id,
                       fmt::join(model.kinds, ", "), f.id, f.kind);
    }
  }
  return {};
}

}  // namespace

Expected<DetectionResult> runDetector(Library& library, const std::string& modelId, const image::Volume& volume,
                                      const model::SeriesFacts& facts, const detect::Options& options,
                                      const Resources& resources, const job::Context& context) {
  const auto index = library.find(modelId);
  if (!index) return passError(index);
  const Description& model = library.models()[*index];
  if (!model.isDetector())
    return makeError(ErrorCode::wrongUse, "the model {} is no detector: it is a {}", model.id, model.interfaceId);
  if (options.tta) {
    return makeError(ErrorCode::wrongUse, "test-time augmentation works with model packages, not with the plugin {}",
                     model.id);
  }
  detect::Stopwatch total, watch;
  DetectionResult result;
  result.geometry = volume.geometry();
  result.provenance = provenance(library, model, resources, options.precision);
  if (!detect::admit(model.input, volume, facts, result)) return result;

  context.progress(0, "lung region");
  const auto lungs = detect::regionOf(volume, options.region, result);
  const std::vector<uint8_t> region = lungs ? regionVoxels(volume.geometry(), lungs->mask) : std::vector<uint8_t>();
  result.timingsMs["region"] = watch.lap();
  if (context.cancelled()) return detect::wasCancelled();

  const job::Context working = context.part(0.1, 0.9);
  const auto services = makeServices(library, model, volume.geometry(), options, resources, working);
  const auto outcome =
      detectWith(library, *index, services, describeVolume(volume, lungs ? region.data() : nullptr), context);
  if (!outcome) return passError(outcome);
  result.timingsMs["plugin"] = watch.lap();
  result.status = outcome->status;
  result.reason = outcome->reason;
  if (!library.damage().empty()) result.remarks.push_back(library.damage());
  if (result.status != Status::succeeded) return result;

  result.findings = services->findings();
  detect::rank(result.findings, options.threshold.value_or(kDefaultThreshold), resources.limits.findings);
  const auto measured = detect::segmentAndMeasure(volume, context.part(0.9, 1), result.findings);
  if (!measured) return passError(measured);
  result.timingsMs["measure"] = watch.lap();
  result.timingsMs["total"] = total.lap();
  context.progress(1, "done");
  return result;
}

Expected<void> classify(Library& library, const std::string& modelId, const image::Volume& volume,
                        const model::SeriesFacts& facts, const detect::Options& options, const Resources& resources,
                        const job::Context& context, DetectionResult& result) {
  const auto index = library.find(modelId);
  if (!index) return passError(index);
  const Description& model = library.models()[*index];
  if (!model.isClassifier())
    return makeError(ErrorCode::wrongUse, "the model {} is no classifier: it is a {}", model.id, model.interfaceId);
  if (DetectionResult gate; !detect::admit(model.input, volume, facts, gate))
    return makeError(ErrorCode::badInput, "{}", gate.reason);
  if (auto checked = checkCandidates(model, result.findings); !checked) return checked;

  const job::Context working = context.part(0, 1);
  const auto services = makeServices(library, model, volume.geometry(), options, resources, working);
  const auto scores = scoresOf(library, *index, services, describeVolume(volume, nullptr), result.findings, context);
  if (!scores) return passError(scores);
  for (size_t i = 0; i < scores->size(); ++i) {
    Finding& f = result.findings[i];
    f.tags["detectorScore"] = fmt::format("{:.6g}", f.score);
    f.score = (*scores)[i];
  }
  detect::rank(result.findings, options.threshold.value_or(0), result.findings.size());
  result.provenance.secondStageSha256 = library.sha256();
  result.provenance.preprocessing += fmt::format(", judged by the plugin {} {}", model.id, model.version);
  if (!library.damage().empty()) result.remarks.push_back(library.damage());
  return {};
}

}  // namespace lynceus::plugins
