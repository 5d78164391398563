// Which series of a study a model reads.
#pragma once

#include <string>
#include <vector>

#include "core/model/package.h"
#include "io/source.h"

namespace lynceus::study {

/// What the user asked for.
struct Selection {
  enum class What {
    best,         ///< the one series that fits the model best
    bestOfStudy,  ///< the same for each study of the source
    all,
    named,  ///< the one whose id is `seriesId`; empty: the only one
  };
  What what = What::best;
  std::string seriesId;
  model::InputRules rules;  ///< of the model
  bool acceptGeometry = false;
};

struct ChosenSeries {
  size_t index = 0;                   ///< into source.series
  std::string id;                     ///< dicom::Series::id()
  std::string why;                    ///< a sentence for the user; empty where there was nothing to choose
  detect::SeriesReference reference;  ///< io::describeSeries()
};

/// The best series is a volume without guessing (then, where accepted, one that needs resampling), within the rules,
/// with the thinnest slices. Where none fits it is the one with the most slices: loading or the pipeline then says what
/// is wrong with it.
/// @return ErrorCode::wrongUse where there is no series of that name.
Expected<std::vector<ChosenSeries>> chooseSeries(const io::Source& source, const Selection& selection);

/// Why a model must not be used on a series: the rule that it breaks, as a clause; empty where it may be.
std::string whyRefused(const io::dicom::Series& series, const model::InputRules& rules);

/// What the input rules ask of a series beside its voxels.
model::SeriesFacts factsOf(const io::dicom::SeriesIdentity& identity);

}  // namespace lynceus::study
