#include "core/phantom/chest.h"

#include "core/parallel.h"
#include "core/phantom/bones.h"
#include "core/phantom/distractor.h"
#include "core/phantom/implants.h"
#include "core/phantom/lung_disease.h"
#include "core/phantom/mediastinum.h"
#include "core/phantom/random.h"
#include "core/phantom/render.h"
#include "core/phantom/vessel_tree.h"

namespace lynceus::phantom {
namespace {

double bodyWidth(const Anatomy& a) { return 2 * (a.halfWidthMm + 36 + 0.9 * a.fatMm); }

Expected<image::Geometry> chooseGeometry(const PhantomOptions& options, const Anatomy& a, const Scanner& scanner) {
  image::Geometry g;
  g.size = options.size;
  g.spacingMm = options.spacingMm;
  if (g.size.x < 0 || g.size.y < 0 || g.size.z < 0 || g.spacingMm.x < 0 || !(g.spacingMm.z > 0)) {
    return makeError(ErrorCode::wrongUse,
                     "a phantom of {} x {} x {} voxels with {} mm between slices cannot be made: "
                     "give positive sizes",
                     g.size.x, g.size.y, g.size.z, g.spacingMm.z);
  }
  if (g.size.x == 0) {
    const double needed = g.spacingMm.x > 0 ? (bodyWidth(a) + 12) / g.spacingMm.x : 512;
    g.size.x = 16 * static_cast<int>(std::ceil(needed / 16));
  }
  g.size.y = g.size.x;
  if (g.spacingMm.x == 0) g.spacingMm.x = std::round(1e5 * scanner.fieldOfViewMm / g.size.x) / 1e5;
  g.spacingMm.y = g.spacingMm.x;
  const double coverage = options.coverageMm > 0 ? options.coverageMm : a.height() + 40;
  if (g.size.z == 0) g.size.z = std::max(1, static_cast<int>(std::lrint(coverage / g.spacingMm.z)));
  const double front = a.sternumY(-60) - 12 - 0.8 * a.fatMm, back = a.spineY(-60) + 58 + 0.8 * a.fatMm;
  const Point3 middle = a.pose.toPatient({0, 0.5 * (front + back) + 6, 0.5 * (a.apexZ + a.baseZ) + 2});
  const Vec3 half =
      Vec3{(g.size.x - 1) * g.spacingMm.x, (g.size.y - 1) * g.spacingMm.y, (g.size.z - 1) * g.spacingMm.z} * 0.5;
  const auto tidy = [](double v) { return std::round(v * 1000) / 1000; };  // as a DICOM header writes it
  g.originMm = {tidy(middle.x - half.x), tidy(middle.y - half.y), tidy(middle.z - half.z)};
  if (auto checked = g.check(); !checked) return passError(checked);
  return g;
}

void moveToPatient(Scene& scene, const Pose& pose) {
  for (auto& layer : scene.layers) {
    for (Shape& shape : layer) shape = shape.moved(pose);
  }
}

image::Mask drawLungMask(const Fields& fields, const image::Geometry& g) {
  image::Mask mask(g);
  parallelFor(g.size.z, [&](int64_t slice) {
    const int z = static_cast<int>(slice);
    for (int y = 0; y < g.size.y; ++y) {
      for (int x = 0; x < g.size.x; ++x) {
        mask.at(x, y, z) = fields.sample(kLung, g.toPatient({double(x), double(y), double(z)})) < 0 ? 1 : 0;
      }
    }
  });
  return mask;
}

// The lesions of a patient, of one kind or the other.
struct Lesions {
  std::vector<Nodule> sculpted;
  std::vector<GrownLesion> grown;
  std::vector<Lesion> truth;  ///< largest first
};

Lesions addLesions(const PhantomOptions& options, const Anatomy& anatomy, const Fields& fields,
                   const image::Geometry& g, Scene& scene) {
  const Point3 last = g.toPatient({g.size.x - 1.0, g.size.y - 1.0, g.size.z - 1.0});
  const LesionRequest request{LesionCase::draw(options.seed, options.nodules, options.atLeastNodules), g.originMm,
                              last};
  Lesions lesions;
  if (options.lesions == LesionKind::sculpted) {
    lesions.sculpted = placeNodules(anatomy, fields, scene, request);
    for (const Nodule& n : lesions.sculpted) {
      lesions.truth.push_back(n);
      lesions.truth.back().mask = maskOf(n, fields, g);
      for (const auto& [layer, shape] : n.strands) scene.add(layer, shape);
    }
  } else {
    lesions.grown = growLesions(anatomy, fields, scene, request);
    for (const GrownLesion& n : lesions.grown) {
      lesions.truth.push_back(n);
      lesions.truth.back().mask = maskOf(n, g);
    }
  }
  std::stable_sort(lesions.truth.begin(), lesions.truth.end(),
                   [](const Lesion& a, const Lesion& b) { return a.diameterMm > b.diameterMm; });
  return lesions;
}

}  // namespace

Expected<Phantom> makeChest(const PhantomOptions& options, job::Context& context) {
  Anatomy anatomy = Anatomy::draw(options.seed, options.tame);
  if (options.disease) anatomy.disease = *options.disease;
  Scanner scanner = Scanner::draw(options.seed, bodyWidth(anatomy), options.tame);
  const auto geometry = chooseGeometry(options, anatomy, scanner);
  if (!geometry) return passError(geometry);
  context.progress(0, "growing anatomy");

  Scene scene;
  const std::vector<Shape> vessels = greatVessels(anatomy);
  scene.layers[kLayerMediastinal] = vessels;
  // a fixed box around the whole chest: the anatomy must not depend on the part that the volume shows
  const double reach = bodyWidth(anatomy) / 2 + 20;
  const Point3 shift = anatomy.pose.shiftMm;
  Fields fields(anatomy, vessels, {shift.x - reach, shift.y - 190, shift.z + anatomy.baseZ - 60},
                {shift.x + reach, shift.y + 190, shift.z + anatomy.apexZ + 60});
  addOrgans(anatomy, scene);
  addCentralAirways(anatomy, scene);
  addLungTrees(anatomy, fields, scene);
  addBones(anatomy, scene);
  addArterialCalcium(anatomy, {vessels.begin(), vessels.begin() + kAortaPieces}, scene);
  addImplants(anatomy, scene);
  moveToPatient(scene, anatomy.pose);
  if (context.cancelled()) return makeError(ErrorCode::cancelled, "the phantom was stopped before it was complete");

  std::vector<Distractor> distractors = addLungDisease(anatomy, fields, scene);
  addDistractors(anatomy, fields, scene);
  const std::vector<Distractor> marked = listDistractors(scene);
  distractors.insert(distractors.end(), marked.begin(), marked.end());
  const auto branches = static_cast<int>(scene.layers[kLayerLungVessels].size());
  Lesions lesions = addLesions(options, anatomy, fields, *geometry, scene);

  const double thickness = options.sliceThicknessMm > 0 ? options.sliceThicknessMm : geometry->spacingMm.z;
  scanner.adaptNoise(thickness, geometry->spacingMm.z);
  const RenderInput input{anatomy, fields,    scene,     lesions.sculpted, lesions.grown,
                          scanner, *geometry, thickness, options.blur,     options.noise};
  auto hu = render(input, context);
  if (!hu) return passError(hu);
  auto volume = image::Volume::create(*geometry, std::move(*hu));
  if (!volume) return passError(volume);

  Phantom phantom{std::move(*volume),
                  std::move(lesions.truth),
                  std::move(distractors),
                  scanner,
                  thickness,
                  anatomy.female,
                  anatomy.contrast,
                  branches,
                  "",
                  std::nullopt};
  if (options.lungMask) phantom.lung = drawLungMask(fields, *geometry);
  phantom.description =
      fmt::format("synthetic chest CT, seed {}: {}, {}, {} kernel, noise {:.0f} HU, {} nodules", options.seed,
                  anatomy.female ? "female" : "male", anatomy.contrast ? "contrast" : "no contrast", scanner.kernel,
                  scanner.noiseSdHu, phantom.nodules.size());
  return phantom;
}

}  // namespace lynceus::phantom
