// Every method, with right and wrong parameters, from every kind of caller, alone, in a batch and as a
// notification, has the same answer and the same effects on every transport. The table is generated.

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "access/token_for_tests.h"
#include "api/rpc_world_for_tests.h"
#include "fanfare/access.h"
#include "fanfare/json.h"

namespace fanfare::api {
namespace {

enum class Form { single, batch, notification };

// The methods and parameter names come from the service's own document.
std::vector<std::string> calls_of(const RpcWorld& world) {
  std::vector<std::string> calls{R"("method":"unknown")", R"("method":"Add","params":[1])", R"("method":1)"};
  const std::string document = world.rpc.discover();
  const auto methods = read_json_member(document, "methods");
  const auto each_method = *read_json_array(*methods);
  for (const std::string_view method : each_method) {
    const std::string name(*read_json_member(method, "name"));
    std::vector<std::string> variants{"",
                                      R"(,"params":null)",
                                      R"(,"params":[])",
                                      R"(,"params":{})",
                                      R"(,"params":["a","b","c","d"])",
                                      R"(,"params":{"unknown":1})"};
    std::string by_name;
    std::string by_position;
    const auto parameters = *read_json_array(*read_json_member(method, "params"));
    for (const std::string_view parameter : parameters) {
      by_name += (by_name.empty() ? "" : ",") + std::string(*read_json_member(parameter, "name")) + ":";
      by_position += by_position.empty() ? "" : ",";
      const std::string schema(*read_json_member(parameter, "schema"));
      const bool is_number = schema.contains("integer");
      const std::string value = is_number ? "41" : schema.contains("array") ? "[1,2.5]" : R"("\u0041x")";
      by_name += value;
      by_position += value;
    }
    if (!by_name.empty()) {
      variants.push_back(R"(,"params":[)" + by_position + "]");
      variants.push_back(R"(,"params":{)" + by_name + "}");
      variants.push_back(R"(,"params":[true])");
      variants.push_back(R"(,"params":[9223372036854775807,9223372036854775808])");
    }
    for (const std::string& params : variants) calls.push_back("\"method\":" + name + params);
  }
  return calls;
}

std::string text_of(const std::string& call, Form form) {
  switch (form) {
    case Form::single:
      return R"({"jsonrpc":"2.0","id":9007199254740993,)" + call + "}";
    case Form::batch:
      return R"([{"jsonrpc":"2.0","id":"\u0041","method":"add","params":[1]},{"jsonrpc":"2.0","id":1.50,)" +
             call + R"(},{"jsonrpc":"2.0","id":null,)" + call + R"(},{"jsonrpc":"2.0",)" + call + "}]";
    case Form::notification:
      return R"({"jsonrpc":"2.0",)" + call + "}";
  }
  return {};
}

struct Outcome {
  std::string body;
  int effects = 0;
  bool operator==(const Outcome&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << outcome.body << " with " << outcome.effects << " effects";
}

Outcome outcome(RpcWorld& world, Wire wire, const std::string& text, const std::string& user, bool answers) {
  const int before = world.effects();
  Outcome outcome;
  outcome.body = world.ask(wire, text, user, answers);
  outcome.effects = world.effects() - before;
  return outcome;
}

TEST(RpcParity, EveryMethodAnswersTheSameOnEveryTransport) {
  RpcWorld world({.workers = 1});
  world.start();
  std::size_t compared = 0;
  for (const std::string& call : calls_of(world)) {
    for (const Form form : {Form::single, Form::batch, Form::notification}) {
      for (const std::string user : {"nobody", "user", "admin", "listed", "denied", "stranger"}) {
        const std::string text = text_of(call, form);
        const bool answers = form != Form::notification || call.starts_with(R"("method":1)");
        world.expected_effects = 0;
        const Outcome wanted = outcome(world, Wire::http, text, user, answers);
        EXPECT_EQ(wanted.body.empty(), !answers && user != "stranger") << text;
        world.expected_effects = wanted.effects;
        for (const Wire wire : {Wire::websocket, Wire::unix_http, Wire::unix_websocket}) {
          const Outcome other = outcome(world, wire, text, user, answers);
          EXPECT_EQ(other.body, wanted.body)
              << text << " of " << user << " on wire " << static_cast<int>(wire);
          EXPECT_EQ(other.effects, wanted.effects) << text << " of " << user;
          ++compared;
          if (testing::Test::HasFailure()) return;  // the first difference is enough
        }
      }
    }
  }
  EXPECT_GT(compared, 2'000U);
}

// How many effects the calls of each user have. Every transport must answer the same.
std::map<std::string, int> compare(RpcWorld& world, const std::vector<std::string>& users) {
  std::map<std::string, int> effects;
  for (const std::string& user : users) {
    for (const std::string call : {R"("method":"add","params":[1])", R"("method":"admin")"}) {
      if (user == "wrong" && call.contains("admin")) continue;  // more attempts would be slowed down
      for (const Form form : {Form::single, Form::batch, Form::notification}) {
        const std::string text = text_of(call, form);
        world.expected_effects = 0;
        const Outcome wanted = outcome(world, Wire::http, text, user, form != Form::notification);
        effects[user] += wanted.effects;
        world.expected_effects = wanted.effects;
        for (const Wire wire : {Wire::websocket, Wire::unix_http, Wire::unix_websocket}) {
          EXPECT_EQ(outcome(world, wire, text, user, form != Form::notification), wanted)
              << text << " of " << user << " on wire " << static_cast<int>(wire);
        }
      }
    }
  }
  return effects;
}

// RFC7617§2: Basic BASE64(USER:secret), and alice:wrong.
std::string authorization_of(const std::string& user) {
  const std::map<std::string, std::string> pairs{{"alice", "YWxpY2U6c2VjcmV0"},
                                                 {"bob", "Ym9iOnNlY3JldA=="},
                                                 {"carol", "Y2Fyb2w6c2VjcmV0"},
                                                 {"wrong", "YWxpY2U6d3Jvbmc="}};
  const auto pair = pairs.find(user);
  return pair == pairs.end() ? "" : "Authorization: Basic " + pair->second + "\r\n";
}

// Alice may call everything, Bob two methods, Carol none.
TEST(RpcParity, UsersOfBitcoinCoreMayDoTheSameOnEveryTransport) {
  const std::string hash =
      ":salt$98e5340f0f4f96d2b80c2a90da0d03cf46c35e9492918cc7af73d9a39efa5981";  // of "secret"
  const auto access = BitcoinAccess::make({.rpcauth = {"alice" + hash, "bob" + hash, "carol" + hash},
                                           .rpcwhitelist = {"bob:add,last", "carol:last"},
                                           .rpcwhitelistdefault = false,
                                           .permissions = {"*"}});
  ASSERT_TRUE(access) << access.error().message;
  RpcWorld world({.authenticate = *access, .workers = 1});
  world.headers_of = authorization_of;
  world.start();
  const auto effects = compare(world, {"nobody", "wrong", "alice", "bob", "carol"});
  // Alone, four times in a batch, and as a notification; `admin` is but three times in its batch.
  EXPECT_EQ(effects, (std::map<std::string, int>{
                         {"nobody", 0}, {"wrong", 0}, {"alice", 6 + 6}, {"bob", 6 + 1}, {"carol", 0}}));
}

// Holders of tokens, and of one that has expired.
TEST(RpcParity, HoldersOfTokensMayDoTheSameOnEveryTransport) {
  constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
  const auto access = Access::make({.roles = {{.name = "all", .methods = {"*"}, .permissions = {"*"}},
                                              {.name = "adder", .methods = {"a*", "last"}},
                                              {.name = "last", .methods = {"last"}}},
                                    .jwt = AccessJwt{.secret = std::string(kSecret)}});
  ASSERT_TRUE(access) << access.error().message;
  RpcWorld world({.authenticate = *access, .workers = 1});
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto at = [now](int seconds) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count() + seconds);
  };
  world.headers_of = [&](const std::string& user) {
    if (user == "nobody") return std::string();
    const bool is_valid = user != "expired" && user != "wrong";
    const std::string claims = R"({"sub":"x","roles":[")" + (is_valid ? user : "all") + R"("],"exp":)" +
                               at(user == "expired" ? -3600 : 3600) + "}";
    const std::string secret = user == "wrong" ? "another secret of thirty-two bytes" : std::string(kSecret);
    return "Authorization: Bearer " + access::hs256_token(secret, claims) + "\r\n";
  };
  world.start();
  const auto effects = compare(world, {"nobody", "wrong", "expired", "all", "adder", "last"});
  // `admin` is called five times, and needs a permission that adders have not.
  EXPECT_EQ(effects,
            (std::map<std::string, int>{
                {"nobody", 0}, {"wrong", 0}, {"expired", 0}, {"all", 6 + 6}, {"adder", 6 + 1}, {"last", 0}}));
}

}  // namespace
}  // namespace fanfare::api
