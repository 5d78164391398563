// The curves of an evaluation as SVG: black on white, two panels, readable in print.
#pragma once

#include <string>

#include "core/evaluate/froc.h"
#include "core/evaluate/patches.h"

namespace lynceus::evaluate {

/// Left the FROC curve with its 95 % band and the seven operating points, right the reliability of the scores.
/// @param title  above both.
std::string plotOf(const Froc& froc, const std::string& title);

/// Left the ROC curve with the operating point, right the reliability of the scores.
std::string plotOf(const Patches& patches, const std::string& title);

}  // namespace lynceus::evaluate
