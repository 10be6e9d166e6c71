// The admin API over its sockets, in front of a server with connections, on both loops.

#include "admin/server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "admin/log_level.h"
#include "admin/server_for_tests.h"
#include "jsonrpc/value.h"

namespace fanfare::admin {
namespace {

using namespace std::chrono_literals;
using testing::Client;
using testing::Reply;

std::string text_at(std::string_view json, std::string_view name) {
  const auto raw = jsonrpc::member(json, name);
  return raw ? jsonrpc::string_copy(*raw).value_or(std::string(*raw)) : "missing";
}

// The value without the newline behind it.
std::string_view body_of(const Reply& reply) {
  std::string_view body = reply.body;
  while (body.ends_with('\n')) body.remove_suffix(1);
  return body;
}

std::vector<std::string_view> connections_of(const Reply& reply) {
  std::vector<std::string_view> all;
  for (const std::string_view one :
       jsonrpc::array_elements(jsonrpc::member(body_of(reply), "connections").value_or("[]")))
    all.push_back(one);
  return all;
}

class AdminTest : public testing::AdminServerTest {
 protected:
  std::string id_of(const std::string& name) const {
    const Reply reply = ask("GET", "/v1/connections?principal=" + name);
    const auto all = connections_of(reply);
    return all.size() == 1 ? text_at(all[0], "id") : "not one, but " + std::to_string(all.size());
  }
  void expect_problem(const Reply& reply, int status, const std::string& parameter) const {
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_TRUE(reply.head.contains("application/problem+json")) << reply.head;
    EXPECT_EQ(text_at(body_of(reply), "status"), std::to_string(status));
    EXPECT_EQ(text_at(body_of(reply), "parameter"), parameter.empty() ? "missing" : parameter) << reply.body;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, AdminTest, ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& one) {
                           return one.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

TEST_P(AdminTest, TheSocketIsForItsOwnerAlone) {
  struct stat made{};
  ASSERT_EQ(::stat(path_.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777U, 0600U);
  EXPECT_EQ(ask("GET", "/v1/status").status, 200);
  admin_->stop(0s);
  EXPECT_NE(::stat(path_.c_str(), &made), 0) << "it is removed at the end";
}

TEST_P(AdminTest, ShowsWhatIsKnownOfAConnection) {
  const Client& client = connect("alice", "walrus/1.0");
  client.send(std::string("\x81\x82\0\0\0\0hi", 8));
  client.read([](const std::string& text) { return text.contains("hi"); });
  const Reply list = ask("GET", "/v1/connections?kind=websocket");
  ASSERT_EQ(list.status, 200) << list.body;
  ASSERT_EQ(connections_of(list).size(), 1U) << list.body;
  const std::string_view one = connections_of(list)[0];
  EXPECT_EQ(text_at(one, "kind"), "websocket");
  EXPECT_TRUE(text_at(one, "address").starts_with("127.0.0.1:"));
  EXPECT_EQ(text_at(one, "user_agent"), "walrus/1.0");
  EXPECT_EQ(text_at(one, "principal"), "alice");
  EXPECT_EQ(text_at(one, "service"), "rpc");
  EXPECT_EQ(text_at(one, "project"), "main");
  EXPECT_EQ(text_at(one, "network"), "main/1");
  EXPECT_EQ(text_at(one, "subscriptions"), "2");
  EXPECT_EQ(text_at(one, "topics"), R"(["newHeads","logs"])");
  EXPECT_EQ(text_at(one, "messages_received"), "2") << "the upgrade and one message";
  EXPECT_EQ(text_at(one, "messages_sent"), "1");
  const Reply alone = ask("GET", "/v1/connections/" + text_at(one, "id"));
  EXPECT_EQ(text_at(body_of(alone), "principal"), "alice");
}

TEST_P(AdminTest, PagesHaveEveryConnectionOnce) {
  for (int i = 0; i < 25; ++i) connect("user" + std::to_string(i), "a");
  std::set<std::string> seen;
  std::string cursor;
  std::size_t pages = 0;
  do {
    const Reply page = ask("GET", "/v1/connections?limit=10" + (cursor.empty() ? "" : "&cursor=" + cursor));
    ASSERT_EQ(page.status, 200) << page.body;
    EXPECT_LE(connections_of(page).size(), 10U);
    for (const std::string_view one : connections_of(page))
      EXPECT_TRUE(seen.insert(text_at(one, "principal")).second) << one;
    cursor = text_at(body_of(page), "next");
    if (cursor == "null") cursor.clear();
  } while (!cursor.empty() && ++pages < 10);
  EXPECT_EQ(seen.size(), 25U);
}

TEST_P(AdminTest, ASortedListHasTheGreatestFirstOfAllLoops) {
  for (int i = 0; i < 12; ++i) {
    const Client& client = connect("user" + std::to_string(i), "a");
    for (int k = 0; k < i; ++k) client.send(std::string("\x81\x81\0\0\0\0x", 7));
  }
  ASSERT_TRUE(wait_for([&] {
    const Reply page = ask("GET", "/v1/connections?sort=received&limit=3");
    const auto all = connections_of(page);
    return all.size() == 3 && text_at(all[0], "messages_received") == "12" &&
           text_at(all[1], "messages_received") == "11" && text_at(all[2], "messages_received") == "10" &&
           text_at(body_of(page), "matched") == "12" && text_at(body_of(page), "next") == "null";
  }));
}

TEST_P(AdminTest, ClosesOneConnectionAndNoOther) {
  connect("other", "a");
  const Client& client = connect("alice", "a");
  const Client& other = *clients_[0];
  const std::string id = id_of("alice");
  const Reply closed = ask("DELETE", "/v1/connections/" + id + "?code=1008&reason=not%20welcome");
  ASSERT_EQ(closed.status, 200) << closed.body;
  const std::string frame = client.read([](const std::string& text) { return text.size() >= 4; });
  EXPECT_EQ(frame.substr(0, 4), std::string("\x88\x0d\x03\xf0"));
  EXPECT_EQ(frame.substr(4, 11), "not welcome");
  other.send(std::string("\x81\x82\0\0\0\0hi", 8));
  EXPECT_TRUE(other.read([](const std::string& text) { return text.contains("hi"); }).contains("hi"));
  clients_.pop_back();
  ASSERT_TRUE(wait_for([&] { return ask("GET", "/v1/connections/" + id).status == 404; }));
  expect_problem(ask("DELETE", "/v1/connections/" + id), 404, "id");
}

// The slot is used again, by another connection.
TEST_P(AdminTest, AnIdOfAConnectionThatHasEndedClosesNoOther) {
  connect("alice", "a");
  const std::string id = id_of("alice");
  clients_.clear();
  ASSERT_TRUE(
      wait_for([&] { return connections_of(ask("GET", "/v1/connections?principal=alice")).empty(); }));
  for (int i = 0; i < 4; ++i) connect("bob" + std::to_string(i), "a");
  expect_problem(ask("DELETE", "/v1/connections/" + id), 404, "id");
  EXPECT_EQ(connections_of(ask("GET", "/v1/connections?principal=bob*")).size(), 4U);
}

TEST_P(AdminTest, RejectsWhatItCannotDoAndSaysWhy) {
  connect("alice", "a");
  const std::string id = id_of("alice");
  expect_problem(ask("DELETE", "/v1/connections/" + id + "?code=1006"), 400, "code");
  expect_problem(ask("DELETE", "/v1/connections/" + id + "?code=5000"), 400, "code");
  expect_problem(ask("DELETE", "/v1/connections/" + id + "?code=12345678901"), 400, "code");
  expect_problem(ask("DELETE", "/v1/connections/" + id + "?reason=" + std::string(124, 'x')), 400, "reason");
  expect_problem(ask("DELETE", "/v1/connections/" + id + "?color=red"), 400, "color");
  expect_problem(ask("GET", "/v1/connections?limit=1001"), 400, "limit");
  expect_problem(ask("GET", "/v1/connections/9-0-1"), 404, "id");
  expect_problem(ask("GET", "/v1/connections/hello"), 404, "id");
  expect_problem(ask("GET", "/v1/nothing"), 404, "path");
  expect_problem(ask("GET", "/v1/status?x=1"), 400, "query");
  expect_problem(ask("PUT", "/v1/log-level", R"({"level":"loud"})"), 400, "level");
  expect_problem(ask("PUT", "/v1/log-level", R"({"level":"info"})", "Content-Type: text/plain\r\n"), 415,
                 "Content-Type");
  expect_problem(ask("DELETE", "/v1/log-level"), 405, "method");
  EXPECT_TRUE(ask("DELETE", "/v1/log-level").head.contains("Allow: GET, PUT"));
  EXPECT_EQ(ask("DELETE", "/v1/connections/" + id + "?reason=" + std::string(123, 'x')).status, 200);
}

TEST_P(AdminTest, ChangesTheLogLevel) {
  const std::string before(log_level_name());
  EXPECT_EQ(text_at(body_of(ask("PUT", "/v1/log-level", R"({"level":"error"})")), "level"), "error");
  EXPECT_EQ(log_level_name(), "error");
  EXPECT_EQ(text_at(body_of(ask("GET", "/v1/log-level")), "level"), "error");
  log::set_level(*log_level_of(before));
}

TEST_P(AdminTest, SwitchesUpstreams) {
  const std::string target = "/v1/networks/main/1/upstreams/node%20a";
  EXPECT_EQ(text_at(body_of(ask("GET", target)), "enabled"), "true");
  expect_problem(ask("PUT", target, R"({"enabled":false})"), 409, "name");
  EXPECT_EQ(text_at(body_of(ask("PUT", target, R"({"enabled":false,"force":true})")), "enabled"), "false");
  EXPECT_EQ(text_at(body_of(ask("PUT", target, R"({"enabled":true})")), "enabled"), "true");
  expect_problem(ask("PUT", target, R"({"force":true})"), 400, "enabled");
  expect_problem(ask("PUT", target), 400, "enabled");
  expect_problem(ask("GET", "/v1/networks/main/1/upstreams/node-b"), 404, "name");
}

TEST_P(AdminTest, ReportsAReloadOrWhyItFailed) {
  EXPECT_EQ(text_at(body_of(ask("POST", "/v1/reload")), "changes"), R"(["everything"])");
  subject_->set_reloaded(
      ReloadInfo{.applied = false, .changes = {}, .needs_restart = {}, .errors = {"a.yaml:3:5: wrong"}});
  const Reply failed = ask("POST", "/v1/reload");
  expect_problem(failed, 422, "");
  EXPECT_EQ(text_at(body_of(failed), "errors"), R"(["a.yaml:3:5: wrong"])");
  subject_->set_reloaded(std::nullopt);
  expect_problem(ask("POST", "/v1/reload"), 503, "");
}

TEST_P(AdminTest, ReportsAnUpgradeOrWhyItFailed) {
  EXPECT_EQ(text_at(body_of(ask("POST", "/v1/upgrade")), "pid"), "4711");
  subject_->set_upgraded({.pid = 0, .problem = "it ended with status 2"});
  const Reply failed = ask("POST", "/v1/upgrade");
  expect_problem(failed, 409, "");
  EXPECT_EQ(text_at(body_of(failed), "detail"), "the server goes on as before: it ended with status 2");
}

TEST_P(AdminTest, DrainsAndComesBack) {
  for (int i = 0; i < 6; ++i) connect("user" + std::to_string(i), "a");
  EXPECT_EQ(text_at(body_of(ask("GET", "/v1/drain")), "state"), "off");
  expect_problem(ask("DELETE", "/v1/drain"), 409, "");
  expect_problem(ask("POST", "/v1/drain", R"({"spread_s":3601})"), 400, "spread_s");
  EXPECT_FALSE(subject_->draining);
  const Reply begun = ask("POST", "/v1/drain", R"({"spread_s":0.1,"reason":"maintenance"})");
  ASSERT_EQ(begun.status, 202) << begun.body;
  EXPECT_TRUE(subject_->draining);
  expect_problem(ask("POST", "/v1/drain"), 409, "");
  for (const auto& client : clients_) {
    const std::string frame = client->read([](const std::string& text) { return text.size() >= 15; });
    EXPECT_EQ(frame.substr(0, 4), std::string("\x88\x0d\x03\xf4")) << "1012";
    EXPECT_EQ(frame.substr(4, 11), "maintenance");
  }
  ASSERT_TRUE(wait_for([&] { return text_at(body_of(ask("GET", "/v1/drain")), "state") == "drained"; }));
  EXPECT_EQ(text_at(body_of(ask("GET", "/v1/drain")), "closed"), "6");
  EXPECT_EQ(text_at(body_of(ask("GET", "/v1/drain")), "open"), "0");
  Client late(server_->addresses()[0]);
  const std::string upgrade =
      "GET /late HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  late.send(upgrade);
  const std::string refused = late.read([](const std::string& text) { return text.contains("\r\n\r\n"); });
  EXPECT_TRUE(refused.contains("503") && refused.contains("Retry-After")) << refused;
  EXPECT_EQ(ask("DELETE", "/v1/drain").status, 200);
  EXPECT_FALSE(subject_->draining);
  connect("back", "a");
}

// A WebSocket that a drain has not reached yet stays open when the drain is ended.
TEST_P(AdminTest, AnEndedDrainClosesNoMore) {
  for (int i = 0; i < 6; ++i) connect("user" + std::to_string(i), "a");
  const auto told = [this] {
    return std::ranges::count_if(clients_, [](const auto& client) {
      pollfd one{.fd = client->socket.get(), .events = POLLIN, .revents = 0};
      return ::poll(&one, 1, 0) == 1;
    });
  };
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_EQ(ask("POST", "/v1/drain", R"({"spread_s":0.6})").status, 202);
  // The first one of each loop is due at once.
  ASSERT_TRUE(wait_for([&] { return told() > 0; }));
  ASSERT_EQ(ask("DELETE", "/v1/drain").status, 200);
  // The list passes both loops, so what they did before is done.
  ASSERT_EQ(ask("GET", "/v1/connections").status, 200);
  const auto before = told();
  while (std::chrono::steady_clock::now() - begun < 700ms) {
    ASSERT_EQ(ask("GET", "/v1/connections").status, 200);
    ASSERT_EQ(told(), before);
  }
}

// Pages on this machine are known, others are not: a page in an operator's browser must not close connections.
TEST_P(AdminTest, ForeignPagesAndNamesAreRefusedOnThePort) {
  const net::Address port = admin_->addresses()[1];
  EXPECT_EQ(testing::request(port, "GET", "/v1/status").status, 200);
  EXPECT_EQ(testing::request(port, "GET", "/v1/status", "", "Origin: https://evil.example\r\n").status, 403);
  EXPECT_EQ(testing::request(port, "POST", "/v1/drain", "{}", "Origin: https://evil.example\r\n").status,
            403);
  EXPECT_FALSE(subject_->draining);
  Client rebound(port);
  rebound.send("GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_TRUE(
      rebound.read([](const std::string& text) { return text.contains("\r\n\r\n"); }).contains(" 403 "));
}

// Lists are put together while connections come and go; under ThreadSanitizer this shows that no lock is missing.
TEST_P(AdminTest, ListsWhileConnectionsComeAndGo) {
  std::atomic<bool> over = false;
  std::atomic<int> failures = 0;
  std::vector<std::thread> readers;
  for (const std::string target : {"/v1/connections?sort=behind&limit=5", "/v1/connections?q=user"}) {
    readers.emplace_back([this, target, &over, &failures] {
      while (!over) failures += ask("GET", target).status != 200;
    });
  }
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 8; ++i)
      connect("user" + std::to_string(i), "a").send(std::string("\x81\x81\0\0\0\0x", 7));
    clients_.clear();
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(failures, 0);
}

TEST_P(AdminTest, ALongBodyIsRefused) {
  const std::string head = R"({"level":"info"})";
  EXPECT_EQ(ask("PUT", "/v1/log-level", head + std::string(Server::kBodyBytesMax - head.size(), ' ')).status,
            200);
  EXPECT_EQ(
      ask("PUT", "/v1/log-level", head + std::string(Server::kBodyBytesMax - head.size() + 1, ' ')).status,
      413);
}

TEST(AdminServer, SaysWhichGroupDoesNotExist) {
  session::Server none({.loops = 1});
  testing::TestSubject subject(none);
  Api api(subject);
  const std::string path = std::filesystem::temp_directory_path() /
                           ("fanfare-admin-group-" + std::to_string(::getpid()) + ".sock");
  Server server(api, {.listeners = {{.unix_path = path, .unix_mode = 0660}}, .group = "no-such-group"});
  const auto started = server.start();
  ASSERT_FALSE(started);
  EXPECT_TRUE(started.error().message.contains("no-such-group")) << started.error().message;
  struct stat left{};
  EXPECT_NE(::stat(path.c_str(), &left), 0) << "the socket is removed";
}

}  // namespace
}  // namespace fanfare::admin
