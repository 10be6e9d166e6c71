// No diagnostic shows a secret, whatever the mistake: each field that may hold one is given in each wrong form.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config.h"
#include "gateway/config_endpoint.h"

namespace fanfare::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

// In every secret below, and nowhere else.
constexpr std::string_view kMark = "SEKRET";

// A file with a place for a line of each field that may hold a secret; `field` stands at `place`.
std::string file_with(std::string_view place, std::string_view field) {
  std::string text;
  const auto at = [&](std::string_view name, std::string_view indentation, std::string_view otherwise) {
    text += std::string(indentation) + std::string(name == place ? field : otherwise) + "\n";
  };
  text += "access:\n  roles: [{id: r, projects: [main], methods: [eth_*]}]\n";
  text += "  keys:\n    - id: k\n      roles: [r]\n";
  at("key", "      ", "key: 0123456789abcdef");
  text += "  users:\n    - id: u\n      roles: [r]\n";
  at("user", "      ", "password: good-enough");
  text += "  jwt:\n";
  at("jwt", "    ", "secret: 0123456789abcdef0123456789abcdef");
  text += "projects:\n  - id: main\n    networks: [{architecture: evm, evm: {chainId: 1}}]\n";
  text += "    upstreams:\n      - id: node\n";
  at("endpoint", "        ", "endpoint: http://127.0.0.1:8545");
  text += "        headers:\n";
  at("header", "          ", "X-Key: good");
  text += "streams:\n  upstreams:\n    - id: node\n";
  at("stream endpoint", "      ", "endpoint: http://127.0.0.1:8545");
  text += "      headers:\n";
  at("stream header", "        ", "X-Key: good");
  text += "  definitions:\n    - name: blocks\n      interval: 1s\n      upstream: node\n";
  text += "      calls: {b: eth_blockNumber}\n      fields: {b: /b}\n";
  return text;
}

std::optional<std::string> error_of(const std::string& text) {
  const auto config = parse_config(text, "f", [](std::string_view) { return std::nullopt; });
  if (config) return std::nullopt;
  return config.error().message();
}

struct Field {
  std::string_view place;
  std::string_view name;
};

std::vector<Field> fields_with_secrets() {
  return {{"key", "key"},
          {"key", "keyFile"},
          {"key", "keyHash"},
          {"user", "password"},
          {"user", "passwordFile"},
          {"user", "passwordHash"},
          {"jwt", "secret"},
          {"jwt", "secretFile"},
          {"jwt", "publicKeyFile"},
          {"jwt", "jwksFile"},
          {"endpoint", "endpoint"},
          {"header", "Authorization"},
          {"stream endpoint", "endpoint"},
          {"stream header", "Authorization"}};
}

TEST(ConfigSecrets, TheFileOfTheseTestsIsGood) {
  EXPECT_EQ(error_of(file_with("", "")), std::nullopt);
}

TEST(ConfigSecrets, NoFieldShowsItsSecretInAnyWrongForm) {
  // What stands after the colon of the field. Nearly each is wrong everywhere.
  const std::vector<std::string> wrong{
      "[SEKRET-key-0123456789]",
      "{SEKRET-key-0123456789: 1}",
      "{SEKRET-key-0123456789: 1, SEKRET-key-0123456789: 2}",
      "!SEKRET-key-0123456789",
      "&SEKRET-key-0123456789 x",
      "*SEKRET-key-0123456789",
      "\"${SEKRET-key-0123456789}\"",
      "\"${sEKRET${SEKRET\"",
      "\"SEKRET-key-0123456789",
      "\"\\SEKRET-key-0123456789\"",
      "@SEKRET-key-0123456789",
      "`SEKRET-key-0123456789`",
      "%SEKRET-key-0123456789",
      "| SEKRET-key-0123456789",
      "SEKRET-key: 0123456789",
      "[SEKRET-key-0123456789",
      "{SEKRET-key-0123456789",
      "\"SEKRET\\nkey\\0-0123456789\"",
  };
  for (const Field& field : fields_with_secrets()) {
    std::size_t errors = 0;
    for (const std::string& value : wrong) {
      const std::string line = std::string(field.name) + ": " + value;
      const auto error = error_of(file_with(field.place, line));
      if (!error) continue;
      ++errors;
      EXPECT_THAT(*error, Not(HasSubstr(kMark))) << field.place << ", " << line;
    }
    EXPECT_GE(errors, wrong.size() - 5) << field.place << ", " << field.name;
  }
}

TEST(ConfigSecrets, NoMapShowsASecretThatStandsInPlaceOfAKey) {
  const std::vector<std::string> wrong{"SEKRET-key-0123456789: x", "? SEKRET-key-0123456789",
                                       "SEKRET-key-0123456789",    "\"Authorization: Bearer SEKRET\": x",
                                       "- SEKRET-key-0123456789",  "keey-SEKRET0123456789: x"};
  for (const Field& field : fields_with_secrets()) {
    for (const std::string& line : wrong) {
      const auto error = error_of(file_with(field.place, line));
      // A header may have any name.
      if (!error) continue;
      EXPECT_THAT(*error, Not(HasSubstr(kMark))) << field.place << ", " << line;
    }
  }
}

TEST(ConfigSecrets, NoMapOrListShowsATextInItsPlace) {
  const std::string url = "https://user:SEKRET@rpc.example/SEKRET";
  for (const std::string& text : std::vector<std::string>{
           "access: " + url, "access: {roles: " + url + "}", "access: {roles: [], keys: [" + url + "]}",
           "access: {roles: [], jwt: " + url + "}",
           "access: {roles: [], users: [{id: 'u:SEKRET', roles: [r]}]}", "projects: " + url,
           "projects: [" + url + "]", "projects: [{id: p, upstreams: " + url + "}]",
           "projects: [{id: p, networks: [{}], upstreams: [" + url + "]}]",
           "projects: [{id: p, networks: [{}], upstreams: [{id: n, endpoint: 'http://a', headers: 'X: "
           "SEKRET'}]}]",
           "streams: {upstreams: " + url + ", definitions: []}", "streams: {upstreams: [" + url + "]}",
           "SEKRET", "[SEKRET]"}) {
    const auto error = error_of(text);
    ASSERT_TRUE(error) << text;
    EXPECT_THAT(*error, Not(HasSubstr(kMark))) << text;
  }
}

TEST(ConfigSecrets, NoEndpointIsShownWithItsSecrets) {
  for (const std::string_view url :
       {"http://user:SEKRETpw@h:99999/SEKRETpath", "htps://user:SEKRETpw@h/SEKRET",
        "http://u:SEKRET@h/a b/SEKRET", "http://h/SEKRET#SEKRET", "http://u:SEK/SEKRET@h:0/",
        "http://u:SEKRET", "http://u:SEKRET:8545/", "http://@SEKRET@:1", "user:SEKRET@h:8545",
        "http//u:SEKRET@h", "http://[SEKRET]:1/", "http://?SEKRET", "http://h:0?key=SEKRET", "://SEKRET",
        "SEKRET-key://h", "http:// SEKRET", "${SEKRET-key} http://h"}) {
    for (const std::string_view place : {"endpoint", "stream endpoint"}) {
      const auto error = error_of(file_with(place, "endpoint: \"" + std::string(url) + "\""));
      ASSERT_TRUE(error) << url;
      EXPECT_THAT(*error, Not(HasSubstr("SEK"))) << url;
    }
  }
}

TEST(ConfigSecrets, AnEndpointIsShownAsFarAsItIsNoSecret) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases{
      {"http://127.0.0.1:85450", "http://127.0.0.1:85450"},
      {"https://user:pw@h:99999/path?key=1", "https://***@h:99999/***"},
      {"http://h:0?key=1", "http://h:0?***"},
      {"http://[::zz]:8545/", "http://[::zz]:8545/"},
      {"http://:8545", "http://:8545"},
      {"ftp://h", "ftp://h"},
      {"http://my host:1/", "http://***:1/"},
      {"http://u:p/w@h:1/", "http://***"},
      {"${NODE_URL}", "${NODE_URL}"},
      {"${NODE_URL:-http://u:pw@h}", ""},
      {"https://h/${KEY}", "https://h/***"},
      {"h:8545", ""},
      {"", ""},
  };
  for (const auto& [url, shown] : cases) EXPECT_EQ(endpoint_for_message(url), shown) << url;
}

TEST(ConfigSecrets, AMisspeltKeyIsShown) {
  EXPECT_THAT(*error_of(file_with("key", "kee: x")), HasSubstr("unknown key \"kee\" in access.keys[0]"));
  EXPECT_THAT(*error_of(file_with("endpoint", "sourceConectionsMaxx: 5")),
              HasSubstr("did you mean \"sourceConnectionsMax\""));
}

}  // namespace
}  // namespace fanfare::gateway
