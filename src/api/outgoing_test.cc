// When a client's drain handler is due, while other threads keep sending messages.

#include "api/outgoing.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::api {
namespace {

constexpr std::size_t kHigh = 1000;

class OutgoingTest : public testing::Test {
 protected:
  OutgoingTest() : outgoing_({.limits = {.outbox_bytes_max = 10 * kHigh, .outbox_bytes_high = kHigh}}) {
    outgoing_.start();
    outgoing_.opened();
  }
  SendResult push(std::size_t bytes) {
    const std::string text(bytes, 'x');
    return outgoing_.push(ws::Opcode::text, as_bytes(text)).result;
  }

  Outgoing outgoing_;
};

TEST_F(OutgoingTest, DrainIsDueOnceWhatWaitedHasGoneWhateverCameSince) {
  ASSERT_EQ(push(kHigh), SendResult::congested);
  ASSERT_EQ(push(10), SendResult::congested);
  EXPECT_FALSE(outgoing_.take_owed_drain());  // neither was sent
  ASSERT_TRUE(outgoing_.take());
  ASSERT_EQ(push(kHigh), SendResult::congested);
  EXPECT_TRUE(outgoing_.take_owed_drain());  // the first was sent
  EXPECT_FALSE(outgoing_.take_owed_drain());
  ASSERT_TRUE(outgoing_.take());
  EXPECT_FALSE(outgoing_.take_owed_drain());  // later congested results wait for the last of their messages
  ASSERT_TRUE(outgoing_.take());
  EXPECT_TRUE(outgoing_.take_owed_drain());
  EXPECT_FALSE(outgoing_.take_owed_drain());  // only once
}

TEST_F(OutgoingTest, DrainIsDueForWhatWasPassedOnDirectlyWhateverWaits) {
  outgoing_.owe_drain();
  ASSERT_EQ(push(10), SendResult::queued);
  EXPECT_TRUE(outgoing_.take_owed_drain());
  EXPECT_FALSE(outgoing_.take_owed_drain());
}

TEST_F(OutgoingTest, NobodyIsOwedADrainWhoWasNotTold) {
  ASSERT_EQ(push(10), SendResult::queued);
  ASSERT_TRUE(outgoing_.take());
  EXPECT_FALSE(outgoing_.take_owed_drain());
}

TEST_F(OutgoingTest, WithTheConnectionWhatIsOwedIsLost) {
  ASSERT_EQ(push(kHigh), SendResult::congested);
  outgoing_.lost(false);
  EXPECT_FALSE(outgoing_.take_owed_drain());
}

}  // namespace
}  // namespace fanfare::api
