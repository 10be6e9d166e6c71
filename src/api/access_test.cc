// The options of Bitcoin Core's RPC server, over real sockets.

#include "fanfare/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "api/rpc_world_for_tests.h"

namespace fanfare::api {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// RFC7617§2 with the bytes spelled out: alice:secret, bob:secret, alice:wrong, carol:secret.
constexpr std::string_view kAlice = "Authorization: Basic YWxpY2U6c2VjcmV0\r\n";
constexpr std::string_view kBob = "Authorization: Basic Ym9iOnNlY3JldA==\r\n";
constexpr std::string_view kWrong = "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n";
constexpr std::string_view kCarol = "Authorization: Basic Y2Fyb2w6c2VjcmV0\r\n";
// bob:secret, by HMAC-SHA256 with the key "salt", as Bitcoin Core's rpcauth.py makes it.
constexpr std::string_view kBobAuth =
    "bob:salt$98e5340f0f4f96d2b80c2a90da0d03cf46c35e9492918cc7af73d9a39efa5981";

constexpr std::string_view kUnauthorized = R"({"jsonrpc":"2.0","id":null,"error":{"code":-32001,)";

class AccessTest : public testing::TestWithParam<LoopKind> {
 protected:
  void start(BitcoinAccessOptions options, ServerOptions server_options = {}) {
    options.permissions = permissions;
    const auto access = BitcoinAccess::make(options);
    ASSERT_TRUE(access) << access.error().message;
    rpc = std::make_unique<Rpc>(
        RpcOptions{.authenticate = *access, .allow_insecure_public = true, .allowed_hosts = {"*"}});
    rpc->method("one", {}, [](const RpcCall&) { return 1; });
    rpc->method("who", {.permission = "any"}, [](const RpcCall& call) { return call.identity()->name; });
    server_options.port = 0;
    server_options.threads = 1;
    server_options.loop = GetParam();
    server = std::make_unique<Server>(std::move(server_options));
    rpc->serve(*server, "/");
    const auto started = server->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  static std::string post(RawClient& client, std::string_view headers, const std::string& text) {
    client.write("POST / HTTP/1.1\r\nHost: test\r\n" + std::string(headers) +
                 "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
    return client.read_answer(false);
  }
  std::string post(std::string_view headers, const std::string& text = call("one")) const {
    RawClient client(server->port());
    return post(client, headers, text);
  }
  static std::string status(const std::string& answer) { return answer.substr(9, 3); }

  std::vector<std::string> permissions{"any"};  // of every user
  std::unique_ptr<Rpc> rpc;
  std::unique_ptr<Server> server;
};

INSTANTIATE_TEST_SUITE_P(Loops, AccessTest, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

TEST_P(AccessTest, UserAndPasswordDecideOnEveryTransport) {
  start({.rpcuser = "alice", .rpcpassword = "secret", .rpcauth = {std::string(kBobAuth)}});
  EXPECT_THAT(post(kAlice), HasSubstr(result("1")));
  EXPECT_THAT(post(kBob, call("who")), HasSubstr(result("\"bob\"")));
  for (const std::string_view headers : {std::string_view(), kWrong, kCarol}) {
    const std::string answer = post(headers);
    EXPECT_EQ(status(answer), "401");
    EXPECT_THAT(answer, HasSubstr("WWW-Authenticate: Basic realm=\"jsonrpc\""));
    EXPECT_THAT(RpcWorld::body_of(answer), StartsWith(kUnauthorized));
    RawClient client(server->port());
    const std::string refused = client.upgrade("/", headers);
    EXPECT_EQ(status(refused), "401");
    EXPECT_EQ(RpcWorld::body_of(refused), RpcWorld::body_of(answer));
  }
  RawClient client(server->port());
  EXPECT_THAT(client.upgrade("/", kAlice), StartsWith("HTTP/1.1 101"));
  client.send(call("who"));
  EXPECT_EQ(client.receive(), result("\"alice\""));
}

// One of them would be checked and the other one meant.
TEST_P(AccessTest, CredentialsThatContradictEachOtherAreRefused) {
  start({.rpcuser = "alice", .rpcpassword = "secret"});
  EXPECT_EQ(status(post(std::string(kAlice) + std::string(kWrong))), "401");
  EXPECT_EQ(status(post(std::string(kWrong) + std::string(kAlice))), "401");
  EXPECT_EQ(status(post(std::string(kAlice) + std::string(kAlice))), "200");
}

TEST_P(AccessTest, AWhitelistNamesTheMethods) {
  start({.rpcuser = "alice",
         .rpcpassword = "secret",
         .rpcauth = {std::string(kBobAuth)},
         .rpcwhitelist = {"alice:one,who", "alice:one"}});
  EXPECT_THAT(post(kAlice), HasSubstr(result("1")));
  EXPECT_THAT(post(kAlice, call("who")), HasSubstr("the method who is not allowed"));
  EXPECT_THAT(post(kAlice, "[" + call("one") + "," + call("who") + "]"),
              HasSubstr("the method who is not allowed"));
  EXPECT_THAT(post(kBob), HasSubstr("the method one is not allowed"));
}

TEST_P(AccessTest, PermissionsAreGrantedByNameOnly) {
  permissions = {};
  start({.rpcuser = "alice", .rpcpassword = "secret"});
  EXPECT_THAT(post(kAlice), HasSubstr(result("1")));
  EXPECT_THAT(post(kAlice, call("who")), HasSubstr("the method who needs the permission any"));
}

TEST_P(AccessTest, UsersWithoutAWhitelistMayCallAllIfTheDefaultSaysSo) {
  start({.rpcuser = "alice",
         .rpcpassword = "secret",
         .rpcauth = {std::string(kBobAuth)},
         .rpcwhitelist = {"alice:one"},
         .rpcwhitelistdefault = false});
  EXPECT_THAT(post(kBob, call("who")), HasSubstr(result("\"bob\"")));
  EXPECT_THAT(post(kAlice, call("who")), HasSubstr("not allowed"));
}

TEST_P(AccessTest, TheCookieFileLetsItsReaderIn) {
  const std::string path = testing::TempDir() + "cookie_" + std::to_string(getpid());
  start({.rpccookiefile = path});
  struct stat about{};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  ASSERT_THAT(content.str(), StartsWith("__cookie__:"));
  EXPECT_EQ(content.str().size(), 11 + 64U);
  EXPECT_EQ(status(post(kAlice)), "401");
  server.reset();
  rpc.reset();
  EXPECT_EQ(::stat(path.c_str(), &about), -1);  // nobody can use it any more
}

TEST_P(AccessTest, OtherAddressesNeedRpcallowip) {
  start({.rpcuser = "alice", .rpcpassword = "secret", .rpcallowip = {"192.0.2.0/24"}},
        {.proxy_protocol = true});
  const auto from = [&](const std::string& address) {
    RawClient client(server->port());
    client.write("PROXY TCP4 " + address + " 127.0.0.1 1234 80\r\n");
    return status(post(client, kAlice, call("one")));
  };
  EXPECT_EQ(from("192.0.2.7"), "200");
  EXPECT_EQ(from("127.0.0.1"), "200");
  EXPECT_EQ(from("192.0.3.7"), "403");
}

// Ten failures are free. Then even the right password is not looked at, until a second has passed.
TEST_P(AccessTest, GuessingIsSlowedDown) {
  start({.rpcuser = "alice", .rpcpassword = "secret"});
  int refused = 0;
  std::string answer;
  while (status(answer = post(kWrong)) == "401") ++refused;
  EXPECT_GE(refused, 10);
  EXPECT_EQ(status(answer), "429");
  EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(answer, HasSubstr("\"code\":-32005"));
  EXPECT_THAT(answer, HasSubstr("\"retry_after_ms\":"));
}

TEST(BitcoinAccess, ErrorsNameTheOptionAndNoSecret) {
  const auto problem = [](const BitcoinAccessOptions& options) {
    const auto made = BitcoinAccess::make(options);
    return made ? std::string() : made.error().message;
  };
  EXPECT_THAT(problem({}), HasSubstr("nobody can authenticate"));
  EXPECT_THAT(problem({.rpcuser = "alice"}), HasSubstr("nobody can authenticate"));
  EXPECT_THAT(problem({.rpcpassword = "hidden"}), HasSubstr("rpcuser and rpcpassword"));
  EXPECT_THAT(problem({.rpcauth = {"hidden"}}), HasSubstr("rpcauth"));
  EXPECT_THAT(problem({.rpcauth = {"hidden"}}), testing::Not(HasSubstr("hidden")));
  EXPECT_THAT(problem({.rpcauth = {std::string(kBobAuth)}, .rpcallowip = {"everyone"}}),
              HasSubstr("rpcallowip"));
  EXPECT_THAT(problem({.rpcauth = {std::string(kBobAuth)}, .rpcwhitelist = {":one"}}),
              HasSubstr("rpcwhitelist"));
  EXPECT_THAT(problem({.rpccookiefile = "/nowhere/cookie"}), HasSubstr("rpccookiefile"));
}

TEST(BitcoinAccess, OptionsAreSetByTheirNames) {
  BitcoinAccessOptions options;
  EXPECT_TRUE(options.set("rpcuser", "alice"));
  EXPECT_TRUE(options.set("rpcpassword", "a=b"));
  EXPECT_TRUE(options.set("rpcauth", "one"));
  EXPECT_TRUE(options.set("rpcauth", "two"));
  EXPECT_TRUE(options.set("rpcwhitelist", "alice:one"));
  EXPECT_TRUE(options.set("rpcallowip", "::1"));
  EXPECT_TRUE(options.set("rpccookiefile", ".cookie"));
  EXPECT_TRUE(options.set("rpcwhitelistdefault", "0"));
  EXPECT_FALSE(options.set("rpcwhitelistdefault", "no"));
  EXPECT_FALSE(options.set("rpcport", "1"));
  EXPECT_EQ(options.rpcuser, "alice");
  EXPECT_EQ(options.rpcpassword, "a=b");
  EXPECT_EQ(options.rpcauth, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(options.rpcwhitelistdefault, false);
}

}  // namespace
}  // namespace fanfare::api
