#include <gtest/gtest.h>

#include "io/dicom/clean_descriptor.h"

namespace lynceus::io::dicom {
namespace {

struct Case {
  const char* text;
  const char* kept;
};

TEST(CleanDescriptor, KeepsWhatASeriesIsAndLosesWhoItIs) {
  const Case cases[] = {
      {"CHEST 1mm", "CHEST 1mm"},
      {"Thorax  1.0  B70f", "Thorax 1.0 B70f"},
      {"CHEST Doe^Jane 3mm", "CHEST 3mm"},
      {"Lung_Br57_5 mm", "Lung Br57 5 mm"},
      {"LUNG\\STANDARD", "LUNG STANDARD"},
      {"CT CHEST W/O CONTRAST", "CT CHEST WO CONTRAST"},
      {"chest w/o", "chest WO"},
      {"ABD W/ORAL CONTRAST", "ABD W ORAL CONTRAST"},
      {"NON-CONTRAST CHEST", "NON CONTRAST CHEST"},
      {"THORAX OHNE KM LUNG", "THORAX LUNG"},  // never the opposite of what was said
      {"THORAX SANS IV CONTRAST LUNG", "THORAX LUNG"},
      {"Dr. Miller, age 67, MRN 4711", ""},
      {"chest 20240131 10:11", "chest"},
      {"CHEST.", "CHEST"},
      {"jane.doe@chest.org", ""},
      {"O'CHEST", ""},
      {"CHEST2", ""},
      {"follow-up of 12.05.1951", "of"},
      {"", ""},
      {" .,;", ""},
      {"\xE5\xBC\xA0\xE4\xB8\x89 CHEST", "CHEST"},
      {"\xD5\xC5"
       "CHEST LUNG",
       "LUNG"},
  };
  for (const Case& c : cases) EXPECT_EQ(cleanDescriptor(c.text), c.kept) << c.text;
}

TEST(CleanDescriptor, NeverMakesATextLonger) {
  std::string text;
  for (int i = 0; i < 5000; ++i) {
    text += static_cast<char>(i * 7919 % 256);
    if (i % 11 == 0) text += "CHEST";
  }
  EXPECT_LE(cleanDescriptor(text).size(), text.size());
}

}  // namespace
}  // namespace lynceus::io::dicom
