#include "session/address_limits.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::session {
namespace {

using namespace std::chrono_literals;
using Refused = AddressLimits::Refused;

constexpr Instant kStart{std::chrono::hours(1)};

net::Address address(std::string_view host) {
  return net::Address::parse(host, 1234).value();
}

TEST(AddressLimits, KeyIsAnIp4AddressOrAnIp6Slash64) {
  const auto key = [](std::string_view host) { return AddressLimits::key_of(address(host)); };
  EXPECT_EQ(key("192.0.2.7"), 0xffff'ffff'c000'0207);
  EXPECT_EQ(key("::ffff:192.0.2.7"), key("192.0.2.7"));
  EXPECT_EQ(key("2001:db8:1:2:3:4:5:6"), 0x2001'0db8'0001'0002);
  EXPECT_EQ(key("2001:db8:1:2::"), key("2001:db8:1:2:ffff::"));
  EXPECT_NE(key("2001:db8:1:2::"), key("2001:db8:1:3::"));
  EXPECT_EQ(AddressLimits::key_of(net::Address::unix_path("/run/x").value()), std::nullopt);
}

TEST(AddressLimits, ConnectionsAreCountedForEachAddressAtItsEdge) {
  AddressLimits limits({.connections_max = 2});
  const auto one = limits.enter(address("192.0.2.7"), kStart);
  const auto two = limits.enter(address("::ffff:192.0.2.7"), kStart);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(limits.enter(address("192.0.2.7"), kStart).error(), Refused::too_many);
  EXPECT_TRUE(limits.enter(address("192.0.2.8"), kStart));
  limits.leave(*one);
  EXPECT_TRUE(limits.enter(address("192.0.2.7"), kStart));
  EXPECT_EQ(limits.enter(address("192.0.2.7"), kStart).error(), Refused::too_many);
}

TEST(AddressLimits, LoopbackMayBeExempt) {
  AddressLimits limits({.connections_max = 1, .connections_per_second = 1, .exempts_loopback = true});
  for (int i = 0; i < 5; ++i) {
    for (const char* host : {"127.0.0.1", "127.9.9.9", "::1"})
      EXPECT_TRUE(limits.enter(address(host), kStart));
  }
  EXPECT_TRUE(limits.enter(address("192.0.2.7"), kStart));
  EXPECT_FALSE(limits.enter(address("192.0.2.7"), kStart));
  AddressLimits all({.connections_max = 1});
  EXPECT_TRUE(all.enter(address("127.0.0.1"), kStart));
  EXPECT_FALSE(all.enter(address("127.0.0.1"), kStart));
}

TEST(AddressLimits, Slash64CountsAsOne) {
  AddressLimits limits({.connections_max = 1});
  EXPECT_TRUE(limits.enter(address("2001:db8::1"), kStart));
  EXPECT_FALSE(limits.enter(address("2001:db8::2"), kStart));
  EXPECT_TRUE(limits.enter(address("2001:db8:0:1::2"), kStart));
}

TEST(AddressLimits, BurstThenOneForEachIntervalThenAFullBucketAgain) {
  AddressLimits limits({.connections_per_second = 10, .burst = 3});
  const auto enters = [&](Duration at) {
    const auto ticket = limits.enter(address("192.0.2.7"), kStart + at);
    if (ticket) limits.leave(*ticket);
    return ticket.has_value();
  };
  EXPECT_TRUE(enters(0ms) && enters(0ms) && enters(0ms));
  EXPECT_EQ(limits.enter(address("192.0.2.7"), kStart).error(), Refused::too_fast);
  EXPECT_FALSE(enters(99ms));
  EXPECT_TRUE(enters(100ms));  // the rejected attempt used no token
  EXPECT_FALSE(enters(100ms));
  EXPECT_TRUE(enters(10s) && enters(10s) && enters(10s));
  EXPECT_FALSE(enters(10s));
}

TEST(AddressLimits, WithoutABurstASecondsWorthMayComeAtOnce) {
  AddressLimits limits({.connections_per_second = 5});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limits.enter(address("192.0.2.7"), kStart));
  EXPECT_FALSE(limits.enter(address("192.0.2.7"), kStart));
}

TEST(AddressLimits, OnlyWhoIsHereIsRememberedWhenConnectionsAreCounted) {
  AddressLimits limits({.connections_max = 2});
  const auto one = limits.enter(address("192.0.2.7"), kStart);
  EXPECT_EQ(limits.size(), 1U);
  limits.leave(*one);
  EXPECT_EQ(limits.size(), 0U);
}

TEST(AddressLimits, TableOfTheRateIsBounded) {
  AddressLimits limits({.connections_per_second = 1, .remembered_max = 160});
  for (unsigned i = 0; i < 10'000; ++i) {
    const std::string host = "10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." +
                             std::to_string(i % 256);
    const auto ticket = limits.enter(address(host), kStart);
    ASSERT_TRUE(ticket) << host;
    limits.leave(*ticket);
  }
  EXPECT_LE(limits.size(), 160U + 16U);
  EXPECT_FALSE(limits.enter(address("10.0.39.15"), kStart));  // the most recent one
}

TEST(AddressLimits, FullBucketsAreForgotten) {
  AddressLimits limits({.connections_per_second = 1});
  for (unsigned i = 0; i < 256; ++i) {
    limits.leave(*limits.enter(address("10.0.0." + std::to_string(i)), kStart));
  }
  EXPECT_EQ(limits.size(), 256U);
  for (unsigned i = 0; i < 256; ++i) {
    limits.leave(*limits.enter(address("10.0.1." + std::to_string(i)), kStart + 1s));
  }
  EXPECT_EQ(limits.size(), 256U);
}

TEST(AddressLimits, RefusedAddressWithoutConnectionsIsRememberedLikeOneThatLeft) {
  AddressLimits limits({.connections_per_second = 1, .remembered_max = 0});
  limits.leave(*limits.enter(address("192.0.2.7"), kStart));
  EXPECT_FALSE(limits.enter(address("192.0.2.7"), kStart));
  EXPECT_EQ(limits.size(), 1U);
}

TEST(AddressLimits, SwitchedOffAndOtherFamiliesHaveNone) {
  AddressLimits off({});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(off.enter(address("192.0.2.7"), kStart), 0U);
  AddressLimits on({.connections_max = 1});
  const net::Address path = net::Address::unix_path("/run/x").value();
  EXPECT_EQ(on.enter(path, kStart), 0U);
  EXPECT_EQ(on.enter(path, kStart), 0U);
  on.leave(0);
}

TEST(AddressLimits, OtherLimitsApplyToNewConnectionsAndCountThoseThatAreHere) {
  AddressLimits limits({.connections_max = 3});
  const auto one = limits.enter(address("192.0.2.7"), kStart);
  const auto two = limits.enter(address("192.0.2.7"), kStart);
  ASSERT_TRUE(one && two);
  limits.set_options({.connections_max = 2});
  EXPECT_EQ(limits.enter(address("192.0.2.7"), kStart).error(), Refused::too_many);
  limits.set_options({.connections_max = 1});
  limits.leave(*one);
  EXPECT_EQ(limits.enter(address("192.0.2.7"), kStart).error(), Refused::too_many);
  limits.leave(*two);
  EXPECT_TRUE(limits.enter(address("192.0.2.7"), kStart));
  limits.set_options({});
  EXPECT_FALSE(limits.enabled());
  EXPECT_TRUE(limits.enter(address("192.0.2.7"), kStart));
  // What came without limits does not count.
  limits.set_options({.connections_max = 2});
  EXPECT_TRUE(limits.enter(address("192.0.2.7"), kStart));
  EXPECT_FALSE(limits.enter(address("192.0.2.7"), kStart));
}

TEST(AddressLimits, AnotherRateForgivesWhatWasSpentBeyondItsBucket) {
  AddressLimits limits({.connections_per_second = 1, .burst = 60});
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(limits.enter(address("192.0.2.7"), kStart));
  EXPECT_EQ(limits.enter(address("192.0.2.7"), kStart).error(), Refused::too_fast);
  limits.set_options({.connections_per_second = 10, .burst = 5});
  EXPECT_EQ(limits.enter(address("192.0.2.7"), kStart).error(), Refused::too_fast);
  EXPECT_TRUE(limits.enter(address("192.0.2.7"), kStart + 100ms));
  EXPECT_FALSE(limits.enter(address("192.0.2.7"), kStart + 199ms));
  EXPECT_TRUE(limits.enter(address("192.0.2.7"), kStart + 200ms));
}

}  // namespace
}  // namespace fanfare::session
