// The admin API comes, goes and moves while the gateway runs.

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "gateway/reload/reload_world_for_tests.h"
#include "gateway/reload/reloader.h"

namespace fanfare::gateway {
namespace {

sigset_t hangup() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  return set;
}

// As in the program, before any thread starts: only sigwait() sees the signal. Threads of libraries outlive the test that began them.
[[maybe_unused]] const bool kIsHeld = [] {
  const sigset_t set = hangup();
  return pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0;
}();

class AdminReloadTest : public ReloadWorld {
 protected:
  ~AdminReloadTest() override {
    const timespec none{};
    sigtimedwait(&hangup_, nullptr, &none);  // one that a second kill() may have left
  }
  static std::string socket_path(const std::string& name) {
    return std::filesystem::temp_directory_path() /
           ("fanfare-admin-" + std::to_string(::getpid()) + "-" + name + ".sock");
  }
  void listen_at(const std::string& name, unsigned mode = 0600) {
    plan_.admin.emplace().listeners = {{.unix_path = socket_path(name), .unix_mode = mode}};
  }
  static bool has_file(const std::string& name) { return std::filesystem::exists(socket_path(name)); }
  static unsigned mode_of(const std::string& name) {
    struct stat made{};
    EXPECT_EQ(::stat(socket_path(name).c_str(), &made), 0);
    return made.st_mode & 0777U;
  }
  static std::string status_at(const std::string& name) {
    RawClient client(socket_path(name));
    return client.request("GET", "/v1/status").substr(0, 12);
  }

  const sigset_t hangup_ = hangup();
};

// As the program does it: the API asks, and the main thread reloads.
TEST_P(AdminReloadTest, TheConnectionThatAskedGetsItsAnswerAlsoIfTheSocketMoves) {
  listen_at("old");
  ServePlan wanted = plan_;
  wanted.admin->listeners.front().unix_path = socket_path("new");
  gateway_ = std::make_unique<Gateway>(plan_);
  Reloader reloader(*gateway_, plan_, [&] { return wanted; });
  gateway_->answer_reloads(reloader.requests());
  ASSERT_TRUE(gateway_->start());

  RawClient idle(socket_path("old"));
  EXPECT_THAT(idle.request("GET", "/v1/status"), StartsWith("HTTP/1.1 200"));
  RawClient asking(socket_path("old"));
  asking.write("POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
  int received = 0;
  ASSERT_EQ(sigwait(&hangup_, &received), 0);
  reloader.reload_all();
  const std::string answer = asking.read_answer(false);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("- admin listener unix:" + socket_path("old")));
  EXPECT_THAT(answer, HasSubstr("+ admin listener unix:" + socket_path("new")));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_EQ(asking.read_some(), "");
  EXPECT_EQ(idle.read_some(), "") << "it was closed without a request";
  EXPECT_FALSE(has_file("old"));
  EXPECT_EQ(status_at("new"), "HTTP/1.1 200");
  gateway_.reset();
  EXPECT_FALSE(has_file("new"));
}

TEST_P(AdminReloadTest, ItIsTurnedOnAndOffAndOnAgain) {
  start();
  const auto client = subscribe("main");
  listen_at("a");
  plan_.admin->listeners.push_back({.port = 0});
  EXPECT_THAT(reload(),
              ElementsAre("+ admin listener unix:" + socket_path("a"), "+ admin listener 127.0.0.1:0"));
  EXPECT_EQ(mode_of("a"), 0600U);
  // It shows the connection that was there before, from now on.
  std::string list;
  for (int i = 0; i < 2000 && list.find("\"messages_sent\":") == std::string::npos; ++i) {
    RawClient admin(socket_path("a"));
    list = admin.request("GET", "/v1/connections?kind=websocket");
  }
  EXPECT_THAT(list, HasSubstr("\"kind\":\"websocket\""));
  RawClient port(gateway_->admin_addresses().at(1).port());
  port.write("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(port.read_answer(false), StartsWith("HTTP/1.1 200"));

  plan_.admin.reset();
  EXPECT_EQ(reload().size(), 2U);
  EXPECT_FALSE(has_file("a"));
  EXPECT_THAT(gateway_->admin_addresses(), IsEmpty());
  EXPECT_EQ(port.read_some(), "");

  listen_at("a", 0660);
  EXPECT_THAT(reload(), ElementsAre("+ admin listener unix:" + socket_path("a")));
  EXPECT_EQ(status_at("a"), "HTTP/1.1 200");
  plan_.admin->listeners.front().unix_mode = 0600;
  EXPECT_THAT(reload(), ElementsAre("~ admin.mode: 0660 -> 0600"));
  EXPECT_EQ(mode_of("a"), 0600U);
  EXPECT_EQ(status_at("a"), "HTTP/1.1 200");
  expect_heads(*client, 3);
}

TEST_P(AdminReloadTest, TheDashboardOnAPortThatStaysComesAndGoes) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("fanfare-admin-page-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "index.html") << "<p>the page</p>";
  plan_.admin.emplace().listeners = {{.port = 0}};
  start();
  RawClient client(gateway_->admin_addresses().front().port());
  // Once the API's thread has applied the last reload.
  const auto page_with = [&](std::string_view wanted) {
    std::string answer;
    for (int i = 0; i < 20'000 && answer.find(wanted) == std::string::npos; ++i) {
      client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      answer = client.read_answer(false);
    }
    return answer;
  };
  EXPECT_THAT(page_with(" 404 "), StartsWith("HTTP/1.1 404"));
  plan_.admin->web_directory = folder;
  EXPECT_THAT(reload(), ElementsAre("~ admin: the dashboard on its port"));
  EXPECT_THAT(page_with("the page"), StartsWith("HTTP/1.1 200"));
  plan_.admin->web_directory.clear();
  reload();
  EXPECT_THAT(page_with(" 404 "), StartsWith("HTTP/1.1 404"));
  std::filesystem::remove_all(folder);
}

TEST_P(AdminReloadTest, ASocketWhoseFileIsGoneIsBoundAgainWithItsMode) {
  listen_at("a");
  start();
  std::filesystem::remove(socket_path("a"));
  plan_.admin->listeners.front().unix_mode = 0660;
  EXPECT_THAT(reload(), ElementsAre("~ admin.mode: 0600 -> 0660"));
  EXPECT_EQ(status_at("a"), "HTTP/1.1 200");
  EXPECT_EQ(mode_of("a"), 0660U);
  // A link to a file of somebody else: that file stays as it is, and other changes are applied.
  std::ofstream(socket_path("other")) << "precious";
  ::chmod(socket_path("other").c_str(), 0600);
  std::filesystem::remove(socket_path("a"));
  std::filesystem::create_symlink(socket_path("other"), socket_path("a"));
  plan_.admin->listeners.front().unix_mode = 0666;
  plan_.networks.pop_back();
  EXPECT_THAT(reload(), ::testing::UnorderedElementsAre("- network side/1337", "~ admin.mode: 0660 -> 0666"));
  EXPECT_EQ(mode_of("other"), 0600U);
  std::filesystem::remove(socket_path("a"));
  std::filesystem::remove(socket_path("other"));
  EXPECT_THAT(reload(), IsEmpty());
  EXPECT_EQ(status_at("a"), "HTTP/1.1 200");
  EXPECT_EQ(mode_of("a"), 0666U);
}

TEST_P(AdminReloadTest, WhatCannotBeDoneChangesNothing) {
  listen_at("a");
  start();
  ServePlan wanted = plan_;
  wanted.networks.pop_back();
  wanted.admin->listeners.front().unix_mode = 0660;
  wanted.admin->group = "no-such-group";
  EXPECT_THAT(gateway_->reload(wanted).refusal, HasSubstr("to group no-such-group: there is no such group"));
  EXPECT_EQ(mode_of("a"), 0600U);

  // The mode is given back, and what was bound already is gone.
  wanted.admin->group.clear();
  const auto other = net::listen_on(*net::Address::parse("127.0.0.1", 0));
  wanted.admin->listeners.push_back({.unix_path = socket_path("b")});
  wanted.admin->listeners.push_back({.port = net::local_address(other->get())->port()});
  EXPECT_THAT(gateway_->reload(wanted).refusal,
              StartsWith("cannot listen for the admin API: bind 127.0.0.1:"));
  EXPECT_EQ(mode_of("a"), 0600U);
  EXPECT_FALSE(has_file("b"));

  // So are they if a later part cannot be done.
  wanted.admin->listeners.pop_back();
  wanted.observe.access_log.path = "/no/such/directory/log";
  EXPECT_THAT(gateway_->reload(wanted).refusal, HasSubstr("server.accessLog.path"));
  EXPECT_EQ(mode_of("a"), 0600U);
  EXPECT_FALSE(has_file("b"));
  EXPECT_EQ(gateway_->states().size(), 2U);
  EXPECT_EQ(status_at("a"), "HTTP/1.1 200");
  EXPECT_THAT(reload(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Loops, AdminReloadTest,
                         ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring), name_of_loop);

}  // namespace
}  // namespace fanfare::gateway
