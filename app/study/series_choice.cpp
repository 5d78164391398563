#include "app/study/series_choice.h"

#include <algorithm>
#include <map>

namespace lynceus::study {
namespace {

image::Geometry geometryOf(const io::dicom::Series& series) {
  image::Geometry g;
  g.size = series.size;
  g.spacingMm = series.spacingMm;
  return g;
}

/// 2: as it is, 1: resampled, 0: not at all.
int fitness(const io::dicom::Series& series, const Selection& selection) {
  if (!model::brokenRule(selection.rules, geometryOf(series), factsOf(series.identity)).empty()) return 0;
  return series.report.usable() ? 2 : selection.acceptGeometry && series.report.resamplable() ? 1 : 0;
}

ChosenSeries chosen(const io::Source& source, size_t index, std::string why = {}) {
  return {index, source.series[index].id(), std::move(why), io::describeSeries(source, index)};
}

/// Of these series, which are not none.
ChosenSeries bestOf(const io::Source& source, const std::vector<size_t>& among, const Selection& selection) {
  const auto better = [&](size_t i, size_t j) {
    const io::dicom::Series &a = source.series[i], &b = source.series[j];
    const int fitA = fitness(a, selection), fitB = fitness(b, selection);
    if (fitA != fitB) return fitA > fitB;
    if (fitA > 0 && a.spacingMm.z != b.spacingMm.z) return a.spacingMm.z < b.spacingMm.z;
    return a.size.z > b.size.z;
  };
  const size_t best = *std::min_element(among.begin(), among.end(), better);
  if (among.size() < 2) return chosen(source, best);
  const io::dicom::Series& series = source.series[best];
  const auto fitting =
      std::count_if(among.begin(), among.end(), [&](size_t i) { return fitness(source.series[i], selection) > 0; });
  return chosen(source, best,
                fitting > 0
                    ? fmt::format("{} of {} series fit the model; '{}' has the thinnest slices ({:.2f} mm, {} slices)",
                                  fitting, among.size(), series.name(), series.spacingMm.z, series.size.z)
                    : fmt::format("none of {} series fits the model; trying '{}', which has the most slices ({})",
                                  among.size(), series.name(), series.size.z));
}

}  // namespace

model::SeriesFacts factsOf(const io::dicom::SeriesIdentity& identity) {
  return {identity.modality, identity.sliceThicknessMm.value_or(0)};
}

std::string whyRefused(const io::dicom::Series& series, const model::InputRules& rules) {
  if (!series.report.usable()) return fmt::format("its geometry is {}", geometryClassName(series.report.geometryClass));
  return model::brokenRule(rules, geometryOf(series), factsOf(series.identity));
}

Expected<std::vector<ChosenSeries>> chooseSeries(const io::Source& source, const Selection& selection) {
  using What = Selection::What;
  if (selection.what == What::named) {
    const auto index = io::chooseSeries(source, selection.seriesId);
    if (!index) return passError(index);
    return std::vector{chosen(source, *index)};
  }
  std::vector<ChosenSeries> result;
  std::map<std::string, std::vector<size_t>> groups;
  for (size_t i = 0; i < source.series.size(); ++i) {
    if (selection.what == What::all) result.push_back(chosen(source, i));
    groups[selection.what == What::bestOfStudy ? source.series[i].identity.studyUid : ""].push_back(i);
  }
  if (selection.what == What::all) return result;
  for (const auto& [study, members] : groups) result.push_back(bestOf(source, members, selection));
  return result;
}

}  // namespace lynceus::study
