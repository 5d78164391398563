#include "io/dicom/library.h"

#include <mutex>

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

namespace lynceus::io::dicom {

void prepareLibrary() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Its messages are for programmers; ours are built from its return values.
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    DcmRLEDecoderRegistration::registerCodecs();
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
    dcmEnableUnknownVRConversion.set(OFTrue);  // archives store known attributes as UN
    dcmDataDict.isDictionaryLoaded();          // loads it now rather than in the first threads at the same time
  });
}

bool canDecode(const std::string& uid) {
  prepareLibrary();
  const DcmXfer xfer(uid.c_str());
  return !xfer.isEncapsulated() || DcmCodecList::canChangeCoding(xfer.getXfer(), EXS_LittleEndianExplicit);
}

std::string transferSyntaxName(const std::string& uid) {
  struct Name {
    const char* uid;
    const char* name;
  };
  static constexpr Name kNames[] = {
      {UID_LittleEndianImplicitTransferSyntax, "uncompressed (implicit VR)"},
      {UID_LittleEndianExplicitTransferSyntax, "uncompressed"},
      {UID_BigEndianExplicitTransferSyntax, "uncompressed (big endian)"},
      {UID_DeflatedExplicitVRLittleEndianTransferSyntax, "deflated"},
      {UID_JPEGProcess1TransferSyntax, "JPEG baseline (lossy)"},
      {UID_JPEGProcess2_4TransferSyntax, "JPEG extended (lossy)"},
      {UID_JPEGProcess14TransferSyntax, "JPEG lossless"},
      {UID_JPEGProcess14SV1TransferSyntax, "JPEG lossless"},
      {UID_JPEGLSLosslessTransferSyntax, "JPEG-LS lossless"},
      {UID_JPEGLSLossyTransferSyntax, "JPEG-LS near-lossless"},
      {UID_JPEG2000LosslessOnlyTransferSyntax, "JPEG 2000 lossless"},
      {UID_JPEG2000TransferSyntax, "JPEG 2000"},
      {UID_RLELosslessTransferSyntax, "RLE lossless"},
  };
  for (const Name& n : kNames) {
    if (uid == n.uid) return n.name;
  }
  return uid.empty()                                     ? "unknown compression"
         : DcmXfer(uid.c_str()).getXfer() == EXS_Unknown ? uid
                                                         : DcmXfer(uid.c_str()).getXferName();
}

}  // namespace lynceus::io::dicom
