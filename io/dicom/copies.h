// The same file twice in one study: a copy in another folder, a second export onto the same disk.
#pragma once

#include <vector>

#include "io/dicom/slice.h"

namespace lynceus::io::dicom {

/// Of files with the same SOP Instance UID in the same series of the same patient and the same bytes, the first stays
/// and the others are taken out. Files that differ all stay: which is right nobody can know, and the geometry gate
/// calls them duplicates. Reads only files that share a UID, on all threads.
/// @return how many were taken out.
size_t removeCopies(std::vector<SliceHeaders>& files);

}  // namespace lynceus::io::dicom
