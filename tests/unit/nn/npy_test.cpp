#include "core/nn/npy.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace lynceus::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Npy : public testing::Test {
 protected:
  void TearDown() override { fs::remove(m_file); }
  std::string errorOf(const std::string& header, const std::string& data, char version = 1) {
    const auto length = static_cast<uint16_t>(header.size());
    std::ofstream(m_file, std::ios::binary) << "\x93NUMPY" << version << '\0' << static_cast<char>(length & 255)
                                            << static_cast<char>(length >> 8) << header << data;
    const auto tensor = nn::readNpy(m_file);
    return tensor ? "" : tensor.error().message;
  }
  fs::path m_file = fs::temp_directory_path() / ("lynceus-" + std::to_string(getpid()) + ".npy");
};

TEST_F(Npy, ComesBackAsItWasWritten) {
  const nn::Tensor tensors[] = {{{2, 3}, std::vector<float>{1, -2, 3.5F, 4, 5, 6}},
                                {{}, std::vector<float>{7}},
                                {{3}, std::vector<int64_t>{1, -2, int64_t{1} << 40}},
                                {{0, 2}, std::vector<float>{}}};
  for (const nn::Tensor& t : tensors) {
    ASSERT_TRUE(nn::writeNpy(m_file, t));
    EXPECT_EQ(fs::file_size(m_file) % 4, 0U);
    const auto back = nn::readNpy(m_file);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->shape, t.shape);
    EXPECT_EQ(back->data, t.data);
  }
}

TEST_F(Npy, WidensTheOtherTypes) {
  EXPECT_EQ(errorOf("{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }\n", std::string("\x01\x00\xff\xff", 4)),
            "");
  EXPECT_EQ(nn::readNpy(m_file)->ints(), (std::vector<int64_t>{1, -1}));
  EXPECT_EQ(errorOf("{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }\n", std::string("\x00\x3e", 2)), "");
  EXPECT_EQ(nn::readNpy(m_file)->floats(), std::vector<float>{1.5F});
}

TEST_F(Npy, RefusesWhatItDoesNotUnderstand) {
  EXPECT_THAT(errorOf("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }\n", "abcd"), HasSubstr(">f4"));
  EXPECT_THAT(errorOf("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }\n", "abcdabcd"),
              HasSubstr("column-major"));
  EXPECT_THAT(errorOf("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", "abcd"),
              HasSubstr("4 bytes of data do not make shape 2"));
  EXPECT_THAT(errorOf("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }\n", "abcd"), HasSubstr("damaged"));
  EXPECT_THAT(errorOf("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }\n", "abcd"),
              HasSubstr("do not make"));
  EXPECT_THAT(errorOf("{'descr'", ""), HasSubstr("damaged"));
  EXPECT_THAT(errorOf("x", "", 9), HasSubstr("not a .npy file"));
  std::ofstream(m_file) << "PK";
  EXPECT_THAT(nn::readNpy(m_file).error().message, HasSubstr("not a .npy file"));
  EXPECT_THAT(nn::readNpy("/nowhere.npy").error().message, HasSubstr("/nowhere.npy"));
}

}  // namespace
}  // namespace lynceus::test
