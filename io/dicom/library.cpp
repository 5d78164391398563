#include "io/dicom/library.h"

#include <algorithm>
#include <iterator>
#include <mutex>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

namespace lynceus::io::dicom {
namespace {

struct TransferSyntax {
  const char* uid;
  const char* name;
  Codec codec;
};

// PS3.6 annex A. Those that no CT comes in are here for their name.
constexpr TransferSyntax kTransferSyntaxes[] = {
    {"1.2.840.10008.1.2", "uncompressed (implicit VR)", Codec::none},
    {"1.2.840.10008.1.2.1", "uncompressed", Codec::none},
    {"1.2.840.10008.1.2.2", "uncompressed (big endian)", Codec::none},
    {"1.2.840.10008.1.2.1.99", "deflated", Codec::none},
    {"1.2.840.10008.1.2.5", "RLE lossless", Codec::rle},
    {"1.2.840.10008.1.2.4.50", "JPEG baseline (lossy)", Codec::jpeg},
    {"1.2.840.10008.1.2.4.51", "JPEG extended (lossy)", Codec::jpeg},
    {"1.2.840.10008.1.2.4.53", "JPEG spectral selection (lossy)", Codec::jpeg},
    {"1.2.840.10008.1.2.4.55", "JPEG progressive (lossy)", Codec::jpeg},
    {"1.2.840.10008.1.2.4.57", "JPEG lossless", Codec::jpeg},
    {"1.2.840.10008.1.2.4.70", "JPEG lossless", Codec::jpeg},
    {"1.2.840.10008.1.2.4.80", "JPEG-LS lossless", Codec::jpeg},
    {"1.2.840.10008.1.2.4.81", "JPEG-LS near-lossless", Codec::jpeg},
    {"1.2.840.10008.1.2.4.90", "JPEG 2000 lossless", Codec::jpeg2000},
    {"1.2.840.10008.1.2.4.91", "JPEG 2000", Codec::jpeg2000},
    {"1.2.840.10008.1.2.1.98", "encapsulated uncompressed", Codec::unknown},
    {"1.2.840.10008.1.2.4.92", "JPEG 2000 part 2 lossless", Codec::unknown},
    {"1.2.840.10008.1.2.4.93", "JPEG 2000 part 2", Codec::unknown},
    {"1.2.840.10008.1.2.4.94", "JPIP (pixels on a server)", Codec::unknown},
    {"1.2.840.10008.1.2.4.95", "JPIP (pixels on a server, deflated)", Codec::unknown},
    {"1.2.840.10008.1.2.4.100", "MPEG-2", Codec::unknown},
    {"1.2.840.10008.1.2.4.101", "MPEG-2", Codec::unknown},
    {"1.2.840.10008.1.2.4.102", "MPEG-4", Codec::unknown},
    {"1.2.840.10008.1.2.4.103", "MPEG-4", Codec::unknown},
    {"1.2.840.10008.1.2.4.104", "MPEG-4", Codec::unknown},
    {"1.2.840.10008.1.2.4.105", "MPEG-4", Codec::unknown},
    {"1.2.840.10008.1.2.4.106", "MPEG-4", Codec::unknown},
    {"1.2.840.10008.1.2.4.107", "HEVC", Codec::unknown},
    {"1.2.840.10008.1.2.4.108", "HEVC", Codec::unknown},
    {"1.2.840.10008.1.2.4.110", "JPEG XL lossless", Codec::unknown},
    {"1.2.840.10008.1.2.4.111", "JPEG XL of JPEG", Codec::unknown},
    {"1.2.840.10008.1.2.4.112", "JPEG XL", Codec::unknown},
    {"1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 lossless", Codec::unknown},
    {"1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 lossless (RPCL)", Codec::unknown},
    {"1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000", Codec::unknown},
    {"1.2.840.113619.5.2", "GE private (big endian pixels)", Codec::unknown},
};

const TransferSyntax* find(const std::string& uid) {
  const auto* found = std::find_if(std::begin(kTransferSyntaxes), std::end(kTransferSyntaxes),
                                   [&](const TransferSyntax& s) { return uid == s.uid; });
  return found == std::end(kTransferSyntaxes) ? nullptr : found;
}

}  // namespace

void prepareLibrary() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Its messages are for programmers; ours are built from its return values.
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
    dcmEnableUnknownVRConversion.set(OFTrue);  // archives store known attributes as UN
    dcmDataDict.isDictionaryLoaded();          // loads it now rather than in the first threads at the same time
  });
}

Codec codecOf(const std::string& transferSyntaxUid) {
  const TransferSyntax* syntax = find(transferSyntaxUid);
  return syntax ? syntax->codec : Codec::unknown;
}

bool canDecode(const std::string& transferSyntaxUid) { return codecOf(transferSyntaxUid) != Codec::unknown; }

std::string transferSyntaxName(const std::string& uid) {
  if (uid.empty()) return "unknown compression";
  if (const TransferSyntax* syntax = find(uid)) return syntax->name;
  const DcmXfer other(uid.c_str());  // the retired ones
  return other.getXfer() == EXS_Unknown ? uid : other.getXferName();
}

}  // namespace lynceus::io::dicom
