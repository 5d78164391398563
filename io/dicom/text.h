// Text of DICOM files as UTF-8, whatever character set the file declares, and whatever it really uses.
#pragma once

#include <string>

namespace lynceus::io::dicom {

/// What Specific Character Set (0008,0005) declares, and what the bytes say.
class CharacterSet {
 public:
  CharacterSet() = default;  ///< none declared: ASCII
  explicit CharacterSet(std::string declared) : m_declared(std::move(declared)) {}

  struct Text {
    std::string utf8;      ///< control characters as blanks, outer blanks cut off, at most 1024 bytes
    bool guessed = false;  ///< the declared set cannot be right: GBK declared as ISO_IR 100, or none declared
  };
  /// @param personName  delimiters ^ and = reset the code extensions of ISO 2022 as the backslash does.
  Text toUtf8(const std::string& bytes, bool personName = false) const;

 private:
  std::string m_declared;
};

}  // namespace lynceus::io::dicom
