#include "io/dicom/clean_descriptor.h"

#include <algorithm>
#include <regex>
#include <set>
#include <vector>

namespace lynceus::io::dicom {
namespace {

// Not in the list on purpose: words that are common family names, such as BRAIN, SHARP and STRONG.
const std::set<std::string, std::less<>>& safeWords() {
  static const std::set<std::string, std::less<>> words = {
      // Where
      "ABD", "ABDOMEN", "ABDOMINAL", "ADRENAL", "ANKLE", "AORTA", "BLADDER", "BODY", "BOWEL", "CARDIAC", "CERVICAL",
      "CHEST", "COLON", "CORONARY", "CRANIUM", "ELBOW", "FEMUR", "HEAD", "HEART", "HIP", "KIDNEY", "KIDNEYS", "KNEE",
      "KUB", "LIVER", "LUMBAR", "LUNG", "LUNGS", "MEDIASTINUM", "NECK", "ORBIT", "PANCREAS", "PELVIS", "PELVIC",
      "PULMONARY", "RENAL", "SACRUM", "SHOULDER", "SINUS", "SKULL", "SPINE", "SPLEEN", "THORACIC", "THORAX", "THYROID",
      "TRACHEA", "TRUNK", "WRIST", "LEFT", "RIGHT", "BILATERAL", "UPPER", "LOWER", "WHOLE",
      // How it lies and is cut
      "AX", "AXIAL", "COR", "CORONAL", "SAG", "SAGITTAL", "TRA", "TRANSVERSE", "OBLIQUE", "SUPINE", "PRONE", "FEET",
      "FIRST", "INSP", "INSPIRATION", "EXP", "EXPIRATION", "BREATH", "HOLD",
      // What kind of scan
      "CT", "CTA", "CTPA", "HRCT", "LDCT", "PET", "MR", "SCOUT", "TOPOGRAM", "LOCALIZER", "SURVIEW", "SCANOGRAM",
      "HELICAL", "HELIX", "SPIRAL", "SEQUENCE", "VOLUME", "ROUTINE", "SCREENING", "FOLLOWUP", "BASELINE", "DIAGNOSTIC",
      "LOWDOSE", "LOW", "DOSE", "ULTRALOW", "NODULE", "ANGIO", "PERFUSION", "DUAL", "ENERGY", "SCAN", "STUDY", "SERIES",
      // Contrast and phase
      "CONTRAST", "NONCONTRAST", "NATIVE", "PLAIN", "ENHANCED", "UNENHANCED", "IV", "ORAL", "KM", "NC", "CE", "WITH",
      "WITHOUT", "W", "WO", "NO", "NON", "NOT", "ARTERIAL", "VENOUS", "PORTAL", "PORTOVENOUS", "DELAYED", "EQUILIBRIUM",
      "PHASE", "LATE", "PRE", "POST",
      // Reconstruction
      "RECON", "RECONSTRUCTION", "MPR", "MIP", "MINIP", "VRT", "KERNEL", "STANDARD", "STD", "SOFT", "TISSUE", "BONE",
      "BONEPLUS", "DETAIL", "EDGE", "SMOOTH", "MEDIUM", "THIN", "THICK", "SLICE", "SLICES", "WINDOW", "FILTER", "ASIR",
      "SAFIRE", "ADMIRE", "IDOSE", "AIDR", "FBP", "MM", "ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "AND", "OF"};
  return words;
}

bool isSafe(const std::string& upper, bool followedByMm) {
  static const std::regex kernel("[BHTIQDU][RFVLU]?[0-9]{2}[FSHM]?|FC[0-9]{2}");
  static const std::regex millimetres("[0-9]{1,3}([.,][0-9]{1,3})?MM");
  static const std::regex decimal("[0-9]{1,2}[.,][0-9]{1,3}");
  static const std::regex shortNumber("[0-9]{1,3}");
  if (upper.size() > 16) return false;
  return safeWords().contains(upper) || std::regex_match(upper, kernel) || std::regex_match(upper, millimetres) ||
         std::regex_match(upper, decimal) || (followedByMm && std::regex_match(upper, shortNumber));
}

// Between words stands anything printable that neither a word nor a number holds; bytes above 127 belong to words, so
// that such a word goes as a whole.
bool isPartOfWord(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         c == '.' || c == '\'' || c == '@';
}

std::string toUpper(std::string_view word) {
  std::string upper(word);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

bool isAboutContrast(const std::string& upper) {
  static const std::set<std::string, std::less<>> words = {"CONTRAST", "KM", "CE",   "IV",
                                                           "ORAL",     "W",  "WITH", "ENHANCED"};
  return words.contains(upper);
}

// Is text[start, end) the W of "W/O" or "w/o"?
bool endsWithWithout(std::string_view text, size_t start, size_t end) {
  return end - start == 1 && (text[start] | 0x20) == 'w' && end + 1 < text.size() && text[end] == '/' &&
         (text[end + 1] | 0x20) == 'o' && (end + 2 == text.size() || !isPartOfWord(text[end + 2]));
}

}  // namespace

std::string cleanDescriptor(std::string_view text) {
  std::vector<std::string> words;
  for (size_t i = 0; i < text.size();) {
    const size_t start = i;
    while (i < text.size() && isPartOfWord(text[i])) ++i;
    std::string_view word = text.substr(start, i - start);
    while (!word.empty() && word.back() == '.') word.remove_suffix(1);
    if (!word.empty()) words.emplace_back(word);
    if (i == start) ++i;
    if (endsWithWithout(text, start, i)) {  // "W/O" is one word
      words.back() = "WO";
      i += 2;
    }
  }
  std::string kept;
  bool lostOne = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const bool beforeMm = i + 1 < words.size() && toUpper(words[i + 1]) == "MM";
    // What is lost may have been "without" in some language: nothing about contrast is better than the opposite.
    const bool lost = !isSafe(toUpper(words[i]), beforeMm) || (lostOne && isAboutContrast(toUpper(words[i])));
    lostOne = lost;
    if (lost) continue;
    if (!kept.empty()) kept += ' ';
    kept += words[i];
  }
  return kept;
}

}  // namespace lynceus::io::dicom
