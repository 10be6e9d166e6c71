#include "eth/unknown_members.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace fanfare::eth {
namespace {

constexpr std::array<std::string_view, 2> kKnown = {"hash", "removed"};

std::string unknown_of(const std::string& object) {
  UnknownMembers members(kKnown);
  for (const jsonrpc::Member& member : jsonrpc::object_members(object)) members.add(member);
  std::string json;
  members.append_to(json);
  return json;
}

TEST(UnknownMembers, PassByteForByteInTheOrderOfTheirNames) {
  EXPECT_EQ(unknown_of(R"({"z":"0x1","hash":"0x2","a":{"b":[1, 2]},"m":null})"),
            R"(,"a":{"b":[1, 2]},"m":null,"z":"0x1")");
  EXPECT_EQ(unknown_of(R"({"hash":"0x2"})"), "");
}

TEST(UnknownMembers, TheLastOfTwoWithOneNameStands) {
  EXPECT_EQ(unknown_of(R"({"a":1,"b":2,"a":3})"), R"(,"a":3,"b":2)");
}

TEST(UnknownMembers, AnEscapedNameDoesNotSmuggleAKnownMemberIn) {
  EXPECT_EQ(unknown_of(R"({"re\u006doved":true,"\u0061":1})"), R"(,"\u0061":1)");
}

TEST(UnknownMembers, PastTheLimitOfBytesTheLaterOnesAreLeftOut) {
  const std::string fits(UnknownMembers::kBytesMax - 1 - 2, '7');
  EXPECT_EQ(unknown_of(R"({"a":")" + fits + R"("})").size(), fits.size() + 7);
  EXPECT_EQ(unknown_of(R"({"a":")" + fits + R"(7"})"), "");
  EXPECT_EQ(unknown_of(R"({"b":")" + fits + R"(","a":1})"), R"(,"a":1)");
}

}  // namespace
}  // namespace fanfare::eth
