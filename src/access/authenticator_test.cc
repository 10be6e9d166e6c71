#include "access/authenticator.h"

#include <gtest/gtest.h>

#include "access/token_for_tests.h"

namespace fanfare::access {
namespace {

using std::chrono::seconds;

constexpr WallTime kToday{std::chrono::hours(24 * 365 * 55)};
const std::string kHmacSecret(32, 's');

AccessPlan plan() {
  SeededRandom random(7);
  AccessPlan plan;
  plan.roles = {
      {.role = {.name = "reader", .methods = {.allow = {"eth_*"}}}, .limits = {.connections_max = 3}},
      {.role = {.name = "admin", .methods = {.allow = {"*"}}}}};
  plan.keys = {{.name = "shop", .digest = sha256("key-of-the-shop"), .roles = {"reader"}},
               {.name = "office",
                .digest = sha256("key-of-the-office"),
                .roles = {"admin", "reader"},
                .from = {*AddressRange::parse("10.0.0.0/8")},
                .expires_at = kToday + seconds(10)}};
  plan.users = {{.password = hash_password("alice", "wonder", random), .roles = {"admin"}},
                {.password = hash_password("alice", "new wonder", random), .roles = {"admin"}},
                {.password = hash_password("bob", "builder", random), .roles = {"reader"}}};
  TokenPlan tokens{.rules = {.keys = {*JwtKey::hmac("", kHmacSecret)}}, .default_roles = {"reader"}};
  plan.tokens = std::move(tokens);
  plan.failures = {.per_second = 1, .burst = 3};
  return plan;
}

class AuthenticatorTest : public ::testing::Test {
 protected:
  std::expected<Caller, Refusal> ask(std::expected<Credentials, Denial> credentials,
                                     std::string_view address = "192.0.2.7") {
    return authenticator_.authenticate(credentials, {.address = IpAddress::parse(address),
                                                     .account = account_,
                                                     .now = now_,
                                                     .wall_now = kToday + now_.time_since_epoch()});
  }
  std::string name(std::expected<Credentials, Denial> credentials, std::string_view address = "192.0.2.7") {
    const auto caller = ask(std::move(credentials), address);
    return caller ? caller->principal->name : "denied: " + std::string(name_of(caller.error().denial));
  }

  SeededRandom random_{1};
  Authenticator authenticator_{plan(), random_};
  Account account_;
  Instant now_{};
};

TEST_F(AuthenticatorTest, KeysHaveTheirPrincipals) {
  const auto shop = ask(Credentials::token("key-of-the-shop"));
  ASSERT_TRUE(shop);
  EXPECT_EQ(shop->principal->name, "shop");
  EXPECT_TRUE(shop->principal->may({.method = "eth_call"}));
  EXPECT_FALSE(shop->principal->may({.method = "net_version"}));
  EXPECT_EQ(shop->limits->connections_max, 3U);
  EXPECT_EQ(name(Credentials::token("key-of-the-shop ")), "denied: unknown");
  EXPECT_EQ(name(Credentials::token("key-of-the-sho")), "denied: unknown");
}

TEST_F(AuthenticatorTest, AKeyMayBeBoundToAddressesAndExpire) {
  EXPECT_EQ(name(Credentials::token("key-of-the-office")), "denied: address");
  EXPECT_EQ(name(Credentials::token("key-of-the-office"), "10.1.2.3"), "office");
  now_ += seconds(10);
  EXPECT_EQ(name(Credentials::token("key-of-the-office"), "10.1.2.3"), "denied: expired");
}

TEST_F(AuthenticatorTest, UsersHavePasswordsOldAndNew) {
  EXPECT_EQ(name(Credentials::password("alice", "wonder")), "alice");
  EXPECT_EQ(name(Credentials::password("alice", "new wonder")), "alice");
  EXPECT_EQ(name(Credentials::password("bob", "wonder")), "denied: unknown");
  EXPECT_EQ(name(Credentials::password("carol", "wonder")), "denied: unknown");
  EXPECT_EQ(name(Credentials::password("", "")), "denied: unknown");
}

TEST_F(AuthenticatorTest, WithoutCredentialsNobodyEnters) {
  EXPECT_EQ(name(std::unexpected(Denial::missing)), "denied: missing");
  EXPECT_EQ(name(std::unexpected(Denial::malformed)), "denied: malformed");
  AccessPlan open = plan();
  open.anonymous_roles = {"reader"};
  const Authenticator authenticator(open, random_);
  const Attempt attempt{.address = {}, .account = account_, .now = now_, .wall_now = kToday};
  EXPECT_EQ(authenticator.authenticate(std::unexpected(Denial::missing), attempt)->principal->name,
            "anonymous");
  // Wrong ones are not anonymous.
  EXPECT_FALSE(authenticator.authenticate(Credentials::token("x"), attempt));
}

TEST_F(AuthenticatorTest, BruteForceIsSlowedEvenWithTheRightPassword) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(name(Credentials::password("alice", "guess")), "denied: unknown");
  const auto blocked = ask(Credentials::password("alice", "wonder"));
  ASSERT_FALSE(blocked);
  EXPECT_EQ(blocked.error().denial, Denial::blocked);
  EXPECT_EQ(blocked.error().retry_after, seconds(1));
  // Asking again does not prolong it.
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(ask(Credentials::password("alice", "wonder")));
  now_ += seconds(1);
  EXPECT_EQ(name(Credentials::password("alice", "wonder")), "alice");
}

TEST_F(AuthenticatorTest, AFloodOfWrongKeysDoesNotLockOutAKeyOfTheSameAddress) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(name(Credentials::token("guess")), "denied: unknown");
  EXPECT_EQ(name(Credentials::token("guess")), "denied: blocked");
  EXPECT_EQ(name(Credentials::token("key-of-the-shop")), "shop");
}

TEST_F(AuthenticatorTest, SuccessesNeverBlock) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(name(Credentials::password("alice", "wonder")), "alice");
}

TEST_F(AuthenticatorTest, TokensBringTheirRolesAndTheirEnd) {
  const std::string token =
      hs256_token(kHmacSecret, R"({"sub":"carol","exp":1734480100,"roles":["admin","other"]})");
  // kToday is 1734480000.
  const auto carol = ask(Credentials::token(token));
  ASSERT_TRUE(carol);
  EXPECT_EQ(carol->principal->name, "jwt:carol");
  EXPECT_TRUE(carol->principal->may({.method = "net_version"}));
  EXPECT_EQ(carol->principal->roles.size(), 1U);
  EXPECT_EQ(carol->principal->expires_at, WallTime(seconds(1734480130)));
  const auto plain = ask(Credentials::token(hs256_token(kHmacSecret, R"({"sub":"dave","exp":1734480100})")));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->principal->label(), "reader");
  const auto none =
      ask(Credentials::token(hs256_token(kHmacSecret, R"({"sub":"e","exp":1734480100,"roles":["other"]})")));
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->principal->may({.method = "eth_call"}));
}

TEST_F(AuthenticatorTest, ATokenWithoutRolesHasTheDefaultOnesAndWithAnEmptyListNone) {
  const auto roles_of = [&](std::string_view claims) {
    const auto caller = ask(Credentials::token(hs256_token(kHmacSecret, claims)));
    return caller ? caller->principal->roles.size() : 99;
  };
  const std::string expiry =
      std::to_string(std::chrono::duration_cast<seconds>(kToday.time_since_epoch()).count() + 60);
  EXPECT_EQ(roles_of(R"({"sub":"carol","exp":)" + expiry + "}"), 1U);
  EXPECT_EQ(roles_of(R"({"sub":"carol","roles":[],"exp":)" + expiry + "}"), 0U);
}

// Their quotas must not be one.
TEST_F(AuthenticatorTest, StrangersShareAnIdentityWithoutASubject) {
  const std::string expiry =
      std::to_string(std::chrono::duration_cast<seconds>(kToday.time_since_epoch()).count() + 60);
  const auto is_shared = [&](std::string_view subject) {
    const auto caller = ask(
        Credentials::token(hs256_token(kHmacSecret, "{" + std::string(subject) + "\"exp\":" + expiry + "}")));
    return caller && caller->principal->is_shared();
  };
  EXPECT_TRUE(is_shared(""));
  EXPECT_TRUE(is_shared(R"("sub":"",)"));
  EXPECT_TRUE(is_shared(R"("sub":7,)"));
  EXPECT_FALSE(is_shared(R"("sub":"carol",)"));
}

TEST_F(AuthenticatorTest, SubjectsOfAnyBytesAreDifferentNames) {
  const auto subject = [&](std::string_view text) {
    return name(Credentials::token(
        hs256_token(kHmacSecret, R"({"exp":1734480100,"sub":")" + std::string(text) + "\"}")));
  };
  EXPECT_NE(subject("\xc3\xa4"), subject("\xc3\xb6"));
  EXPECT_EQ(subject("\xc3\xa4"), subject("\\u00e4"));
  EXPECT_NE(subject(std::string(100, 'a')), subject(std::string(101, 'a')));
  EXPECT_TRUE(subject("a\\nb").starts_with("jwt:#"));
}

TEST_F(AuthenticatorTest, AddressesOfThePlanComeFirst) {
  AccessPlan closed = plan();
  closed.allowed_addresses = {*AddressRange::parse("10.0.0.0/8")};
  const Authenticator authenticator(closed, random_);
  const auto ask_from = [&](std::optional<IpAddress> address) {
    return authenticator
        .authenticate(Credentials::token("key-of-the-shop"),
                      {.address = address, .account = account_, .now = now_, .wall_now = kToday})
        .has_value();
  };
  EXPECT_FALSE(ask_from(IpAddress::parse("192.0.2.7")));
  EXPECT_TRUE(ask_from(IpAddress::parse("10.9.9.9")));
  EXPECT_TRUE(ask_from(std::nullopt));
}

TEST(AccessPlan, ProblemsAreNamed) {
  AccessPlan wrong = plan();
  EXPECT_EQ(problem_of(wrong), "");
  wrong.keys[0].roles = {"nobody"};
  EXPECT_EQ(problem_of(wrong), "shop has a role that does not exist: nobody");
  wrong = plan();
  wrong.keys[1].digest = wrong.keys[0].digest;
  EXPECT_EQ(problem_of(wrong), "the key of office stands twice");
  wrong = plan();
  wrong.keys[0].name = "alice";
  EXPECT_EQ(problem_of(wrong), "a key and a user have the name alice");
  wrong = plan();
  wrong.keys[1].name = "shop";
  EXPECT_EQ(problem_of(wrong), "the name shop stands twice");
  wrong = plan();
  wrong.roles.push_back(wrong.roles[0]);
  EXPECT_EQ(problem_of(wrong), "the role reader stands twice");
  wrong = plan();
  wrong.anonymous_roles = {"x"};
  EXPECT_EQ(problem_of(wrong), "anonymous has a role that does not exist: x");
}

}  // namespace
}  // namespace fanfare::access
