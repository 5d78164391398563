// LUNA16's 888 series and the detections of DeepLung's dual path network on them: the figures its authors published.
#include <fstream>
#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/program.h"
#include "tests/support/test_data.h"

using namespace lynceus::test;
namespace fs = std::filesystem;

namespace {

// The detections call the series by numbers: this is the number of each line of seriesuids.csv, from
// evaluationScript/annotations/newseriesuids.csv of DeepLung (github.com/wentaozhu/DeepLung, Apache-2.0).
constexpr int kNumberOfSeries[] = {
    783, 524, 491, 370, 285, 186, 128, 293, 464, 204, 854, 360, 145, 418, 674, 39,  332, 664, 504, 590, 95,  568, 412,
    760, 40,  94,  80,  861, 470, 148, 55,  508, 660, 457, 456, 882, 207, 668, 169, 376, 151, 624, 801, 417, 687, 191,
    651, 587, 244, 506, 594, 543, 572, 409, 472, 607, 884, 306, 849, 121, 188, 709, 9,   387, 592, 303, 4,   868, 238,
    804, 363, 693, 279, 77,  57,  284, 222, 326, 86,  133, 129, 593, 8,   499, 864, 630, 631, 71,  546, 705, 726, 517,
    482, 212, 146, 841, 516, 46,  331, 559, 255, 13,  759, 66,  812, 878, 519, 500, 58,  200, 853, 142, 0,   684, 479,
    625, 114, 41,  663, 838, 437, 440, 420, 250, 483, 260, 723, 498, 650, 32,  232, 172, 430, 280, 815, 110, 83,  92,
    442, 221, 588, 385, 313, 852, 795, 304, 595, 836, 605, 702, 574, 96,  523, 743, 247, 613, 718, 866, 16,  333, 530,
    621, 233, 239, 373, 257, 670, 205, 528, 334, 475, 115, 575, 166, 797, 752, 425, 116, 484, 143, 274, 173, 671, 181,
    414, 159, 558, 374, 581, 703, 859, 297, 177, 162, 620, 724, 615, 150, 583, 869, 680, 571, 678, 320, 534, 157, 735,
    323, 264, 401, 118, 591, 827, 622, 839, 677, 493, 478, 790, 553, 240, 527, 851, 772, 356, 329, 351, 596, 339, 445,
    392, 119, 102, 636, 850, 337, 794, 885, 606, 489, 124, 147, 216, 740, 175, 258, 681, 431, 131, 246, 70,  883, 645,
    193, 746, 44,  474, 52,  872, 520, 837, 371, 448, 220, 619, 283, 234, 342, 196, 353, 174, 876, 130, 846, 454, 38,
    30,  286, 856, 744, 857, 658, 844, 290, 160, 727, 403, 340, 183, 228, 820, 676, 292, 254, 764, 93,  586, 381, 487,
    495, 349, 732, 299, 321, 393, 78,  405, 719, 295, 780, 308, 770, 391, 490, 460, 319, 400, 776, 768, 141, 799, 272,
    134, 419, 324, 6,   368, 388, 444, 217, 803, 225, 54,  789, 675, 378, 327, 835, 659, 811, 416, 194, 155, 14,  192,
    214, 847, 180, 428, 10,  714, 511, 275, 461, 656, 84,  263, 810, 585, 230, 829, 144, 184, 648, 529, 226, 343, 785,
    796, 224, 152, 577, 706, 627, 259, 256, 21,  842, 422, 638, 823, 451, 330, 887, 809, 178, 436, 802, 649, 138, 69,
    171, 426, 415, 179, 654, 567, 548, 526, 562, 243, 793, 855, 271, 845, 710, 476, 61,  450, 725, 602, 236, 784, 5,
    589, 652, 404, 139, 310, 481, 344, 408, 298, 612, 501, 459, 711, 716, 453, 521, 644, 747, 176, 536, 410, 700, 679,
    655, 754, 696, 542, 20,  126, 88,  874, 3,   551, 424, 245, 354, 639, 535, 237, 774, 197, 560, 277, 557, 806, 739,
    611, 494, 692, 745, 712, 466, 477, 105, 364, 786, 219, 840, 158, 375, 633, 486, 742, 341, 667, 187, 229, 843, 357,
    832, 377, 541, 691, 210, 199, 816, 338, 322, 390, 314, 24,  249, 406, 127, 708, 610, 755, 661, 11,  775, 347, 252,
    881, 629, 108, 522, 316, 267, 463, 137, 604, 485, 689, 281, 411, 42,  570, 278, 268, 51,  647, 632, 203, 635, 23,
    53,  262, 135, 549, 251, 206, 715, 525, 877, 603, 779, 781, 107, 369, 161, 751, 471, 576, 814, 531, 728, 276, 563,
    880, 865, 350, 36,  665, 31,  27,  72,  690, 767, 473, 231, 608, 637, 787, 722, 509, 211, 713, 733, 358, 270, 862,
    123, 871, 822, 792, 462, 29,  738, 201, 642, 87,  367, 435, 441, 2,   736, 672, 825, 773, 598, 227, 109, 386, 579,
    626, 544, 97,  465, 168, 808, 503, 552, 132, 26,  45,  248, 828, 76,  805, 421, 282, 12,  17,  566, 82,  294, 113,
    695, 573, 163, 600, 685, 382, 599, 609, 37,  782, 291, 309, 434, 433, 335, 561, 33,  496, 662, 688, 301, 185, 65,
    512, 302, 315, 741, 122, 195, 91,  507, 701, 813, 427, 538, 578, 879, 423, 537, 858, 104, 7,   682, 73,  438, 300,
    117, 819, 446, 50,  103, 757, 666, 336, 89,  818, 397, 488, 492, 545, 458, 657, 317, 761, 383, 455, 824, 867, 565,
    791, 697, 346, 748, 399, 834, 361, 402, 800, 514, 68,  64,  467, 734, 348, 439, 48,  554, 325, 447, 582, 584, 74,
    362, 372, 63,  860, 389, 510, 826, 261, 699, 432, 28,  788, 154, 265, 395, 556, 616, 182, 241, 848, 540, 763, 111,
    273, 683, 758, 762, 318, 99,  208, 515, 62,  547, 756, 67,  15,  47,  623, 452, 198, 870, 539, 106, 25,  79,  597,
    396, 646, 449, 817, 305, 720, 641, 307, 149, 564, 289, 34,  729, 189, 312, 468, 429, 22,  614, 98,  43,  569, 170,
    704, 634, 617, 253, 359, 769, 167, 771, 628, 164, 213, 480, 765, 266, 328, 863, 59,  18,  750, 505, 618, 875, 398,
    190, 513, 807, 694, 518, 35,  153, 821, 886, 721, 120, 831, 686, 730, 223, 766, 413, 379, 749, 366, 394, 136, 90,
    218, 550, 56,  365, 753, 345, 1,   407, 75,  640, 288, 502, 311, 873, 125, 469, 19,  601, 737, 384, 209, 140, 777,
    112, 731, 698, 443, 60,  707, 49,  653, 380, 101, 533, 202, 833, 717, 165, 215, 778, 235, 669, 830, 580, 156, 555,
    643, 287, 242, 352, 269, 100, 296, 81,  355, 85,  532, 497, 673, 798};

using Numbers = std::map<std::string, std::string>;

/// Copies the list with series called by their numbers.
void renumber(const fs::path& from, const fs::path& to, const Numbers& numbers) {
  std::ifstream in(from);
  std::ofstream out(to);
  for (std::string line; std::getline(in, line);) {
    const size_t end = line.find_first_of(",\r");
    const auto number = numbers.find(line.substr(0, end));
    out << (number == numbers.end() ? line.substr(0, end) : number->second)
        << (end == std::string::npos ? "" : line.substr(end)) << '\n';
  }
}

}  // namespace

TEST(Luna16, GivesThePublishedFiguresOfDeepLung) {
  const fs::path data = testData("luna_csv_froc");
  if (data.empty()) GTEST_SKIP() << kNoTestData;
  Numbers numbers;
  std::ifstream series(data / "seriesuids.csv");
  for (const int number : kNumberOfSeries) {
    std::string line;
    std::getline(series, line);
    numbers[line.substr(0, line.find('\r'))] = std::to_string(number);
  }
  ASSERT_EQ(numbers.size(), 888u);
  const TemporaryFolder folder;
  for (const char* name : {"annotations.csv", "annotations_excluded.csv", "seriesuids.csv"})
    renumber(data / name, folder / name, numbers);
  const std::string here = folder.path().string();
  const ProgramRun run = runLynceus("evaluate --annotations '" + here + "/annotations.csv' --excluded '" + here +
                                    "/annotations_excluded.csv' --series '" + here + "/seriesuids.csv' --detections '" +
                                    (data / "dpn26bs32.csv").string() + "' --json '" + here + "/out.json'");
  ASSERT_EQ(run.exitCode, 0) << run.err;
  const auto out = nlohmann::json::parse(readText(folder / "out.json"));
  const double published[] = {0.692, 0.769, 0.824, 0.865, 0.893, 0.917, 0.933};
  for (size_t i = 0; i < 7; ++i)  // three digits are published
    EXPECT_NEAR(out["operatingPoints"][i]["sensitivity"]["value"].get<double>(), published[i], 0.0005) << i;
  EXPECT_NEAR(out["cpm"]["value"].get<double>(), 0.842, 0.0005);
  EXPECT_LT(out["cpm"]["interval"][0], 0.842);
  EXPECT_GT(out["cpm"]["interval"][1], 0.842);
  EXPECT_EQ(out["counts"]["findings"], 1186);
  EXPECT_EQ(out["counts"]["marks"], 55677);
  EXPECT_EQ(out["findings"].size(), 1186u);
}
