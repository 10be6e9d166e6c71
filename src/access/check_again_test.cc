// What an open connection's credentials give after the plan has changed.

#include <gtest/gtest.h>

#include <functional>

#include "access/authenticator.h"
#include "access/token_for_tests.h"

namespace fanfare::access {
namespace {

using std::chrono::seconds;

constexpr WallTime kToday{std::chrono::hours(24 * 365 * 55)};
const std::string kSecret(32, 's');
const std::string kOtherSecret(32, 'o');

AccessPlan plan() {
  AccessPlan plan;
  plan.roles = {{.role = {.name = "reader", .methods = {.allow = {"eth_*"}}}},
                {.role = {.name = "admin", .methods = {.allow = {"*"}}}}};
  plan.keys = {{.name = "shop", .digest = sha256("key-of-the-shop"), .roles = {"reader"}}};
  plan.users = {{.password = hash_password("alice", "wonder"), .roles = {"admin"}}};
  plan.certificates = {{.name = "billing", .subject = "CN=billing", .roles = {"reader"}}};
  plan.tokens = TokenPlan{.rules = {.keys = {*JwtKey::hmac("", kSecret)}}, .default_roles = {"reader"}};
  plan.anonymous_roles = {"reader"};
  return plan;
}

class CheckAgainTest : public ::testing::Test {
 protected:
  PrincipalPtr who(const std::expected<Credentials, Denial>& credentials, bool shows_certificate = false) {
    SeededRandom random(1);
    const Authenticator authenticator(plan(), random);
    const ClientCertificate certificate{.subject = "CN=billing", .valid_until = kToday + seconds(60)};
    const auto caller =
        authenticator.authenticate(credentials, {.address = IpAddress::parse("192.0.2.7"),
                                                 .account = account_,
                                                 .now = {},
                                                 .wall_now = kToday,
                                                 .certificate = shows_certificate ? &certificate : nullptr});
    EXPECT_TRUE(caller);
    return caller ? caller->principal : nullptr;
  }
  PrincipalPtr shop() { return who(Credentials::token("key-of-the-shop")); }
  PrincipalPtr alice() { return who(Credentials::password("alice", "wonder")); }
  PrincipalPtr billing() { return who(std::unexpected(Denial::missing), true); }
  PrincipalPtr anonymous() { return who(std::unexpected(Denial::missing)); }
  PrincipalPtr carol(const std::string& claims = "") {
    const auto end = std::chrono::duration_cast<seconds>((kToday + seconds(60)).time_since_epoch());
    return who(Credentials::token(
        hs256_token(kSecret, R"({"sub":"carol","exp":)" + std::to_string(end.count()) + claims + "}")));
  }

  // The name of the denial, or the names of the roles.
  static std::string again(const PrincipalPtr& before, const std::function<void(AccessPlan&)>& change,
                           std::string_view address = "192.0.2.7") {
    SeededRandom random(2);
    AccessPlan next = plan();
    change(next);
    EXPECT_EQ(problem_of(next), "");
    const auto now = Authenticator(next, random).check_again(*before, IpAddress::parse(address));
    if (!now) return "denied: " + std::string(name_of(now.error()));
    EXPECT_EQ(now->principal->name, before->name);
    EXPECT_EQ(now->principal->expires_at, before->expires_at);
    std::string roles;
    for (const Role& role : now->principal->roles) roles += role.name + " ";
    return roles;
  }

  Account account_;
};

TEST_F(CheckAgainTest, WhatHasNotChangedStays) {
  const auto nothing = [](AccessPlan&) {};
  EXPECT_EQ(again(shop(), nothing), "reader ");
  EXPECT_EQ(again(alice(), nothing), "admin ");
  EXPECT_EQ(again(billing(), nothing), "reader ");
  EXPECT_EQ(again(carol(), nothing), "reader ");
  EXPECT_EQ(again(anonymous(), nothing), "reader ");
}

TEST_F(CheckAgainTest, ARotatedKeyIsNotTheOldOne) {
  EXPECT_EQ(again(shop(), [](AccessPlan& next) { next.keys[0].digest = sha256("another key"); }),
            "denied: unknown");
  EXPECT_EQ(again(shop(), [](AccessPlan& next) { next.keys.clear(); }), "denied: unknown");
  EXPECT_EQ(again(shop(), [](AccessPlan& next) { next.keys[0].roles = {"admin"}; }), "admin ");
  // The same key is somebody else's now.
  EXPECT_EQ(again(shop(), [](AccessPlan& next) { next.keys[0].name = "thief"; }), "denied: unknown");
}

TEST_F(CheckAgainTest, APasswordThatHasChangedIsNotTheOldOne) {
  EXPECT_EQ(
      again(alice(), [](AccessPlan& next) { next.users[0].password = hash_password("alice", "other"); }),
      "denied: unknown");
  EXPECT_EQ(again(alice(),
                  [](AccessPlan& next) {
                    next.users.push_back({.password = hash_password("alice", "next"), .roles = {"admin"}});
                  }),
            "admin ")
      << "both are valid";
  EXPECT_EQ(again(alice(), [](AccessPlan& next) { next.users.clear(); }), "denied: unknown");
}

TEST_F(CheckAgainTest, ATokenEndsWithTheKeyThatSignedIt) {
  const auto rotated = [](AccessPlan& next) {
    next.tokens->rules.keys = {*JwtKey::hmac("other id", kOtherSecret), *JwtKey::hmac("new id", kSecret)};
  };
  EXPECT_EQ(again(carol(), rotated), "reader ") << "the key counts, not its id";
  EXPECT_EQ(
      again(carol(), [](AccessPlan& next) { next.tokens->rules.keys = {*JwtKey::hmac("", kOtherSecret)}; }),
      "denied: unknown");
  EXPECT_EQ(again(carol(), [](AccessPlan& next) { next.tokens.reset(); }), "denied: unknown");
  const auto other_default = [](AccessPlan& next) { next.tokens->default_roles = {"admin"}; };
  EXPECT_EQ(again(carol(), other_default), "admin ");
  EXPECT_EQ(again(carol(R"(,"roles":["reader"])"), other_default), "reader ") << "it has roles of its own";
}

TEST_F(CheckAgainTest, CertificatesAndAnonymousCallers) {
  EXPECT_EQ(again(billing(), [](AccessPlan& next) { next.certificates.clear(); }), "denied: unknown");
  EXPECT_EQ(again(billing(), [](AccessPlan& next) { next.certificates[0].subject = "CN=other"; }),
            "denied: unknown");
  EXPECT_EQ(again(anonymous(), [](AccessPlan& next) { next.anonymous_roles.clear(); }), "denied: missing");
}

TEST_F(CheckAgainTest, AddressesThatAreNotAllowedAnyMore) {
  const AddressRange inside = *AddressRange::parse("10.0.0.0/8");
  EXPECT_EQ(again(shop(), [&](AccessPlan& next) { next.allowed_addresses = {inside}; }), "denied: address");
  EXPECT_EQ(again(shop(), [&](AccessPlan& next) { next.keys[0].from = {inside}; }), "denied: address");
  EXPECT_EQ(again(alice(), [&](AccessPlan& next) { next.users[0].from = {inside}; }), "denied: address");
  EXPECT_EQ(again(billing(), [&](AccessPlan& next) { next.certificates[0].from = {inside}; }),
            "denied: address");
  EXPECT_EQ(again(shop(), [&](AccessPlan& next) { next.keys[0].from = {inside}; }, "10.1.2.3"), "reader ");
}

TEST_F(CheckAgainTest, ACertificateIsKnownByFingerprintOrSubject) {
  SeededRandom random(3);
  AccessPlan with = plan();
  with.anonymous_roles.clear();
  with.certificates = {{.name = "pinned", .fingerprint = sha256("DER"), .roles = {"admin"}},
                       {.name = "away",
                        .subject = "CN=away",
                        .roles = {"reader"},
                        .from = {*AddressRange::parse("10.0.0.0/8")}}};
  const Authenticator authenticator(with, random);
  const auto name = [&](const ClientCertificate& certificate) {
    const auto caller = authenticator.authenticate(std::unexpected(Denial::missing),
                                                   {.address = IpAddress::parse("192.0.2.7"),
                                                    .account = account_,
                                                    .now = {},
                                                    .wall_now = kToday,
                                                    .certificate = &certificate});
    return caller ? caller->principal->name : std::string(name_of(caller.error().denial));
  };
  const WallTime later = kToday + seconds(1);
  EXPECT_EQ(name({.fingerprint = sha256("DER"), .subject = "CN=x", .valid_until = later}), "pinned");
  EXPECT_EQ(name({.fingerprint = sha256("DER2"), .subject = "CN=x", .valid_until = later}), "missing");
  EXPECT_EQ(name({.fingerprint = sha256("DER"), .subject = "", .valid_until = kToday}), "expired");
  EXPECT_EQ(name({.subject = "CN=away", .valid_until = later}), "address");
  EXPECT_EQ(name({.subject = "CN=away,O=more", .valid_until = later}), "missing");
  EXPECT_EQ(name({.subject = "", .valid_until = later}), "missing") << "no subject is no wildcard";
}

}  // namespace
}  // namespace fanfare::access
