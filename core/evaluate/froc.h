// Free-response ROC: sensitivity against false marks per scan, as LUNA16 computes it (noduleCADEvaluationLUNA16).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/evaluate/calibration.h"
#include "core/evaluate/match.h"

namespace lynceus::evaluate {

/// False marks per scan at which the sensitivity is read; their mean is the CPM, the score of LUNA16.
inline constexpr std::array<double, 7> kRates{0.125, 0.25, 0.5, 1, 2, 4, 8};
/// Steps of the plotted curve, evenly in the logarithm: every 16th is one of kRates.
inline constexpr size_t kCurveSteps = 97;
double curveRate(size_t step);

struct KnownFinding {
  Ball ball;
  std::string place;                ///< where it was read, such as "line 12"
  std::vector<std::string> groups;  ///< its value of each FrocInput::groupColumns
};

struct Scan {
  std::string name;  ///< Series Instance UID, or the folder of a study
  std::vector<KnownFinding> findings;
  std::vector<Ball> excluded;  ///< marks in them are ignored
  std::vector<Mark> marks;
  bool countsFalseMarks = true;  ///< not so: it contributes its findings only (pseudo-FROC)
};

struct FrocInput {
  std::vector<Scan> scans;
  std::vector<std::string> groupColumns;  ///< besides the diameter, by which findings are always grouped
};

/// Sensitivity among findings of one kind, at thresholds of all findings.
struct FrocGroup {
  std::string column, value;
  size_t findings = 0;
  std::array<Estimate, 7> sensitivity;
  Estimate cpm;
};

struct Froc {
  struct Counts {
    size_t scans = 0, scansWithFindings = 0, scansForFalseMarks = 0, findings = 0, excluded = 0, marks = 0;
    size_t hit = 0, falseMarks = 0, duplicate = 0, ignored = 0, surplus = 0;  ///< of the marks
    size_t outside = 0;  ///< of the marks: false, but in scans that contribute findings only
  };
  struct OperatingPoint {
    double rate = 0;                  ///< false marks per scan
    std::optional<double> threshold;  ///< the lowest score that keeps the rate; absent: the strongest marks break it
    Estimate sensitivity;
  };
  struct CurvePoint {
    double rate = 0;
    double sensitivity = 0;
    Spread spread;
  };
  struct FindingScore {
    size_t scan = 0, finding = 0;  ///< in the input
    std::optional<double> score;   ///< of the mark that hit it; absent: missed at every threshold
  };

  bool pseudo = false;  ///< findings and false marks come from different scans
  Counts counts;
  double mostFalsePerScan = 0;  ///< with all marks; beyond it the curve stays as it is
  std::array<OperatingPoint, 7> points;
  Estimate cpm;
  std::vector<CurvePoint> curve;  ///< kCurveSteps
  std::vector<FrocGroup> groups;  ///< by diameter first, then by each column; only those with findings
  std::vector<FindingScore> findings;
  std::optional<Calibration> calibration;  ///< of marks that hit or are false; absent where a score is no probability
};

/// The official procedure: match() in each scan; the curve steps from score to score, marks of equal score together;
/// straight lines between its points and a level one behind the last; findings without a mark are never found. Samples
/// of the bootstrap without a finding (of a group) are left out of its intervals. Where some scans contribute findings
/// only, these and the others are drawn separately.
/// @return ErrorCode::badInput where there are no findings, no scan counts false marks, or a column has more than 50
/// values.
Expected<Froc> computeFroc(const FrocInput& input, const BootstrapOptions& options);

}  // namespace lynceus::evaluate
