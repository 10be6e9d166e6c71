#include "access/address.h"

#include <gtest/gtest.h>

#include <vector>

namespace fanfare::access {
namespace {

bool in(std::string_view range, std::string_view address) {
  return AddressRange::parse(range)->contains(*IpAddress::parse(address));
}

TEST(IpAddress, BothWritingsOfIpv4AreOneAddress) {
  EXPECT_EQ(IpAddress::parse("192.0.2.7"), IpAddress::parse("::ffff:192.0.2.7"));
  EXPECT_TRUE(IpAddress::parse("192.0.2.7")->is_ipv4());
  EXPECT_FALSE(IpAddress::parse("2001:db8::1")->is_ipv4());
}

TEST(IpAddress, OtherTextIsNoAddress) {
  for (const std::string_view bad :
       {"", "localhost", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4 ", "[::1]", "::1%lo", "01.2.3.4"}) {
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
}

TEST(IpAddress, IsReadFromAPeer) {
  EXPECT_EQ(IpAddress::of_peer("192.0.2.7:50312"), IpAddress::parse("192.0.2.7"));
  EXPECT_EQ(IpAddress::of_peer("[2001:db8::1]:443"), IpAddress::parse("2001:db8::1"));
  EXPECT_FALSE(IpAddress::of_peer("unix:/run/fanfare.sock"));
  EXPECT_FALSE(IpAddress::of_peer(""));
}

TEST(IpAddress, AnIpv6CustomerIsOnePayer) {
  const auto payer = [](std::string_view text) { return payer_of(IpAddress::parse(text)); };
  EXPECT_EQ(payer("2001:db8:0:1::1"), payer("2001:db8:0:1:ffff::2"));
  EXPECT_NE(payer("2001:db8:0:1::1"), payer("2001:db8:0:2::1"));
  EXPECT_NE(payer("192.0.2.7"), payer("192.0.2.8"));
  EXPECT_NE(payer("192.0.2.7"), payer("::1"));
  EXPECT_EQ(payer_of(std::nullopt), "local");
}

TEST(AddressRange, PrefixesAndMasks) {
  EXPECT_TRUE(in("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(in("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(in("10.1.2.3/255.0.0.0", "10.9.9.9"));
  EXPECT_TRUE(in("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(in("192.0.2.7", "192.0.2.6"));
  EXPECT_TRUE(in("192.0.2.0/31", "192.0.2.1"));
  EXPECT_FALSE(in("192.0.2.0/31", "192.0.2.2"));
  EXPECT_TRUE(in("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(in("::/0", "192.0.2.7"));
  EXPECT_FALSE(in("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(in("0.0.0.0/0", "192.0.2.7"));
  EXPECT_TRUE(in("::ffff:10.0.0.0/104", "10.2.3.4"));
}

TEST(AddressRange, RefusesHolesAndWhatIsTooLong) {
  for (const std::string_view bad :
       {"10.0.0.0/", "10.0.0.0/33", "::1/129", "10.0.0.0/-1", "10.0.0.0/255.0.255.0", "::1/255.0.0.0",
        "10.0.0.0/8/8", "/8", "10.0.0.0/8 ", "10.0.0.0/+8", "*"}) {
    EXPECT_FALSE(is_address_range(bad)) << bad;
  }
}

TEST(AddressRange, AnEmptyListContainsEveryAddressAndAUnixSocketIsInEveryList) {
  const std::vector<AddressRange> one{*AddressRange::parse("10.0.0.0/8")};
  EXPECT_TRUE(is_in({}, IpAddress::parse("192.0.2.7")));
  EXPECT_TRUE(is_in(one, IpAddress::parse("10.0.0.1")));
  EXPECT_FALSE(is_in(one, IpAddress::parse("192.0.2.7")));
  EXPECT_TRUE(is_in(one, std::nullopt));
}

}  // namespace
}  // namespace fanfare::access
