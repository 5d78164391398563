#include "core/phantom/truth.h"

#include "core/version.h"

namespace lynceus::phantom {
namespace {

detect::Finding findingOf(const Lesion& n, int id) {
  detect::Finding f;
  f.id = id;
  f.centerMm = n.centreMm;
  f.boxMm = n.boxMm;
  f.estimatedDiameterMm = n.diameterMm;
  f.score = f.rawScore = 1;
  f.mask = n.mask;
  detect::Measurements m;
  m.volumeMm3 = n.volumeMm3;
  m.diameterMm = n.diameterMm;
  m.longAxisMm = n.longAxisMm;
  m.shortAxisMm = n.shortAxisMm;
  m.meanHu = n.meanHu;
  m.sdHu = n.sdHu;
  for (int i = 0; i < 2; ++i) {
    m.longAxisEndsMm[i] = n.longAxisEndsMm[i];
    m.shortAxisEndsMm[i] = n.shortAxisEndsMm[i];
  }
  m.algorithm = "phantom-truth/1";
  f.measurements = m;
  f.tags = {{"texture", std::string(name(n.texture))},
            {"margin", std::string(name(n.margin))},
            {"attachment", std::string(name(n.attachment))},
            {"calcified", n.calcification != Calcification::none ? "yes" : "no"},
            {"calcification", std::string(name(n.calcification))},
            {"inside", std::string(name(n.inside))},
            {"origin", std::string(name(n.origin))},
            {"location", std::string(name(n.location))}};
  return f;
}

nlohmann::json vector(const Vec3& v) { return nlohmann::json::array({v.x, v.y, v.z}); }

}  // namespace

detect::DetectionResult truthOf(const Phantom& phantom) {
  detect::DetectionResult truth;
  truth.status = detect::Status::succeeded;
  truth.remarks = {phantom.description};
  truth.geometry = phantom.volume.geometry();
  truth.provenance.modelId = "lynceus.phantom";
  truth.provenance.modelVersion = kVersion;
  truth.provenance.device = "none";
  truth.provenance.precision = "exact";
  truth.provenance.lynceusVersion = kVersion;
  truth.provenance.lynceusCommit = kCommit;
  for (const Lesion& n : phantom.nodules) {
    truth.findings.push_back(findingOf(n, static_cast<int>(truth.findings.size()) + 1));
  }
  return truth;
}

nlohmann::json describe(const Phantom& phantom, const PhantomOptions& options) {
  nlohmann::json distractors = nlohmann::json::array();
  for (const Distractor& d : phantom.distractors) {
    distractors.push_back({{"kind", d.kind}, {"boxMm", {{"min", vector(d.boxMm.min)}, {"max", vector(d.boxMm.max)}}}});
  }
  return {{"phantom",
           {{"seed", options.seed},
            {"description", phantom.description},
            {"lesions", std::string(name(options.lesions))},
            {"sex", phantom.female ? "female" : "male"},
            {"contrast", phantom.contrast},
            {"kernel", phantom.scanner.kernel},
            {"noiseSdHu", options.noise ? phantom.scanner.noiseSdHu : 0.0},
            {"sliceThicknessMm", phantom.sliceThicknessMm}}},
          {"distractors", distractors}};
}

}  // namespace lynceus::phantom
