// Fuzz target: any bytes in the pre-scan end in a data set or an error, within its bounds; what it found can be asked for.
#include <cstdlib>

#include "io/dicom/dataset.h"

using namespace lynceus;
using io::dicom::DataSet;

static void require(bool promise) {
  if (!promise) std::abort();
}

// Whatever the header claims, an element lies in the file, or in the part of a deflated stream that is ever unpacked.
static void checkBounds(const DataSet& set) {
  require(set.elements().size() <= io::dicom::kMaxElements);
  for (size_t i = 0; i < set.elements().size(); ++i) {
    const DataSet::Element& e = set.elements()[i];
    require(e.parent == DataSet::kRoot || (e.parent >= 0 && static_cast<size_t>(e.parent) < i));
    const int parent = e.parent;
    static_cast<void>(set.text(e.tag, parent));
    static_cast<void>(set.part(e.tag, 1, parent));
    static_cast<void>(set.number(e.tag, 2, parent));
    static_cast<void>(set.integer(e.tag, 0, parent));
    if (i < 100) static_cast<void>(set.items(e.tag, parent));
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const auto extent : {io::dicom::Extent::header, io::dicom::Extent::whole}) {
    io::ByteReader file = io::ByteReader::ofMemory({data, data + size}, "fuzz.dcm");
    const auto set = DataSet::read(file, extent);
    if (set && *set) checkBounds(**set);
  }
  return 0;
}
