#include "http/accept_encoding.h"

#include <gtest/gtest.h>

#include <vector>

namespace fanfare::http {
namespace {

constexpr AcceptedCoding kIdentity{};
constexpr AcceptedCoding kGzip{.best = ContentCoding::gzip};
constexpr AcceptedCoding kDeflate{.best = ContentCoding::deflate};

AcceptedCoding of(std::string_view value) {
  const std::vector<HeaderField> fields{{.name = "accept-encoding", .value = value}};
  return accepted_coding(fields);
}

TEST(AcceptEncoding, WithoutAWordNothingIsCoded_RFC9110_12_5_3) {
  EXPECT_EQ(accepted_coding({}), kIdentity);
  for (const std::string_view value :
       {"", " ", "br", "zstd;q=1, br", "identity", ",,", "gzipp", "*;q=0.0, br"}) {
    EXPECT_EQ(of(value), kIdentity) << value;
  }
}

TEST(AcceptEncoding, TheOneWithTheHighestWeightIsTaken_RFC9110_12_4_2) {
  EXPECT_EQ(of("gzip"), kGzip);
  EXPECT_EQ(of("X-GZIP"), kGzip);
  EXPECT_EQ(of("deflate"), kDeflate);
  EXPECT_EQ(of("gzip, deflate, br"), kGzip);
  EXPECT_EQ(of("deflate, gzip"), kGzip);
  EXPECT_EQ(of("gzip;q=0.5, deflate;q=0.501"), kDeflate);
  EXPECT_EQ(of("gzip ; Q=0.5 ,\tdeflate; q=0.4"), kGzip);
  EXPECT_EQ(of("br;q=1.0, gzip;q=0.001"), kGzip);
}

TEST(AcceptEncoding, AWeightOfZeroRefuses) {
  EXPECT_EQ(of("gzip;q=0"), kIdentity);
  EXPECT_EQ(of("gzip;q=0.000, deflate"), kDeflate);
  EXPECT_EQ(of("*, gzip;q=0"), kDeflate);
}

TEST(AcceptEncoding, TheStarIsWhateverIsNotNamed) {
  EXPECT_EQ(of("*"), kGzip);
  EXPECT_EQ(of("gzip;q=0.2, *;q=0.3"), kDeflate);
  EXPECT_EQ(of("*;q=0"), kIdentity);
}

TEST(AcceptEncoding, IdentityCanBeLikedBetterOrRefused) {
  EXPECT_EQ(of("identity, gzip;q=0.9"), kIdentity);
  EXPECT_EQ(of("identity;q=0.5, gzip;q=0.5"), kGzip);
  EXPECT_EQ(of("gzip, identity;q=0"), (AcceptedCoding{.best = ContentCoding::gzip, .is_required = true}));
  EXPECT_EQ(of("deflate;q=0.1, *;q=0"),
            (AcceptedCoding{.best = ContentCoding::deflate, .is_required = true}));
  EXPECT_EQ(of("identity;q=0"), kIdentity);  // nothing we support: sent unencoded
  EXPECT_EQ(of("*;q=0, identity;q=0.1, gzip;q=0.2"), kGzip);
}

TEST(AcceptEncoding, WhatCannotBeReadIsRefused) {
  for (const std::string_view value : {"gzip;q=", "gzip;q=2", "gzip;q=1.001", "gzip;q=0.1234", "gzip;q=-1",
                                       "gzip;level=9", "gzip;q=0,5", "gzip;q=.5", "gzip;q=0.5;q=1"}) {
    EXPECT_EQ(of(value), kIdentity) << value;
  }
}

TEST(AcceptEncoding, AllFieldsCountTogether) {
  const std::vector<HeaderField> fields{{.name = "Accept-Encoding", .value = "gzip;q=0.1"},
                                        {.name = "Host", .value = "gzip"},
                                        {.name = "ACCEPT-ENCODING", .value = "deflate"}};
  EXPECT_EQ(accepted_coding(fields), kDeflate);
}

}  // namespace
}  // namespace fanfare::http
