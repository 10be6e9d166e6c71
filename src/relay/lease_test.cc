#include "relay/lease.h"

#include <gtest/gtest.h>

namespace fanfare::relay {
namespace {

using std::chrono::milliseconds;
using Step = Lease::Step;

constexpr Duration kLength = milliseconds(1200);
const Instant kStart{std::chrono::hours(1)};

Instant at(int ms) {
  return kStart + milliseconds(ms);
}

Bucket::Entry entry(std::string holder, std::uint64_t revision) {
  return {.value = std::move(holder), .revision = revision};
}

TEST(Lease, AFreeOneIsTakenAtOnceAndRenewedEachThird) {
  Lease lease("me", kLength);
  EXPECT_EQ(lease.next(at(0), false), Step::none);
  EXPECT_EQ(lease.due(false), Instant::max());
  EXPECT_EQ(lease.next(at(0), true), Step::look);
  lease.seen(at(0), std::nullopt);
  EXPECT_EQ(lease.next(at(1), true), Step::put);
  EXPECT_EQ(lease.revision(), 0U);
  lease.put_done(at(1), 5);
  EXPECT_TRUE(lease.is_held(at(2)));
  EXPECT_EQ(lease.next(at(400), true), Step::none);
  EXPECT_EQ(lease.next(at(401), true), Step::put);
  EXPECT_EQ(lease.revision(), 5U);
  lease.put_done(at(401), 6);
  EXPECT_TRUE(lease.is_held(at(401 + 899)));
  EXPECT_FALSE(lease.is_held(at(401 + 900)));
}

// The monotonic clock begins with the machine.
TEST(Lease, ALongOneIsTakenAtOnceOnAMachineThatHasJustStarted) {
  const Instant just_started{milliseconds(1)};
  Lease lease("me", std::chrono::hours(1));
  EXPECT_EQ(lease.next(just_started, true), Step::look);
  lease.seen(just_started, std::nullopt);
  lease.put_done(just_started, 1);
  lease.released();
  EXPECT_EQ(lease.next(just_started, true), Step::look);
}

TEST(Lease, OneThatIsRenewedIsLeftAlone) {
  Lease lease("me", kLength);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(lease.next(at(300 * i), true), Step::look);
    lease.seen(at(300 * i), entry("other", 10U + static_cast<unsigned>(i)));
    EXPECT_EQ(lease.next(at(300 * i + 299), true), Step::none);
  }
  EXPECT_FALSE(lease.is_held(at(6000)));
}

TEST(Lease, OneThatIsNotRenewedIsTakenOverAfterItsLength) {
  Lease lease("me", kLength);
  for (int ms = 0; ms < 1200; ms += 300) {
    lease.seen(at(ms), entry("other", 10));
    EXPECT_EQ(lease.next(at(ms), true), Step::none) << ms;
  }
  lease.seen(at(1200), entry("other", 10));
  EXPECT_EQ(lease.next(at(1200), true), Step::put);
  EXPECT_EQ(lease.revision(), 10U);
  // Somebody else was first.
  lease.put_done(at(1200), std::nullopt);
  EXPECT_FALSE(lease.is_held(at(1200)));
  EXPECT_EQ(lease.next(at(1500), true), Step::look);
  lease.seen(at(1500), entry("third", 11));
  EXPECT_EQ(lease.next(at(1500), true), Step::none);
}

TEST(Lease, AHolderThatCannotRenewStopsBeforeOthersBegin) {
  Lease lease("me", kLength);
  lease.seen(at(0), std::nullopt);
  lease.put_done(at(0), 5);
  for (const int ms : {400, 500, 600, 700, 800}) {
    EXPECT_EQ(lease.next(at(ms), true), Step::put) << ms;
    lease.put_done(at(ms), std::nullopt);
    EXPECT_TRUE(lease.is_held(at(ms))) << ms;
  }
  EXPECT_FALSE(lease.is_held(at(900)));
  lease.put_done(at(900), std::nullopt);
  // A put whose answer was lost: the key is its own.
  EXPECT_EQ(lease.next(at(1200), true), Step::look);
  lease.seen(at(1200), entry("me", 6));
  EXPECT_EQ(lease.next(at(1200), true), Step::put);
  EXPECT_EQ(lease.revision(), 6U);
}

TEST(Lease, OneThatWasGivenUpIsFreeAndHasANoteOfItsLastHolder) {
  Lease lease("me", kLength);
  lease.leave("7");
  lease.seen(at(0), std::nullopt);
  EXPECT_EQ(lease.value(), "me 7");
  lease.put_done(at(0), 5);
  lease.leave("8");
  const Bucket::Entry left = entry(lease.free_value(), 6);
  Lease next("other", kLength);
  next.seen(at(1), left);
  EXPECT_EQ(next.next(at(1), true), Step::put);
  EXPECT_EQ(next.revision(), 6U);
  EXPECT_EQ(next.note(), "8");
  EXPECT_EQ(next.value(), "other");
}

TEST(Lease, OneThatIsNotWantedAnyMoreIsGivenUp) {
  Lease lease("me", kLength);
  lease.seen(at(0), std::nullopt);
  lease.put_done(at(0), 5);
  EXPECT_EQ(lease.next(at(1), false), Step::give_up);
  lease.released();
  EXPECT_FALSE(lease.is_held(at(1)));
  EXPECT_EQ(lease.next(at(1), false), Step::none);
}

}  // namespace
}  // namespace fanfare::relay
