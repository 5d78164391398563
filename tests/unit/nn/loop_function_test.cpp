// Functions of single numbers that the cpu computes itself: at the ends of the range, and relative to small results.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "core/nn/cpu/loop_function.h"
#include "tests/support/cpu_kernel.h"

namespace lynceus::test {
namespace {

using Floats = std::vector<float>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Floats loop(const char* op, const Floats& x) {
  Floats y(x.size());
  (*nn::cpu::loopFunction(op, 0, 0))(x.data(), y.data(), static_cast<int64_t>(x.size()));
  return y;
}

// The bound: 2^-27 of Taylor's series, some roundings of 2^-24 of its terms.
TEST(LoopFunctions, ExpIsNearOverTheWholeRangeAndInfiniteBehindIt) {
  Floats x;
  for (float v = -87; v < 88.72F; v += 0.0371F) x.push_back(v);
  const Floats y = loop("Exp", x);
  for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i] / std::exp(static_cast<double>(x[i])), 1, 4 * 0x1p-23) << x[i];
  EXPECT_EQ(loop("Exp", {88.73F, 89, 1000, kInfinity}), Floats(4, kInfinity));
  EXPECT_EQ(loop("Exp", {-104, -1000, -kInfinity}), Floats(3, 0.0F));
  EXPECT_NEAR(loop("Exp", {-100})[0], std::exp(-100.0F), 0x1p-149F);  // the smallest step of subnormal numbers
  EXPECT_TRUE(std::isnan(loop("Exp", {NAN})[0]));
}

TEST(LoopFunctions, ExpOfBf16IsInfiniteWhereFloatIs) {
  const nn::Tensor x{{5}, Floats{88, 88.5F, 89, 100, kInfinity}};  // bf16 holds all of them
  for (const nn::Type in : {nn::Type::f32, nn::Type::bf16}) {
    auto kernel = CpuKernel::make({"exp", "Exp", {}, {"y"}, {}}, 17, {{x}}, {{x.shape}}, in, nn::Type::f32);
    ASSERT_TRUE(kernel) << kernel.error().message;
    (*kernel)->run();
    const Floats y = (*kernel)->result().floats();
    EXPECT_TRUE(std::isfinite(y[0]) && std::isfinite(y[1]));
    EXPECT_NEAR(y[1] / std::exp(88.5), 1, 16 * 0x1p-23);
    EXPECT_EQ((Floats{y[2], y[3], y[4]}), Floats(3, kInfinity));
  }
}

// 7.1.26 of Abramowitz and Stegun is off by 1.5e-7 of 0.84 or more; below 1 a series of relative error 2e-9; either
// rounds some ten times by 2^-24.
TEST(LoopFunctions, ErfIsNearRelativeToItsResult) {
  Floats x{1e-30F, 1e-8F, 1e-4F};
  for (float v = 0.001F; v < 5; v *= 1.01F) x.push_back(v);
  const Floats y = loop("Erf", x);
  for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i] / std::erf(static_cast<double>(x[i])), 1, 8 * 0x1p-23) << x[i];
  EXPECT_EQ(loop("Erf", {0, kInfinity, -kInfinity}), (Floats{0, 1, -1}));
  EXPECT_TRUE(std::signbit(loop("Erf", {-0.0F})[0]));
  EXPECT_FLOAT_EQ(loop("Erf", {-0.3F})[0], std::erf(-0.3F));
  EXPECT_TRUE(std::isnan(loop("Erf", {NAN})[0]));
}

}  // namespace
}  // namespace lynceus::test
