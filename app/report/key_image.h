// A picture of one finding for a report: where it is, what it looks like, how it was measured.
#pragma once

#include <filesystem>
#include <string>

#include "core/detect/finding.h"
#include "core/error.h"
#include "core/image/volume.h"

namespace lynceus::report {

struct KeyImageOptions {
  double windowWidthHu = 1500;
  double windowCenterHu = -600;
  std::string title;     ///< such as patient and study; shown as given
  std::string subtitle;  ///< such as series and model
};

/// Writes a PNG of 1100 x 620 pixels: the whole slice with a ring around the lesion, and details of about 60 mm in
/// three planes with mask outline, long and short axis. Panels follow the axes of the volume nearest to the patient's,
/// patient's right on the left of the image; letters name the nearest anatomical directions. With measurements the
/// slice is that of the long axis, else that of the centre. Any thread. @return ErrorCode::resource where the file
/// cannot be written; a file is complete or not there.
Expected<void> writeKeyImage(const image::Volume& volume, const detect::Finding& finding,
                             const KeyImageOptions& options, const std::filesystem::path& path);

}  // namespace lynceus::report
