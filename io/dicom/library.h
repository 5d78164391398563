// What DCMTK needs once for each program, and which transfer syntaxes there are.
#pragma once

#include <string>

namespace lynceus::io::dicom {

/// Decoders registered, its dictionary loaded, its own log silent. Any thread, any number of times.
void prepareLibrary();

/// What turns pixels of a transfer syntax into numbers.
enum class Codec { none, rle, jpeg, jpeg2000, unknown };
Codec codecOf(const std::string& transferSyntaxUid);

/// Can pixels of this transfer syntax be read? Any thread.
bool canDecode(const std::string& transferSyntaxUid);

/// "JPEG-LS lossless" for 1.2.840.10008.1.2.4.80; the UID where it has no name. Any thread.
std::string transferSyntaxName(const std::string& uid);

}  // namespace lynceus::io::dicom
