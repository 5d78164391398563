#include "io/dicom/text.h"

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcspchrs.h>

namespace lynceus::io::dicom {

CharacterSet::Text CharacterSet::toUtf8(const std::string& bytes, bool personName) const {
  DcmSpecificCharacterSet converter;
  OFString utf8;
  if (converter.selectCharacterSet(OFString(m_declared.c_str())).good() &&
      converter.convertString(OFString(bytes.data(), bytes.size()), utf8, personName ? "\\^=" : "\\").good()) {
    return {std::string(utf8.c_str(), utf8.size()), false};
  }
  std::string text = bytes;
  for (char& c : text) c = (static_cast<unsigned char>(c) & 0x80) != 0 ? '?' : c;
  return {text, true};
}

}  // namespace lynceus::io::dicom
