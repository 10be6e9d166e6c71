#include "streams/json.h"

#include <gtest/gtest.h>

#include <cmath>

#include "streams/canonical.h"
#include "streams/pointer.h"

namespace fanfare::streams {
namespace {

std::string rewritten(std::string_view text) {
  const auto json = parse_json(text);
  return json ? json->write() : "not JSON";
}

TEST(Json, KeepsNumbersStringsAndTheOrderOfMembers) {
  EXPECT_EQ(rewritten(R"( { "b" : [1.50, 18446744073709551616, -0] , "a" : null, "c": true } )"),
            R"({"b":[1.50,18446744073709551616,-0],"a":null,"c":true})");
  EXPECT_EQ(rewritten(R"("\u00e9\/\n\u0001\ud83d\ude00")"), "\"é/\\n\\u0001😀\"");
  EXPECT_EQ(rewritten("{}"), "{}");
  EXPECT_EQ(rewritten("[]"), "[]");
}

TEST(Json, OfRepeatedMembersTheLastCountsAtThePlaceOfTheFirst) {
  EXPECT_EQ(rewritten(R"({"a":1,"b":2,"a":3,"c":4,"\u0061":5})"), R"({"a":5,"b":2,"c":4})");
}

TEST(Json, ManyRepeatedMembersTakeNoQuadraticTime) {
  std::string text = "{";
  for (int i = 0; i < 40'000; ++i)
    text += (i > 0 ? ",\"k" : "\"k") + std::to_string(i % 20'000) + "\":" + std::to_string(i);
  const auto json = parse_json(text + "}");
  ASSERT_TRUE(json);
  ASSERT_EQ(json->members.size(), 20'000U);
  EXPECT_EQ(json->members[7].value.text, "20007");
}

TEST(Json, RejectsWhatIsNotOneValue) {
  for (const std::string_view text :
       {"", " ", "{", "{}{}", "[1,]", "01", "nul", "\"\xff\"", "\"\\ud800\"", "'a'"}) {
    EXPECT_EQ(rewritten(text), "not JSON") << text;
  }
}

TEST(Json, NestsAsDeepAsAllowedAndNotOneDeeper) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(rewritten(nested(kJsonDepthMax)), nested(kJsonDepthMax));
  EXPECT_EQ(rewritten(nested(kJsonDepthMax + 1)), "not JSON");
}

TEST(Json, EqualityIgnoresTheOrderOfMembersOnly) {
  EXPECT_EQ(*parse_json(R"({"a":1,"b":[1,2]})"), *parse_json(R"({"b":[1,2],"a":1})"));
  EXPECT_FALSE(*parse_json(R"({"a":1})") == *parse_json(R"({"a":1,"b":1})"));
  EXPECT_FALSE(*parse_json("[1,2]") == *parse_json("[2,1]"));
  EXPECT_FALSE(*parse_json("\"1\"") == *parse_json("1"));
  EXPECT_FALSE(*parse_json("null") == *parse_json("{}"));
}

// The values of RFC 8785, Appendix B, and the borders of each form.
TEST(Json, NumbersAreWrittenAsJavaScriptDoes_RFC8785_3_2_2_3) {
  const auto text = [](double value) { return number_text(value); };
  EXPECT_EQ(text(0.0), "0");
  EXPECT_EQ(text(-0.0), "0");
  EXPECT_EQ(text(5e-324), "5e-324");
  EXPECT_EQ(text(-5e-324), "-5e-324");
  EXPECT_EQ(text(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(text(9007199254740992.0), "9007199254740992");
  EXPECT_EQ(text(295147905179352830000.0), "295147905179352830000");
  EXPECT_EQ(text(9.999999999999997e22), "9.999999999999997e+22");
  EXPECT_EQ(text(1e23), "1e+23");
  EXPECT_EQ(text(999999999999999700000.0), "999999999999999700000");
  EXPECT_EQ(text(1e21), "1e+21");
  EXPECT_EQ(text(333333333.33333325), "333333333.33333325");
  EXPECT_EQ(text(0.000001), "0.000001");
  EXPECT_EQ(text(1e-7), "1e-7");
  EXPECT_EQ(text(-0.0000033333333333333333), "-0.0000033333333333333333");
  EXPECT_EQ(text(1424953923781206.2), "1424953923781206.2");
  EXPECT_EQ(text(10), "10");
  EXPECT_EQ(text(HUGE_VAL), "null");
}

TEST(Canonical, SortsByUtf16CodeUnits_RFC8785_3_2_3) {
  const auto json = parse_json(
      "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With "
      "Dagesh\","
      "\"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
      "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}");
  ASSERT_TRUE(json);
  EXPECT_EQ(
      canonical_text(*json),
      "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
      "\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\","
      "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(Canonical, NumbersAreDoubles_RFC8785_3_2_2_3) {
  EXPECT_EQ(canonical_text(*parse_json(
                "[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001, -0, 1e400]")),
            "[333333333.3333333,1e+30,4.5,0.002,1e-27,0,null]");
}

TEST(Canonical, TheChecksumIsTheCrcOfZlib) {
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xCBF43926U);
  EXPECT_EQ(crc32({}), 0U);
  EXPECT_EQ(checksum_of(*parse_json(R"({"b":1,"a":[true]})")), crc32(as_bytes(R"({"a":[true],"b":1})")));
}

TEST(JsonPointer, FindsWhatTheStandardShows_RFC6901_5) {
  const auto json = parse_json(
      R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8})");
  const auto at = [&](std::string_view text) {
    const auto pointer = JsonPointer::parse(text);
    const Json* const found = pointer ? pointer->find(*json) : nullptr;
    return found == nullptr ? "nothing" : found->write();
  };
  EXPECT_EQ(at(""), json->write());
  EXPECT_EQ(at("/foo"), R"(["bar","baz"])");
  EXPECT_EQ(at("/foo/0"), "\"bar\"");
  EXPECT_EQ(at("/"), "0");
  EXPECT_EQ(at("/a~1b"), "1");
  EXPECT_EQ(at("/c%d"), "2");
  EXPECT_EQ(at("/i\\j"), "5");
  EXPECT_EQ(at("/k\"l"), "6");
  EXPECT_EQ(at("/ "), "7");
  EXPECT_EQ(at("/m~0n"), "8");
  for (const std::string_view nothing :
       {"/foo/2", "/foo/-", "/foo/00", "/foo/x", "/foo/0/x", "/bar", "/foo/"}) {
    EXPECT_EQ(at(nothing), "nothing") << nothing;
  }
}

TEST(JsonPointer, RejectsOtherTexts_RFC6901_3) {
  for (const std::string_view text : {"foo", "#/foo", "/~", "/~2", "/a~"}) {
    EXPECT_FALSE(JsonPointer::parse(text)) << text;
  }
}

}  // namespace
}  // namespace fanfare::streams
