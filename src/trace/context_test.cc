#include "trace/context.h"

#include <gtest/gtest.h>

namespace fanfare::trace {
namespace {

// The example of the specification (§3.2.3).
constexpr std::string_view kExample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContext, ReadsTheExampleOfTheSpecification) {
  const auto context = parse_trace_parent(kExample);
  ASSERT_TRUE(context);
  EXPECT_EQ(hex_of(context->trace), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(hex_of(context->span), "00f067aa0ba902b7");
  EXPECT_TRUE(context->is_sampled);
  EXPECT_EQ(trace_parent_of(*context), kExample);
}

TEST(TraceContext, ReadsTheSampledBitAlone) {
  const auto read = [](std::string flags) {
    return parse_trace_parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-" + flags);
  };
  EXPECT_FALSE(read("00")->is_sampled);
  EXPECT_FALSE(read("fe")->is_sampled);
  EXPECT_TRUE(read("ff")->is_sampled);
}

TEST(TraceContext, RejectsWhatIsNotValid) {
  for (const std::string_view value : {
           "",
           "00",
           "hello",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",       // no flags
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",     // one digit
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",  // longer than version 00
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",    // upper case
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",    // no trace id
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",    // no span id
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",    // a forbidden version
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
       }) {
    EXPECT_FALSE(parse_trace_parent(value)) << value;
  }
}

TEST(TraceContext, ReadsALaterVersionAsFarAsItKnowsIt) {
  const auto context =
      parse_trace_parent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-later");
  ASSERT_TRUE(context);
  EXPECT_EQ(trace_parent_of(*context), kExample);
}

TEST(TraceContext, PassesOnAValidStateOfAtMost512Bytes) {
  EXPECT_EQ(checked_trace_state("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
  EXPECT_EQ(checked_trace_state(" a=1 ,, fw529a3039@dt=x y "), "a=1 ,, fw529a3039@dt=x y");
  const std::string longest = "a=" + std::string(256, 'x') + ",b=" + std::string(251, 'x');
  EXPECT_EQ(longest.size(), kTraceStateBytesMax);
  EXPECT_EQ(checked_trace_state(longest), longest);
  EXPECT_EQ(checked_trace_state(longest + "x"), "");
}

TEST(TraceContext, DropsAStateThatIsNotValid) {
  for (const std::string_view value :
       {"", " ", ",", "a", "=1", "A=1", "a=", "a=1=2", "a@b@c=1", "a=\x01", "a=1\r\nX: y"}) {
    EXPECT_EQ(checked_trace_state(value), "") << value;
  }
  std::string members = "a=1";
  for (std::size_t i = 1; i < kTraceStateMembersMax; ++i) members += ",a=1";
  EXPECT_EQ(checked_trace_state(members), members);
  EXPECT_EQ(checked_trace_state(members + ",a=1"), "");
}

TEST(TraceContext, SamplesByTheIdAlone) {
  TraceId low;
  TraceId high;
  low.bytes[0] = high.bytes[0] = 0xff;  // the first half does not matter
  high.bytes[8] = 0x80;
  EXPECT_FALSE(is_within(low, 0));
  EXPECT_TRUE(is_within(low, 0.25));
  EXPECT_FALSE(is_within(high, 0.5)) << "exactly at the ratio";
  EXPECT_TRUE(is_within(high, 0.51));
  EXPECT_TRUE(is_within(~std::uint64_t{0}, 1));
  EXPECT_FALSE(is_within(std::uint64_t{0}, -1));
}

}  // namespace
}  // namespace fanfare::trace
