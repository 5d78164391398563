// From stored values to Hounsfield units: PS3.5 section 8.1.1 (bits) and PS3.3 section C.7.6.16.2.9 (rescale).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/error.h"
#include "io/dicom/slice.h"

namespace lynceus::io::dicom {

/// Which of its 16 bits a stored value has. Bits outside are not part of it: old scanners put overlays there.
struct StoredFormat {
  int bitsStored = 16;
  int highBit = 15;
  bool isSigned = false;
};

struct Rescale {
  double slope = 1, intercept = 0;
};

/// Stored values that mark pixels outside the reconstructed circle; none where low > high.
struct Padding {
  int low = 0, high = -1;
  bool covers(int stored) const { return stored >= low && stored <= high; }
};

/// Turns 16 bits a pixel, as they are in the file, into Hounsfield units, in place. Integral slope and intercept:
/// exact; else rounded once to the nearest (a tie to the even one), and the largest error is given back. Padding whose
/// value does not fit int16 becomes air; any other value that does not fit is an error.
/// @param bits  in the byte order of this machine. Any thread.
/// @param file  for the message.
Expected<SlicePixels> toHounsfield(std::span<int16_t> bits, const StoredFormat& format, const Rescale& rescale,
                                   const Padding& padding, const std::string& file);

}  // namespace lynceus::io::dicom
