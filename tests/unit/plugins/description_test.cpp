// What plugins say of themselves, read from JSON that may come from anywhere.
#include "plugins/host/description.h"

#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "plugins/host/text.h"

namespace lynceus::plugins {
namespace {

using nlohmann::json;
using testing::HasSubstr;

Description blobs() {
  return {"org.example.blobs",
          "1.2.0-rc.1+x",
          "Größe und Dichte",
          "Apache-2.0 OR MIT",
          "lynceus.detector/1",
          {"lung-nodule", "mass"},
          inputRules({0.3, 2}, {0.3, 5}, {80, 1500})};
}

/// What the reader says of the same description after a change.
std::string errorAfter(const std::function<void(json&)>& change) {
  json document = json::parse(toJson({blobs()}));
  change(document);
  const auto read = descriptionsFromJson(document.dump(-1, ' ', false, json::error_handler_t::replace));
  return read ? "" : read.error().message;
}

TEST(Descriptions, TravelAsJson) {
  const auto read = descriptionsFromJson(toJson({blobs()}));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 1U);
  const Description& d = read->front();
  EXPECT_EQ(d.id, "org.example.blobs");
  EXPECT_EQ(d.summary, "Größe und Dichte");
  EXPECT_EQ(d.kinds, blobs().kinds);
  EXPECT_EQ(d.input.coverageMm.max, 1500);
  EXPECT_EQ(d.input.modality, "CT");
  EXPECT_TRUE(d.isDetector());
  EXPECT_FALSE(d.isClassifier());
}

TEST(Descriptions, NameTheMemberThatBreaksARule) {
  const auto member = [](const char* key, const json& value) {
    return errorAfter([&](json& d) { d["models"][0][key] = value; });
  };
  EXPECT_THAT(member("id", ""), HasSubstr("id of"));
  EXPECT_THAT(member("id", "../evil"), HasSubstr("id of"));
  EXPECT_THAT(member("id", "a b"), HasSubstr("id of"));
  EXPECT_THAT(member("id", std::string(129, 'a')), HasSubstr("id of"));
  EXPECT_THAT(member("version", "1\n"), HasSubstr("version of"));
  EXPECT_THAT(member("summary", "two\nlines"), HasSubstr("summary"));
  EXPECT_THAT(member("summary", std::string(501, 'a')), HasSubstr("summary"));
  EXPECT_THAT(member("licence", ""), HasSubstr("licence"));
  EXPECT_THAT(member("interface", "\x1B[2J"), HasSubstr("interface_id"));
  EXPECT_THAT(member("kinds", json::array()), HasSubstr("kinds"));
  EXPECT_THAT(member("kinds", std::vector<std::string>(65, "a")), HasSubstr("kinds"));
  EXPECT_THAT(member("kinds", {"lung nodule"}), HasSubstr("kinds"));
  EXPECT_THAT(member("pixelSpacingMm", {2, 1}), HasSubstr("pixel_spacing_mm"));
  EXPECT_THAT(member("sliceSpacingMm", {-1, 1}), HasSubstr("slice_spacing_mm"));
  EXPECT_THAT(member("coverageMm", {0, 1e7}), HasSubstr("coverage_mm"));
  EXPECT_THAT(member("coverageMm", {0, "1"}), HasSubstr("models[0].coverageMm must be two numbers"));
  EXPECT_THAT(member("id", 7), HasSubstr("models[0].id must be a text"));
}

TEST(Descriptions, AreRefusedAsAWhole) {
  EXPECT_THAT(errorAfter([](json& d) { d["models"] = json::array(); }), HasSubstr("1 to 64 models"));
  EXPECT_THAT(errorAfter([](json& d) { d["models"].push_back(d["models"][0]); }), HasSubstr("two models have the id"));
  EXPECT_THAT(errorAfter([](json& d) { d["schemaVersion"] = 2; }), HasSubstr("schemaVersion"));
  EXPECT_THAT(errorAfter([](json& d) { d = json::array(); }), HasSubstr("must be an object"));
  EXPECT_FALSE(descriptionsFromJson("{\"schemaVersion\": 1,"));
  EXPECT_FALSE(descriptionsFromJson(""));
}

TEST(Descriptions, RefuseRangesThatAreNoNumbers) {
  Description d = blobs();
  d.input.coverageMm.min = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(checkDescription(d));
  d.input.coverageMm = {0, std::numeric_limits<double>::infinity()};
  EXPECT_FALSE(checkDescription(d));
}

TEST(PluginText, KnowsUtf8AndControlCharacters) {
  for (const char* good : {"", "plain ~", "Größe", "√x", "𝄞"}) EXPECT_TRUE(isPrintable(good)) << good;
  for (const char* bad : {"\x07", "a\nb", "\x7F", "\xC2\x85", "\xFF", "\xC3", "\xC0\xAF", "\xE0\x80\xAF",
                          "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x88"})
    EXPECT_FALSE(isPrintable(bad));
}

TEST(PluginText, BecomesOneBoundedLine) {
  EXPECT_EQ(logLine("a\nb\xFF\x1B[2J"), "a?b??[2J");
  EXPECT_EQ(logLine(nullptr), "(null)");
  EXPECT_EQ(logLine("äöü", 3), "äö…");
  EXPECT_TRUE(isPrintable(logLine(std::string(100000, 'x').c_str())));
  EXPECT_LT(logLine(std::string(100000, 'x').c_str()).size(), 510U);
}

}  // namespace
}  // namespace lynceus::plugins
