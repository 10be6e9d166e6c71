#include "relay/presence/record.h"

#include <gtest/gtest.h>

namespace fanfare::relay {
namespace {

using namespace std::string_literals;

TEST(PresenceRecord, ReadsWhatItIsMadeOf) {
  const std::string bytes =
      "t"
      "\0\0\0\0\0\0\0\x05"
      "\0\0\0\0\0\0\0\x07"
      "\0\0\0\0\0\0\0\x09"
      "\0\0\0\x01\0\0\0\x02"
      "\0\0\0\x01\0\0\0\0\0\0\0\x0b\0\0\0\x0c"
      "\0\0\0\x02\0\x03"
      "ann\0\x03"
      "bob\0\0\0\x01\0\x03"
      "eve"s;
  const auto record = decode(as_bytes(bytes));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->kind, PresenceRecord::Kind::tell);
  EXPECT_EQ(record->event, 5U);
  EXPECT_EQ(record->at, (Position{.epoch = 7, .offset = 9}));
  EXPECT_EQ(record->part, 1U);
  EXPECT_EQ(record->parts, 2U);
  EXPECT_EQ(record->gone, (std::vector<MemberLog>{{.instance = 11, .turn = 12}}));
  EXPECT_EQ(record->change.joined, (std::vector<std::string>{"ann", "bob"}));
  EXPECT_EQ(record->change.left, (std::vector<std::string>{"eve"}));
  EXPECT_EQ(encode(*record), bytes);
  // Cut off anywhere, or longer, it is none.
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode(as_bytes(bytes.substr(0, size)))) << size;
  EXPECT_FALSE(decode(as_bytes(bytes + "x")));
  EXPECT_FALSE(decode(as_bytes("?" + bytes.substr(1))));
}

// Nothing is allocated for names that cannot be there.
TEST(PresenceRecord, ACountThatIsTooLargeIsAnError) {
  std::string bytes = encode({.kind = PresenceRecord::Kind::change});
  for (const std::size_t count : {33U, 37U, 41U}) {
    std::string wrong = bytes;
    for (std::size_t i = 0; i < 4; ++i) wrong[count + i] = '\xff';
    EXPECT_FALSE(decode(as_bytes(wrong))) << count;
  }
}

TEST(PresenceRecord, ALogHasAName) {
  const MemberLog log{.instance = UINT64_MAX, .turn = 3};
  EXPECT_EQ(to_text(log), "18446744073709551615-3");
  EXPECT_EQ(member_log_of(to_text(log)), log);
  for (const char* text : {"", "1", "1-", "-1", "1-2x", "1-4294967296", "x-1"})
    EXPECT_FALSE(member_log_of(text)) << text;
}

}  // namespace
}  // namespace fanfare::relay
