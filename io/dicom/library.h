// What DCMTK needs once for each program: decoders registered, its dictionary loaded, its own log silent.
#pragma once

#include <string>

namespace lynceus::io::dicom {

/// Any thread, any number of times.
void prepareLibrary();

/// Can pixels of this transfer syntax be read? Any thread.
bool canDecode(const std::string& transferSyntaxUid);

/// "JPEG-LS lossless" for 1.2.840.10008.1.2.4.80; the UID where DCMTK knows no name.
std::string transferSyntaxName(const std::string& uid);

}  // namespace lynceus::io::dicom
