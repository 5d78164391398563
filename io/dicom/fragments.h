// The compressed bytes of frames and the fragments in which a file keeps them (PS3.5 annex A.4).
#pragma once

#include <cstdint>
#include <vector>

#include "core/error.h"
#include "io/byte_reader.h"
#include "io/dicom/series.h"

namespace lynceus::io::dicom {

using Fragments = std::vector<PixelLayout::Fragment>;

/// Which fragments belong to which of `frames` frames: one each, or as the offset table says, or the markers with which
/// JPEG, JPEG-LS and JPEG 2000 images begin.
/// @param offset  of the value of Pixel Data, where the item with the offset table begins.
Expected<std::vector<Fragments>> fragmentsOfFrames(ByteReader& file, uint64_t offset, size_t frames);

/// One frame's fragments, joined: those that `layout` lists, or where it lists none all that follow the offset table.
/// A missing end of the sequence is accepted where the last fragment is whole. An error names file and byte.
Expected<std::vector<uint8_t>> readFragments(ByteReader& file, const PixelLayout& layout);

}  // namespace lynceus::io::dicom
