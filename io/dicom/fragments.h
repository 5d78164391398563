// The compressed bytes of a frame, out of the fragments in which a file keeps them (PS3.5 annex A.4).
#pragma once

#include <cstdint>
#include <vector>

#include "core/error.h"
#include "io/byte_reader.h"
#include "io/dicom/series.h"

namespace lynceus::io::dicom {

/// One frame's fragments, joined: those that `layout` lists, or where it lists none all that follow the offset table.
/// A missing end of the sequence is accepted where the last fragment is whole. An error names file and byte.
Expected<std::vector<uint8_t>> readFragments(ByteReader& file, const PixelLayout& layout);

}  // namespace lynceus::io::dicom
