#include "session/close_hint.h"

#include <gtest/gtest.h>

namespace fanfare::session {
namespace {

using namespace std::chrono_literals;

TEST(CloseHint, IsReadFromTheReasonsOfARestartAndOfOverload) {
  EXPECT_EQ(close_hint(1012, "the gateway is restarting, try again in 3 s"), 3s);
  EXPECT_EQ(close_hint(1013, "the server has too much to do, try again in 7 s"), 7s);
  EXPECT_EQ(close_hint(1012, "try again in 0 s"), 0s);
}

TEST(CloseHint, IsMissingInOtherCodesAndTexts) {
  EXPECT_EQ(close_hint(1000, "try again in 3 s"), std::nullopt);
  EXPECT_EQ(close_hint(1008, "try again in 3 s"), std::nullopt);
  for (const char* const reason :
       {"", "the gateway is restarting", "try again in ", "try again in s", "try again in 3",
        "try again in 3 minutes", "try again in -3 s", "try again in 3.5 s", "try again later"}) {
    EXPECT_EQ(close_hint(1012, reason), std::nullopt) << reason;
  }
}

TEST(CloseHint, HasALimit) {
  EXPECT_EQ(close_hint(1012, "try again in 600 s"), kCloseHintMax);
  EXPECT_EQ(close_hint(1012, "try again in 601 s"), kCloseHintMax);
  EXPECT_EQ(close_hint(1012, "try again in 99999999999999999999999 s"), kCloseHintMax);
}

TEST(CloseHint, IsWrittenInTheFormThatIsRead) {
  const std::string reason = with_close_hint("the gateway is restarting", 12s);
  EXPECT_EQ(reason, "the gateway is restarting, try again in 12 s");
  EXPECT_EQ(close_hint(1012, reason), 12s);
}

}  // namespace
}  // namespace fanfare::session
