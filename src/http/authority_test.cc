#include "http/authority.h"

#include <gtest/gtest.h>

namespace fanfare::http {
namespace {

TEST(Authority, OfATarget_RFC9112_3_2_2) {
  EXPECT_EQ(authority_of("http://a:80/b?c"), "a:80");
  EXPECT_EQ(authority_of("ws://a?b"), "a");
  EXPECT_EQ(authority_of("http://a"), "a");
  EXPECT_EQ(authority_of("http:///a"), "");
  EXPECT_EQ(authority_of("/a?http://b/"), "");
  EXPECT_EQ(authority_of("*"), "");
  EXPECT_EQ(authority_of("a:80"), "");
}

TEST(Authority, HostAndPort_RFC9110_7_2) {
  EXPECT_TRUE(is_host_and_port(""));
  EXPECT_TRUE(is_host_and_port("example.com:8080"));
  EXPECT_TRUE(is_host_and_port("[::1]:443"));
  EXPECT_TRUE(is_host_and_port("[vF.a:1]"));
  for (const std::string_view bad :
       {"user@a", "a/path", "a, b", "a b", "[::1", "a:b", "a:80:80", "[vg.a]", "[v1.]"}) {
    EXPECT_FALSE(is_host_and_port(bad)) << bad;
  }
  EXPECT_FALSE(is_host_and_port(std::string_view("a\0", 2)));
}

TEST(Authority, Ipv4_RFC3986_3_2_2) {
  for (const std::string_view good : {"0.0.0.0", "192.0.2.1", "255.255.255.255"})
    EXPECT_TRUE(is_ipv4_address(good));
  for (const std::string_view bad : {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4.",
                                     ".1.2.3", "a.b.c.d", "1..2.3", "1111.2.3.4", "+1.2.3.4"}) {
    EXPECT_FALSE(is_ipv4_address(bad)) << bad;
  }
}

}  // namespace
}  // namespace fanfare::http
