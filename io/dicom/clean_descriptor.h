// The Clean Descriptors option of PS3.15: a description keeps the words that cannot identify anybody and loses the
// rest.
#pragma once

#include <string>
#include <string_view>

namespace lynceus::io::dicom {

/// Keeps, in their order and separated by one blank: the words of a closed list (body parts, planes, phases, kinds of
/// scan, reconstruction terms; in any case of letters), kernel names (B70f, Br40, I31f, FC52), lengths in millimetres
/// ("3mm", "1.25 mm") and numbers with decimals below 100 ("1.5"). Everything else goes: names, dates, numbers that
/// may be ages or identifiers, whatever is not ASCII. The result is never longer than `text`, and may be empty.
std::string cleanDescriptor(std::string_view text);

}  // namespace lynceus::io::dicom
