#include "access/credentials.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfare::access {
namespace {

using Kind = Credentials::Kind;

Denial denial_of(const CredentialSources& sources) {
  const auto found = find_credentials(sources);
  return found ? Denial::count_ : found.error();
}

std::string token_in(std::vector<HeaderField> headers, std::string_view query = {},
                     std::string_view path = {}) {
  const auto found = find_credentials({.headers = headers, .query = query, .path_key = path});
  if (!found) return "denied: " + std::string(name_of(found.error()));
  return found->kind() == Kind::token ? found->secret() : "no token";
}

TEST(Credentials, UserAndPassword_RFC7617_2) {
  // Aladdin:open sesame
  const auto found = parse_authorization("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind(), Kind::password);
  EXPECT_EQ(found->user(), "Aladdin");
  EXPECT_EQ(found->secret(), "open sesame");
  // a:b:c
  EXPECT_EQ(parse_authorization("bAsIc YTpiOmM=")->secret(), "b:c");
  // "a:" and ":"
  EXPECT_EQ(parse_authorization("Basic YTo=")->secret(), "");
  EXPECT_EQ(parse_authorization("Basic Og==")->user(), "");
}

TEST(Credentials, WhatIsNoAuthorizationIsMalformed) {
  for (const std::string_view bad :
       {"", "Basic", "Basic ", "Basic !!!", "Basic QQ==", "Bearer", "Bearer ", "Bearer a b", "Digest x",
        "Basic YTpiCg==", "Basic YTpi Cg==", "Bearer \x01"}) {
    const auto found = parse_authorization(bad);
    ASSERT_FALSE(found) << bad;
    EXPECT_EQ(found.error(), Denial::malformed) << bad;
  }
}

TEST(Credentials, AKeyComesInEveryForm) {
  EXPECT_EQ(token_in({{"Authorization", "Bearer k1"}}), "k1");
  EXPECT_EQ(token_in({{"x-api-key", "k1"}}), "k1");
  EXPECT_EQ(token_in({{"X-ERPC-Secret-Token", "k1"}}), "k1");
  EXPECT_EQ(token_in({{"x-nodecore-key", "k1"}}), "k1");
  EXPECT_EQ(token_in({}, "apikey=k1"), "k1");
  EXPECT_EQ(token_in({}, "a=b&key=k%31"), "k1");
  EXPECT_EQ(token_in({}, "secret=k1"), "k1");
  EXPECT_EQ(token_in({}, "", "k1"), "k1");
  EXPECT_EQ(token_in({{"Sec-WebSocket-Protocol", "fanfare, fanfare.bearer.k1"}}), "k1");
  EXPECT_EQ(
      token_in({{"Sec-WebSocket-Protocol", "fanfare"}, {"Sec-WebSocket-Protocol", "fanfare.bearer.a.b.c"}}),
      "a.b.c");
}

TEST(Credentials, NoneIsNotMalformed) {
  EXPECT_EQ(denial_of({.headers = {}}), Denial::missing);
  const std::vector<HeaderField> others{{"Sec-WebSocket-Protocol", "fanfare"}, {"X-Other", "k1"}};
  EXPECT_EQ(denial_of({.headers = others, .query = "subscriptionIds=unique"}), Denial::missing);
}

TEST(Credentials, TwoThatDifferAreRefusedAndTwoThatAgreeAreOne) {
  EXPECT_EQ(token_in({{"X-Api-Key", "k1"}}, "apikey=k1", "k1"), "k1");
  EXPECT_EQ(token_in({{"X-Api-Key", "k1"}}, "apikey=k2"), "denied: malformed");
  EXPECT_EQ(token_in({{"Authorization", "Bearer k1"}, {"Authorization", "Bearer k2"}}), "denied: malformed");
  EXPECT_EQ(token_in({{"Authorization", "Basic YTpi"}, {"X-Api-Key", "b"}}), "denied: malformed");
  EXPECT_EQ(token_in({{"X-Api-Key", ""}}), "denied: malformed");
  EXPECT_EQ(token_in({{"X-Api-Key", "k1"}}, "apikey="), "denied: malformed");
}

TEST(Credentials, ASecretHasALimit) {
  EXPECT_EQ(token_in({}, "", std::string(kSecretBytesMax, 'k')), std::string(kSecretBytesMax, 'k'));
  EXPECT_EQ(token_in({}, "", std::string(kSecretBytesMax + 1, 'k')), "denied: malformed");
}

TEST(Credentials, WordsForOutsidersDoNotTellWhatIsWrong) {
  EXPECT_EQ(text_of(Denial::unknown), text_of(Denial::address));
  for (int i = 0; i < static_cast<int>(Denial::count_); ++i) {
    EXPECT_FALSE(name_of(static_cast<Denial>(i)).empty());
    EXPECT_FALSE(text_of(static_cast<Denial>(i)).empty());
  }
}

TEST(Credentials, WhatASignatureOrADateShowsIsNoGuess) {
  for (const Denial guess : {Denial::malformed, Denial::unknown, Denial::address})
    EXPECT_TRUE(may_be_guess(guess));
  for (const Denial known : {Denial::expired, Denial::too_early, Denial::no_expiry, Denial::issuer,
                             Denial::audience, Denial::too_long, Denial::bad_claim, Denial::other_grant}) {
    EXPECT_FALSE(may_be_guess(known)) << name_of(known);
  }
}

}  // namespace
}  // namespace fanfare::access
