#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "upstream/backend.h"

namespace fanfare::upstream {
namespace {

std::string answer_with(const std::string& result) {
  return R"({"jsonrpc":"2.0","id":1,"result":")" + result + "\"}";
}
const std::string kLong(200, 'a');

TEST(Reply, IsScannedOnceAlsoWhenItMoves) {
  for (const std::string& text : {std::string("0x1"), std::string("0x234c8a3397aab58"), kLong}) {
    const Reply first{.body = answer_with(text)};
    // A scan that another reader made is used: this one says something else than the text.
    jsonrpc::Answer noted = *jsonrpc::split_response(first.body);
    noted.is_plain = false;
    note_scan(first, noted);
    EXPECT_FALSE(answer_of(first)->is_plain) << text;
    Reply source{.body = answer_with(text)};
    note_scan(source, noted);
    const Reply moved = std::move(source);
    EXPECT_FALSE(answer_of(moved)->is_plain) << text;
  }
}

TEST(Reply, AnotherBodyIsScannedAgain) {
  for (const std::string& text : {std::string("b"), kLong}) {
    Reply reply{.body = answer_with(text)};
    EXPECT_EQ(answer_of(reply)->result, '"' + text + '"');
    std::string other = R"({"id":1,"result":1,"x":")" + text + "\"}";
    reply.body = other;
    EXPECT_EQ(answer_of(reply)->result, "1");
    const Reply copy = reply;
    EXPECT_EQ(answer_of(copy)->result.data(), copy.body.data() + copy.body.find(":1,\"x") + 1);
    reply.body = "no answer at all: " + text;
    EXPECT_FALSE(answer_of(reply));
  }
}

TEST(Reply, ABatchIsNoSingleAnswer) {
  const Reply reply{.body = "[" + answer_with(kLong) + "]"};
  EXPECT_FALSE(answer_of(reply));
}

}  // namespace
}  // namespace fanfare::upstream
