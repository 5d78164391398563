// Fuzz target: any bytes in the pre-scan end in a data set or an error, within its bounds; what it found can be asked
// for.
#include <cstdlib>

#include "io/dicom/dataset.h"

using namespace lynceus;
using io::dicom::DataSet;

static void require(bool promise) {
  if (!promise) std::abort();
}

// Whatever the header claims, an element lies in the file; of a deflated one: in its stream, whose length nobody knows.
static void check(const DataSet& set, size_t fileSize) {
  constexpr size_t kAskedFor = 200;  // looking up is linear
  const bool deflated = set.transferSyntaxUid() == "1.2.840.10008.1.2.1.99";
  require(set.elements().size() <= io::dicom::kMaxElements);
  for (size_t i = 0; i < set.elements().size(); ++i) {
    const DataSet::Element& e = set.elements()[i];
    require(e.parent == DataSet::kRoot || (e.parent >= 0 && static_cast<size_t>(e.parent) < i));
    require(deflated || e.offset <= fileSize);
    require(deflated || e.length == io::dicom::kUndefinedLength || e.length <= fileSize - e.offset);
    if (i >= kAskedFor) continue;
    static_cast<void>(set.text(e.tag, e.parent));
    static_cast<void>(set.part(e.tag, 1, e.parent));
    static_cast<void>(set.number(e.tag, 2, e.parent));
    static_cast<void>(set.integer(e.tag, 0, e.parent));
    static_cast<void>(set.items(e.tag, e.parent));
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const auto extent : {io::dicom::Extent::header, io::dicom::Extent::whole}) {
    io::ByteReader file = io::ByteReader::ofMemory({data, data + size}, "fuzz.dcm");
    const auto set = DataSet::read(file, extent);
    if (set && *set) check(**set, size);
  }
  return 0;
}
