#include "gateway/session_token.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace fanfare::gateway {
namespace {

const std::string kToken = "0123456789abcdef";

auto token_of(const std::string& query, const std::vector<std::pair<std::string, std::string>>& fields = {}) {
  std::vector<HeaderField> headers;
  for (const auto& [name, value] : fields) headers.push_back({.name = name, .value = value});
  http::Request request;
  request.query = query;
  request.headers = headers;
  return session_token_of(request);
}

TEST(SessionToken, ComesInTheUrlOrInAHeader) {
  const auto in_url = token_of("subscriptionIds=unique&session=" + kToken);
  ASSERT_TRUE(in_url.has_value() && in_url->has_value());
  EXPECT_EQ(token_of("", {{"fanfare-session", kToken}}), in_url);
  EXPECT_EQ(token_of("session=" + kToken, {{"Fanfare-Session", kToken}}), in_url);
  EXPECT_NE(token_of("session=" + kToken + "0"), in_url);
}

TEST(SessionToken, MayBeAbsent) {
  EXPECT_FALSE(token_of("").value().has_value());
  EXPECT_FALSE(token_of("sessions=x").value().has_value());
}

TEST(SessionToken, HasTheLengthAndTheCharactersOfAToken) {
  EXPECT_TRUE(token_of("session=" + std::string(kSessionTokenMin, '~')).has_value());
  EXPECT_TRUE(token_of("session=" + std::string(kSessionTokenMax, '.')).has_value());
  EXPECT_FALSE(token_of("session=" + std::string(kSessionTokenMin - 1, 'a')).has_value());
  EXPECT_FALSE(token_of("session=" + std::string(kSessionTokenMax + 1, 'a')).has_value());
  EXPECT_FALSE(token_of("session=").has_value());
  for (const std::string bad : {"%2F", "+", "%C3%A9", "%00", "%22"}) {
    EXPECT_FALSE(token_of("session=" + kToken + bad).has_value()) << bad;
  }
}

TEST(SessionToken, ErrorsDoNotContainIt) {
  const std::string secret = "secret-that-nobody-sees!";
  const auto refused = token_of("", {{"Fanfare-Session", secret}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(),
            "the session's token has an invalid character at position 24, expected letters, digits, '-', "
            "'.', '_' and "
            "'~'\n");
  EXPECT_EQ(
      token_of("session=a").error(),
      "the session's token has 1 characters, expected 16 to 128, such as 32 random hexadecimal digits\n");
}

TEST(SessionToken, ThereIsOnlyOne) {
  EXPECT_FALSE(token_of("session=" + kToken + "&session=" + kToken + "0").has_value());
  EXPECT_FALSE(token_of("session=" + kToken, {{"Fanfare-Session", kToken + "0"}}).has_value());
}

TEST(SessionKey, DependsOnNetworkIdentityAndToken) {
  const SessionDigest token = **token_of("session=" + kToken);
  const SessionDigest other = **token_of("session=" + kToken + "0");
  const auto key = session_key("main/1", "alice", token);
  EXPECT_EQ(session_key("main/1", "alice", token), key);
  EXPECT_NE(session_key("main/10", "alice", token), key);
  EXPECT_NE(session_key("main/1", "bob", token), key);
  EXPECT_NE(session_key("main/1", "alice", other), key);
  EXPECT_NE(session_key("main/1a", "lice", token), key);
}

}  // namespace
}  // namespace fanfare::gateway
