// Access::reload(): what becomes of requests and of open connections; and callers that authenticate after they were
// anonymous. Over real sockets.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "api/rpc_world_for_tests.h"
#include "fanfare/access.h"

namespace fanfare::api {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kShop = "key-of-the-shop-0123";
constexpr std::string_view kBoss = "key-of-the-boss-0123";
constexpr std::string_view kOther = "key-of-the-other-012";
constexpr std::string_view kNotValid = "the credentials are not valid";

std::string bearer(std::string_view key) {
  return "Authorization: Bearer " + std::string(key) + "\r\n";
}

AccessOptions options() {
  return {.roles = {{.name = "reader", .methods = {"last", "read"}},
                    {.name = "boss", .methods = {"*"}, .permissions = {"*"}}},
          .keys = {{.name = "shop", .roles = {"reader"}, .key = std::string(kShop)},
                   {.name = "boss", .roles = {"boss"}, .key = std::string(kBoss)},
                   {.name = "third", .roles = {"reader"}, .key = std::string(kOther)}}};
}

class AccessReloadTest : public testing::Test {
 protected:
  void start(const AccessOptions& access_options = options(), RpcOptions rpc_options = {}) {
    auto made = Access::make(access_options);
    ASSERT_TRUE(made) << made.error().message;
    access = std::make_unique<Access>(*made);
    rpc_options.authenticate = *access;
    rpc_options.authenticate_message = *access;
    world = std::make_unique<RpcWorld>(std::move(rpc_options));
    world->rpc.event<int>("all", {.broadcast = true});
    world->rpc.event<int>("some", {.permission = "boss only", .broadcast = true});
    world->start();
  }
  std::string post(std::string_view key, const std::string& text = call("last")) const {
    RawClient client(world->server.port());
    client.write("POST /rpc HTTP/1.1\r\nHost: test\r\n" + bearer(key) +
                 "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
    return client.read_answer(false);
  }
  std::unique_ptr<RawClient> open(const std::string& headers) const {
    auto client = std::make_unique<RawClient>(world->server.port());
    EXPECT_THAT(client->upgrade("/rpc", headers), StartsWith("HTTP/1.1 101"));
    return client;
  }
  static std::string ask(RawClient& client, const std::string& text) {
    client.send(text);
    return client.receive();
  }
  static std::string authenticate(RawClient& client, std::string_view key) {
    return ask(client, call("fanfare_authenticate", "[\"" + std::string(key) + "\"]"));
  }

  std::unique_ptr<Access> access;
  std::unique_ptr<RpcWorld> world;
};

TEST_F(AccessReloadTest, FilesAreReadAgain) {
  const std::string path = testing::TempDir() + "key_" + std::to_string(getpid());
  const auto write = [&](std::string_view key) { std::ofstream(path, std::ios::trunc) << key << "\n"; };
  write(kShop);
  AccessOptions from_file = options();
  from_file.keys = {{.name = "shop", .roles = {"reader"}, .key_file = path}};
  start(from_file);
  EXPECT_THAT(post(kShop), StartsWith("HTTP/1.1 200"));
  write(kOther);
  EXPECT_THAT(post(kShop), StartsWith("HTTP/1.1 200"));
  ASSERT_TRUE(access->reload(from_file));
  EXPECT_THAT(post(kShop), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(post(kOther), StartsWith("HTTP/1.1 200"));
  // What cannot be used changes nothing.
  write("short");
  const auto failed = access->reload(from_file);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Error::Kind::bad_option);
  EXPECT_THAT(failed.error().message, StartsWith("keys[0].key: at least 16 bytes"));
  EXPECT_THAT(post(kOther), StartsWith("HTTP/1.1 200"));
  unlink(path.c_str());
}

TEST_F(AccessReloadTest, OpenWebSocketsAreJudged) {
  start();
  const auto shop = open(bearer(kShop));
  const auto boss = open(bearer(kBoss));
  const auto other = open(bearer(kOther));
  const auto same = open(bearer(kOther));
  for (RawClient* const client : {shop.get(), boss.get(), other.get(), same.get()}) {
    EXPECT_EQ(ask(*client, call("last")), result("true"));
  }
  // A plan that grants the same changes nothing.
  ASSERT_TRUE(access->reload(options()));
  EXPECT_EQ(ask(*shop, call("last")), result("true"));
  // The shop's key is gone, the other's role has other rights.
  AccessOptions next = options();
  next.keys.erase(next.keys.begin());
  next.roles.push_back({.name = "more", .methods = {"*"}});
  next.keys.back().roles = {"more"};
  ASSERT_TRUE(access->reload(next));
  EXPECT_EQ(ask(*shop, call("last")), error(-32001, kNotValid));
  EXPECT_EQ(ask(*other, call("last")), error(-32001, kNotValid));
  EXPECT_EQ(ask(*boss, call("last")), result("true"));
  EXPECT_EQ(shop->receive(), "close 1008 " + std::string(kNotValid));
  // One that hands in valid credentials of the same rights at once would stay; these have others.
  EXPECT_EQ(same->receive(), "close 1008 " + std::string(kNotValid));
  EXPECT_EQ(ask(*boss, call("last")), result("true"));
  EXPECT_THAT(post(kOther, call("add", "[1]")), HasSubstr(result("2")));
}

TEST_F(AccessReloadTest, ARoleWithOtherPermissionsIsAnotherRight) {
  start();
  const auto boss = open(bearer(kBoss));
  AccessOptions next = options();
  next.roles.back().permissions = {"read"};
  ASSERT_TRUE(access->reload(next));
  EXPECT_EQ(ask(*boss, call("last")), error(-32001, kNotValid));
  // What was judged once is judged again.
  const auto again = open(bearer(kBoss));
  EXPECT_EQ(ask(*again, call("last")), result("true"));
  ASSERT_TRUE(access->reload(next));
  EXPECT_EQ(ask(*again, call("last")), result("true"));
  ASSERT_TRUE(access->reload(options()));
  EXPECT_EQ(ask(*again, call("last")), error(-32001, kNotValid));
}

TEST_F(AccessReloadTest, WhoAuthenticatedByAMessageIsJudgedToo) {
  AccessOptions waits = options();
  waits.first_message_within = std::chrono::minutes(1);
  start(waits);
  const auto shop = open("");
  EXPECT_EQ(authenticate(*shop, kShop), result("true"));
  EXPECT_EQ(ask(*shop, call("last")), result("true"));
  waits.keys.erase(waits.keys.begin());
  ASSERT_TRUE(access->reload(waits));
  EXPECT_EQ(ask(*shop, call("last")), error(-32001, kNotValid));
}

TEST_F(AccessReloadTest, AnonymousCallersMayAuthenticateLater) {
  AccessOptions open_to_all = options();
  open_to_all.anonymous_roles = {"reader"};
  start(open_to_all, {.per_identity = {.connections_max = 1}});
  const auto client = open("");
  EXPECT_EQ(ask(*client, call("read")), error(-32001, "the method read needs the permission read"));
  EXPECT_EQ(ask(*client, call("add", "[1]")), error(-32001, "the method add is not allowed"));
  EXPECT_EQ(authenticate(*client, "wrong-key-0123456789"), error(-32001, kNotValid));
  EXPECT_EQ(ask(*client, call("last")), result("true"));
  EXPECT_EQ(authenticate(*client, kBoss), result("true"));
  EXPECT_EQ(ask(*client, call("add", "[1]")), result("2"));
  EXPECT_EQ(ask(*client, call("read")), result("\"boss\""));
  // From then on only the same identity: it is not anonymous any more.
  EXPECT_EQ(authenticate(*client, kShop), error(-32001, kNotValid));
  // The connection counts for its identity, and not for strangers any more.
  const auto stranger = open("");
  EXPECT_THAT(authenticate(*stranger, kBoss), HasSubstr("too many connections"));
  EXPECT_EQ(ask(*stranger, call("last")), result("true"));
}

}  // namespace
}  // namespace fanfare::api
