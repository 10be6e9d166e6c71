#include "trace/request_id.h"

#include <gtest/gtest.h>

#include <string>

#include "trace/context.h"

namespace fanfare::trace {
namespace {

TEST(RequestId, TakesWhatNeedsNoQuotes) {
  for (const std::string_view good :
       {"a", "0b6fe5a4-24ef-4f33-8e0b-2b1d2f3c9a00", "Root=1-67891233-abcdef", "x/y:z~_.+@"}) {
    EXPECT_TRUE(is_request_id(good)) << good;
  }
  for (const std::string_view bad : {"", " ", "a b", "a\"b", "a,b", "a\r\nb", "\xc3\xa4", "a;b"}) {
    EXPECT_FALSE(is_request_id(bad)) << bad;
  }
  EXPECT_TRUE(is_request_id(std::string(kRequestIdBytesMax, 'x')));
  EXPECT_FALSE(is_request_id(std::string(kRequestIdBytesMax + 1, 'x')));
}

TEST(RequestId, SamplesAlikeForTheSameIdAndEvenlyOverDifferentOnes) {
  EXPECT_EQ(sample_of("abc", 1), sample_of("abc", 1));
  EXPECT_NE(sample_of("abc", 1), sample_of("abc", 2));
  int taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (is_within(sample_of(std::to_string(i), 0), 0.1)) ++taken;
  }
  // Fixed ids: the count never changes.
  EXPECT_GT(taken, 900);
  EXPECT_LT(taken, 1100);
}

}  // namespace
}  // namespace fanfare::trace
