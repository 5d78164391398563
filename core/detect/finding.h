// What detection says about a study: findings with measurements and provenance, and a status that is never ambiguous.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/image/geometry.h"

namespace lynceus::detect {

/// Axis-aligned box in patient space (LPS, mm).
struct BoxMm {
  image::Point3 min, max;
};

/// A voxel mask on the grid of the series, as runs along x: {offset of the first voxel, length}, ascending.
struct RunLengthMask {
  struct Run {
    int64_t offset = 0;
    int64_t length = 0;
    friend bool operator==(const Run&, const Run&) = default;
  };
  std::vector<Run> runs;
  int64_t voxelCount() const {
    int64_t n = 0;
    for (const Run& r : runs) n += r.length;
    return n;
  }
};

/// What is measured from a finding's mask. Absent as a whole where there is no mask.
struct Measurements {
  double volumeMm3 = 0;
  double diameterMm = 0;   ///< of the sphere of the same volume
  double longAxisMm = 0;   ///< RECIST: longest in-plane distance on one acquisition slice
  double shortAxisMm = 0;  ///< longest distance perpendicular to the long axis on the same slice
  double meanHu = 0;
  double sdHu = 0;
  image::Point3 longAxisEndsMm[2];   ///< LPS
  image::Point3 shortAxisEndsMm[2];  ///< LPS
  std::string algorithm;             ///< of the mask, such as "threshold-opening/1"
};

enum class ReviewState { proposed, accepted, rejected, edited };

struct Finding {
  int id = 0;                        ///< 1 for the strongest
  std::string kind = "lung-nodule";  ///< a code of the model package
  image::Point3 centerMm;            ///< LPS
  BoxMm boxMm;
  double estimatedDiameterMm = 0;             ///< what the network says; measurements hold what the mask says
  double score = 0;                           ///< calibrated, 0..1
  double rawScore = 0;                        ///< of the first stage, before calibration
  std::optional<double> secondStageRawScore;  ///< the same of the second stage; absent without one
  std::optional<RunLengthMask> mask;
  std::optional<Measurements> measurements;
  ReviewState review = ReviewState::proposed;
  std::map<std::string, std::string> tags;  ///< further coded facts, such as texture
};

/// Everything needed to say later which program found what in which images.
struct Provenance {
  std::string modelId, modelVersion, weightsSha256;
  std::string device, precision, preprocessing;
  std::string createdUtc;  ///< ISO 8601
  std::string lynceusVersion, lynceusCommit;
  std::string secondStageSha256 = {};  ///< of its weights; empty without a second stage
};

/// Which images were read.
struct SeriesReference {
  std::string source;  ///< the path as given
  std::string studyUid, seriesUid, seriesDescription;
  std::string patientId, patientName, patientBirthDate;
  std::string instancesSha256;  ///< over the sorted SOP Instance UIDs, or an image file's bytes
  int instanceCount = 0;
};

enum class Status {
  succeeded,      ///< the whole input was searched; no findings is a success
  partial,        ///< only a part was searched: `reason` says which
  rejectedInput,  ///< the input breaks a rule of the model or of the geometry gate: `reason` names it
  failed,         ///< something broke: `reason`
};

struct DetectionResult {
  Status status = Status::failed;
  std::string reason;                ///< empty only when succeeded without remark
  std::vector<std::string> remarks;  ///< what a reader should know, such as "no lung found: searched the whole volume"
  SeriesReference series;
  std::optional<image::Geometry> geometry;
  Provenance provenance;
  std::map<std::string, double> timingsMs;
  std::vector<Finding> findings;  ///< strongest first
};

}  // namespace lynceus::detect
