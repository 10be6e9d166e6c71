#include "gateway/duration.h"

#include <gtest/gtest.h>

namespace fanfare::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Duration, ReadsEveryUnitAndTheirSums) {
  EXPECT_EQ(parse_duration("30s"), seconds(30));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("1m30s"), seconds(90));
  EXPECT_EQ(parse_duration("1h"), hours(1));
  EXPECT_EQ(parse_duration("1h2m3s4ms"), hours(1) + minutes(2) + seconds(3) + milliseconds(4));
  EXPECT_EQ(parse_duration("90m"), minutes(90));
  EXPECT_EQ(parse_duration("0s"), seconds(0));
  EXPECT_EQ(parse_duration("8760h"), hours(8760));
}

TEST(Duration, SaysWhatIsWrong) {
  EXPECT_EQ(parse_duration("").error(), "is empty");
  EXPECT_EQ(parse_duration("30").error(), "is a number without a unit");
  EXPECT_EQ(parse_duration("1m30").error(), "ends in a number without a unit");
  EXPECT_EQ(parse_duration("s").error(), "is not a duration");
  EXPECT_EQ(parse_duration("-5s").error(), "is not a duration");
  EXPECT_EQ(parse_duration("1.5s").error(), "is not a duration");
  EXPECT_EQ(parse_duration("30 s").error(), "is not a duration");
  EXPECT_EQ(parse_duration("30sec").error(), "has an unknown unit");
  EXPECT_EQ(parse_duration("30S").error(), "has an unknown unit");
  EXPECT_EQ(parse_duration("30s1m").error(), "has its units out of order");
  EXPECT_EQ(parse_duration("1s1s").error(), "has its units out of order");
}

TEST(Duration, CannotOverflow) {
  EXPECT_EQ(parse_duration("8761h").error(), "is longer than 8760h");
  EXPECT_EQ(parse_duration("8760h1ms").error(), "is longer than 8760h");
  EXPECT_EQ(parse_duration("9223372036854775807ms").error(), "is longer than 8760h");
  EXPECT_EQ(parse_duration("99999999999999999999999999h").error(), "is longer than 8760h");
}

TEST(Duration, IsWrittenAsItIsRead) {
  for (const char* text : {"0s", "30s", "1m30s", "500ms", "1h", "1h2m3s4ms", "8760h"}) {
    EXPECT_EQ(format_duration(*parse_duration(text)), text);
  }
}

}  // namespace
}  // namespace fanfare::gateway
