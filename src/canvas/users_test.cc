#include "canvas/users.h"

#include <gtest/gtest.h>

#include "canvas/bans.h"
#include "canvas/payers.h"

namespace fanfare::canvas {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kUsersStart{std::chrono::hours(1)};

TEST(Users, AllConnectionsOfAnIdentityAreOneUser) {
  const Limits limits;
  Users users(limits, 17);
  User* const first = users.join("session a", "Ann", "1");
  User* const second = users.join("session a", "Anna", "2");
  EXPECT_EQ(first, second);
  EXPECT_EQ(first->number, 17U);
  EXPECT_EQ(first->connections, 2U);
  EXPECT_EQ(first->name, "Anna");
  EXPECT_EQ(first->payers, (std::vector<std::string>{"2", "1"}));
  EXPECT_EQ(users.join("session b", "", "1")->number, 18U);
  EXPECT_FALSE(users.leave(17));
  EXPECT_TRUE(users.leave(17));
  // He keeps his number.
  EXPECT_EQ(users.join("session a", "", "1")->number, 17U);
  EXPECT_EQ(users.find(17)->payers, (std::vector<std::string>{"1", "2"})) << "the newest first";
}

TEST(Users, WithoutAnIdentityEachConnectionIsAUserWhoIsForgotten) {
  const Limits limits;
  Users users(limits, 1);
  EXPECT_EQ(users.join("", "", "1")->number, 1U);
  EXPECT_EQ(users.join("", "", "1")->number, 2U);
  EXPECT_TRUE(users.leave(1));
  EXPECT_EQ(users.find(1), nullptr);
  EXPECT_EQ(users.count(), 1U);
}

TEST(Users, OverTheLimitThoseAreForgottenWhoLeftFirst) {
  const Limits limits{.users_max = 3};
  Users users(limits, 1);
  users.join("a", "", "");
  users.join("b", "", "");
  users.join("c", "", "");
  EXPECT_EQ(users.join("d", "", ""), nullptr) << "all are connected";
  EXPECT_NE(users.join("a", "", ""), nullptr) << "known already";
  users.leave(2);
  users.leave(3);
  users.join("b", "", "");
  users.leave(2);
  EXPECT_EQ(users.join("d", "", "")->number, 4U);
  EXPECT_EQ(users.find(3), nullptr) << "b has come back in between";
  EXPECT_NE(users.find(2), nullptr);
  EXPECT_EQ(users.count(), 3U);
}

TEST(Users, RememberAFewAddressesEach) {
  const Limits limits;
  Users users(limits, 1);
  User* const user = users.join("a", "", "0");
  for (const char* payer : {"1", "2", "3"}) users.join("a", "", payer);
  EXPECT_EQ(user->payers, (std::vector<std::string>{"3", "2", "1", "0"}));
  users.join("a", "", "4");
  EXPECT_EQ(user->payers, (std::vector<std::string>{"4", "3", "2", "1"}));
  users.join("a", "", "");
  EXPECT_EQ(user->payers.size(), User::kPayersMax);
}

TEST(Users, TheLastNumberIsNeverGiven) {
  const Limits limits;
  Users users(limits, kUserNumberMax - 1);
  EXPECT_EQ(users.join("a", "", "")->number, kUserNumberMax - 1);
  EXPECT_EQ(users.join("b", "", ""), nullptr);
  EXPECT_NE(users.join("a", "", ""), nullptr);
}

TEST(Payers, OverTheLimitUnknownOnesShareABucketUntilOthersAreIdle) {
  const Limits limits{.payers_max = 2};
  const TokenRate rate{.per_second = 1, .burst = 1};
  Payers payers(limits);
  Payer& first = payers.find("1", kUsersStart);
  first.pixels.take(rate, 1, kUsersStart);
  payers.find("2", kUsersStart).chunks.take(rate, 1, kUsersStart);
  EXPECT_EQ(&payers.find("3", kUsersStart), &payers.find("4", kUsersStart));
  EXPECT_EQ(&payers.find("1", kUsersStart), &first);
  EXPECT_EQ(payers.count(), 2U);
  const Instant later = kUsersStart + std::chrono::minutes(2);
  EXPECT_NE(&payers.find("3", later), &payers.find("4", later));
  EXPECT_EQ(payers.count(), 2U);
}

// The address of two users: the end of one ban does not end the other.
TEST(Bans, OfOneAddressDoNotReplaceEachOther) {
  Bans bans(10);
  bans.set_payer("p", "a", 5000, 1000);
  bans.set_payer("p", "b", 2000, 1000);
  EXPECT_EQ(bans.left("c", "p", 1000), milliseconds(4000)) << "the shorter one came later";
  bans.set_payer("p", "a", 1000, 1000);
  EXPECT_EQ(bans.left("c", "p", 1000), milliseconds(1000));
  bans.set_payer("p", "b", 1000, 1000);
  EXPECT_FALSE(bans.left("c", "p", 1000));
  bans.set_payer("p", "a", 5000, 1000);
  EXPECT_FALSE(bans.left("c", "p1", 1000));
  EXPECT_FALSE(bans.left("c", "", 1000));
}

TEST(Bans, HoldForTheIdentityAndForTheAddress) {
  Bans bans(10);
  EXPECT_FALSE(bans.left("a", "p", 1000));
  bans.set_identity("a", 5000, 1000);
  bans.set_payer("p", "a", 3000, 1000);
  EXPECT_EQ(bans.left("a", "other", 1000), milliseconds(4000));
  EXPECT_EQ(bans.left("other", "p", 1000), milliseconds(2000));
  EXPECT_EQ(bans.left("a", "p", 1000), milliseconds(4000)) << "the longer one";
  EXPECT_FALSE(bans.left("p", "a", 1000)) << "an identity is not an address";
  EXPECT_EQ(bans.left("a", "", 4999), milliseconds(1));
  EXPECT_FALSE(bans.left("a", "", 5000));
  bans.set_identity("a", 1000, 1000);
  EXPECT_FALSE(bans.left("a", "", 1000)) << "ended";
  bans.set_identity("", 5000, 1000);
  bans.set_payer("", "a", 5000, 1000);
  EXPECT_FALSE(bans.left("", "", 1000));
  EXPECT_EQ(bans.count(), 1U);
}

TEST(Bans, OverTheLimitTheOneThatEndsFirstIsDropped) {
  Bans bans(2);
  bans.set_identity("a", 5000, 1000);
  bans.set_identity("b", 4000, 1000);
  EXPECT_EQ(bans.count(), 2U);
  bans.set_identity("c", 6000, 1000);
  EXPECT_EQ(bans.count(), 2U);
  EXPECT_FALSE(bans.left("b", "", 1000));
  bans.set_identity("d", 9000, 5500);
  EXPECT_TRUE(bans.left("c", "", 5500)) << "a has ended";
  EXPECT_TRUE(bans.left("d", "", 5500));
}

}  // namespace
}  // namespace fanfare::canvas
