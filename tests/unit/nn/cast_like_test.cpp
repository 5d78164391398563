// CastLike to a boolean: the engine keeps booleans as integers, so which they are has to be known from the file.
#include <cmath>
#include <functional>

#include <gmock/gmock.h>

#include "tests/unit/nn/run_model.h"

namespace lynceus::test {
namespace {

using testing::ElementsAre;
using Proto = OnnxBuilder::Proto;
using Floats = std::vector<float>;

/// x as something like `like`, as float; `like` gets the builder and x.
Floats castLike(const std::function<std::string(OnnxBuilder&, const std::string&)>& like, const char* device) {
  OnnxBuilder b(15);
  const std::string x = b.input("x", {5});
  const std::string cast = b.node("CastLike", {x, like(b, x)});
  b.output(b.node("Cast", {cast}).integer("to", Proto::FLOAT), 1);
  return runOne(b, device, {{5}, Floats{0, -0.0F, -0.5F, NAN, 300.7F}}).floats();
}

std::string boolInitialiser(OnnxBuilder& b) {
  std::string name = b.ints({1});
  auto* proto = b.graph().mutable_initializer(b.graph().initializer_size() - 1);
  proto->set_data_type(Proto::BOOL);
  proto->set_raw_data(std::string(1, '\1'));
  return name;
}

std::string compared(OnnxBuilder& b, const std::string& x) {
  return b.node("Greater", {x, b.constant({{}, Floats{0}})});
}

TEST(CastLike, MakesTrueOfWhateverIsNotZero) {
  using Like = std::function<std::string(OnnxBuilder&, const std::string&)>;
  const std::pair<const char*, Like> booleans[] = {
      {"an initialiser", [](OnnxBuilder& b, const std::string&) { return boolInitialiser(b); }},
      {"a comparison", [](OnnxBuilder& b, const std::string& x) { return compared(b, x); }},
      {"a cast", [](OnnxBuilder& b, const std::string& x) { return b.node("Cast", {x}).integer("to", 9).output(); }},
      {"a boolean that was moved",
       [](OnnxBuilder& b, const std::string& x) {
         return b.node("Expand", {b.node("Unsqueeze", {compared(b, x), b.ints({0})}), b.ints({2, 5})}).output();
       }},
      {"another CastLike",
       [](OnnxBuilder& b, const std::string& x) {
         return b.node("CastLike", {x, boolInitialiser(b)}).output();
       }},
  };
  for (const auto& [name, like] : booleans)
    for (const char* device : {"reference", "cpu"})
      EXPECT_THAT(castLike(like, device), ElementsAre(0, 0, 1, 1, 1)) << name << ", " << device;
}

TEST(CastLike, TruncatesToIntegersThatAreNoBooleans) {
  const auto integers = [](OnnxBuilder& b, const std::string& x) { return b.node("Shape", {x}).output(); };
  for (const char* device : {"reference", "cpu"})
    EXPECT_THAT(castLike(integers, device), ElementsAre(0, 0, 0, 0, 300)) << device;
}

}  // namespace
}  // namespace lynceus::test
