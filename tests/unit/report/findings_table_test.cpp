#include "app/report/findings_table.h"

#include <gmock/gmock.h>

namespace lynceus::report {
namespace {

using detect::DetectionResult;
using detect::Status;
using testing::HasSubstr;
using testing::Not;

DetectionResult withStatus(Status status, std::string reason) {
  DetectionResult r;
  r.status = status;
  r.reason = std::move(reason);
  return r;
}

TEST(FindingsTable, SaysNoFindingsOnlyWhenTheWholeInputWasSearched) {
  EXPECT_EQ(findingsTable(withStatus(Status::succeeded, "")), "No findings\n");
  const auto partial = findingsTable(withStatus(Status::partial, "slices 1 to 50 of 99 were searched"));
  EXPECT_EQ(partial, "PARTIAL RESULT, nothing found in the part searched: slices 1 to 50 of 99 were searched\n");
  EXPECT_EQ(findingsTable(withStatus(Status::rejectedInput, "slices are 7 mm apart")),
            "INPUT REJECTED, not searched: slices are 7 mm apart\n");
  EXPECT_EQ(findingsTable(withStatus(Status::failed, "out of memory")), "FAILED, no result: out of memory\n");
  EXPECT_THAT(findingsTable(withStatus(Status::failed, "")), Not(HasSubstr("No findings")));
}

TEST(FindingsTable, ShowsOneAlignedRowForEachFinding) {
  DetectionResult r = withStatus(Status::succeeded, "");
  r.geometry = image::Geometry{{64, 64, 20}, {1, 1, 2.5}, {0, 0, -100}, {image::Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  r.remarks = {"no lung found: searched the whole volume"};
  detect::Finding f;
  f.id = 1;
  f.score = 0.875;
  f.centerMm = {-52.34, 85.77, -75};
  f.measurements = detect::Measurements{523.6, 10, 12.34, 8.96, -45.2, 30, {}, {}, "a/1"};
  detect::Finding unmeasured;
  unmeasured.id = 2;
  unmeasured.estimatedDiameterMm = 4.2;
  r.findings = {f, unmeasured};
  EXPECT_EQ(
      findingsTable(r),
      "2 findings\n"
      "note: no lung found: searched the whole volume\n"
      "  #  score  diameter mm   long x short  volume mm3  mean HU        position (LPS mm)  slice  kind\n"
      "  1   0.88         10.0     12.3 x 9.0         524      -45       -52.3, 85.8, -75.0     11  lung-nodule\n"
      "  2   0.00         ~4.2              -           -        -            0.0, 0.0, 0.0     41  lung-nodule\n");
}

}  // namespace
}  // namespace lynceus::report
