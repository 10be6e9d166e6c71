#include "upstream/url.h"

#include <gtest/gtest.h>

namespace fanfare::upstream {
namespace {

TEST(Url, ShowsWhereAndHidesTheRest) {
  EXPECT_EQ(redacted("http://127.0.0.1:8545"), "http://127.0.0.1:8545");
  EXPECT_EQ(redacted("http://127.0.0.1:8545/"), "http://127.0.0.1:8545/");
  EXPECT_EQ(redacted("https://eth.example/v2/abcdef123456"), "https://eth.example/v2/***");
  EXPECT_EQ(redacted("https://bob:secret@eth.example:443/rpc"), "https://***@eth.example:443/rpc");
  EXPECT_EQ(redacted("https://eth.example/rpc?apikey=secret"), "https://eth.example/rpc?***");
  EXPECT_EQ(redacted("https://eth.example?key=secret/with/slash"), "https://eth.example?***");
  EXPECT_EQ(redacted("https://bob:p@ss@eth.example"), "https://***@eth.example");
}

TEST(Url, WhatIsNoUrlIsHiddenWhole) {
  EXPECT_EQ(redacted(""), "***");
  EXPECT_EQ(redacted("bob:secret@eth.example"), "***");
  EXPECT_EQ(redacted("https://"), "***");
  EXPECT_EQ(redacted("://key"), "***");
}

TEST(Url, ScrubsEverySecretFromForeignText) {
  const auto secrets = secrets_of("https://bob:hunter2@eth.example/v2/abcdef123456?apikey=qwertyuiop&x=1");
  const std::string text =
      "GET /v2/abcdef123456?apikey=qwertyuiop&x=1 by bob:hunter2 (hunter2, qwertyuiop) at eth.example";
  const std::string clean = scrubbed(text, secrets);
  for (const char* secret : {"abcdef123456", "hunter2", "qwertyuiop"}) {
    EXPECT_EQ(clean.find(secret), std::string::npos) << clean;
  }
  EXPECT_NE(clean.find("eth.example"), std::string::npos);
}

}  // namespace
}  // namespace fanfare::upstream
