#include "jsonrpc/value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace fanfare::jsonrpc {
namespace {

using ::testing::ElementsAre;

std::vector<std::string_view> listed(std::string_view raw) {
  std::vector<std::string_view> found;
  for (const std::string_view element : array_elements(raw)) found.push_back(element);
  return found;
}

TEST(JsonValue, Kinds) {
  EXPECT_EQ(kind_of("null"), Kind::null);
  EXPECT_EQ(kind_of("true"), Kind::boolean);
  EXPECT_EQ(kind_of("false"), Kind::boolean);
  EXPECT_EQ(kind_of("-1"), Kind::number);
  EXPECT_EQ(kind_of("0"), Kind::number);
  EXPECT_EQ(kind_of("\"\""), Kind::string);
  EXPECT_EQ(kind_of("[]"), Kind::array);
  EXPECT_EQ(kind_of("{}"), Kind::object);
  EXPECT_EQ(kind_of(""), Kind::none);
  EXPECT_EQ(kind_of("x"), Kind::none);
}

TEST(JsonValue, Elements) {
  EXPECT_THAT(listed(R"([ 1 , "a,]b" ,[2,3], {"k":[4]},null])"),
              ElementsAre("1", R"("a,]b")", "[2,3]", R"({"k":[4]})", "null"));
  EXPECT_THAT(listed("[]"), ElementsAre());
  EXPECT_THAT(listed("[ ]"), ElementsAre());
  EXPECT_THAT(listed("{}"), ElementsAre());
  EXPECT_THAT(listed(""), ElementsAre());
  EXPECT_EQ(element("[1,2]", 1), "2");
  EXPECT_FALSE(element("[1,2]", 2));
  EXPECT_FALSE(element("null", 0));
  EXPECT_EQ(element_count("[1,[2,3],4]"), 3U);
}

TEST(JsonValue, Members) {
  std::vector<std::string> found;
  for (const Member& each : object_members(R"({ "a" : 1 , "b,\"" :{"c":2},"d":[ ]})")) {
    found.push_back(std::string(each.name) + "=" + std::string(each.value));
  }
  EXPECT_THAT(found, ElementsAre("a=1", "b,\\\"={\"c\":2}", "d=[ ]"));
  EXPECT_EQ(object_members("{ }").begin(), Members::end());
  EXPECT_EQ(object_members("[1]").begin(), Members::end());
  EXPECT_EQ(member(R"({"address":"0x1","topics":[]})", "topics"), "[]");
  EXPECT_EQ(member(R"({"addr\u0065ss":"0x1"})", "address"), R"("0x1")");
  EXPECT_EQ(member(R"({"a":1,"a":2})", "a"), "2");
  EXPECT_FALSE(member(R"({"a":{"b":1}})", "b"));
}

TEST(JsonValue, BrokenTextEndsTheIteration) {
  EXPECT_THAT(listed("[1,2"), ElementsAre("1", "2"));
  EXPECT_THAT(listed("[1,tru"), ElementsAre("1"));
  EXPECT_THAT(listed("["), ElementsAre());
  EXPECT_FALSE(member(R"({"a":)", "a"));
  EXPECT_FALSE(member(R"({"a)", "a"));
}

TEST(JsonValue, Strings) {
  const std::string_view raw = R"("0xAb")";
  EXPECT_EQ(string_value(raw), "0xAb");
  EXPECT_EQ(string_value(raw)->data(), raw.data() + 1);
  EXPECT_FALSE(string_value(R"("a\n")"));
  EXPECT_FALSE(string_value("1"));
  EXPECT_FALSE(string_value("\""));
  EXPECT_EQ(string_copy(R"("\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00")"),
            "\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_FALSE(string_copy("[]"));
}

TEST(JsonValue, NumbersAndBooleans) {
  EXPECT_EQ(uint_value("0"), 0U);
  EXPECT_EQ(uint_value("18446744073709551615"), 18446744073709551615U);
  for (const std::string_view bad : {"18446744073709551616", "-1", "1.0", "1e3", "", "\"1\"", "null"}) {
    EXPECT_FALSE(uint_value(bad)) << bad;
  }
  EXPECT_EQ(bool_value("true"), true);
  EXPECT_EQ(bool_value("false"), false);
  EXPECT_FALSE(bool_value("1"));
}

TEST(JsonValue, Validity) {
  EXPECT_TRUE(is_valid_json(" [1] "));
  EXPECT_FALSE(is_valid_json("[1] 2"));
  EXPECT_TRUE(is_valid_json("[[]]", 2));
  EXPECT_FALSE(is_valid_json("[[]]", 1));
  EXPECT_TRUE(is_valid_json("1", 0));
}

}  // namespace
}  // namespace fanfare::jsonrpc
