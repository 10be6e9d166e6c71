// The access log, request ids and traces change while calls run on two loops. Also meant for ThreadSanitizer.

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "gateway/reload/reload_world_for_tests.h"
#include "gateway/reload/reloader.h"

namespace fanfare::gateway {
namespace {

class ObserveReloadTest : public ReloadWorld {
 protected:
  void SetUp() override {
    ReloadWorld::SetUp();
    folder_ = std::filesystem::temp_directory_path() / ("fanfare-observe-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    gateway_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string file(const std::string& name) const { return folder_ / name; }
  std::string text_of(const std::string& name) const {
    std::ifstream in(file(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // How many lines of a kind each request id has in a log of the text form.
  std::map<std::string, int> ids_in(const std::string& name, const std::string& kind) const {
    std::map<std::string, int> ids;
    std::ifstream in(file(name));
    for (std::string line; std::getline(in, line);) {
      const std::size_t at = line.find(" request_id=");
      if (line.find(" " + kind + " ") == std::string::npos || at == std::string::npos) continue;
      ++ids[line.substr(at + 12, line.find(' ', at + 12) - at - 12)];
    }
    return ids;
  }
  static void ask(RawClient& client, const std::string& id) {
    client.write("POST " + path("main") + " HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " + id +
                 "\r\nContent-Length: " + std::to_string(kChainId.size()) + "\r\n\r\n" +
                 std::string(kChainId));
    EXPECT_THAT(client.read_answer(false), HasSubstr("0x539"));
  }
  // Whether this process has the file open.
  bool is_open(const std::string& name) const {
    for (const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      if (std::filesystem::read_symlink(one, gone) == file(name)) return true;
    }
    return false;
  }
  template <typename Condition>
  static bool soon(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  // Not while too many logs and exporters of earlier reloads end.
  void apply() {
    EXPECT_TRUE(soon([&] {
      const PlanDiff diff = gateway_->reload(plan_);
      EXPECT_TRUE(diff.refusal.empty() || diff.refusal.find("have not ended yet") != std::string::npos)
          << diff.refusal;
      return diff.refusal.empty();
    }));
  }
  void log_to(const std::string& name) {
    plan_.observe.access_log = {.path = file(name), .format = log::Format::text};
  }

  std::filesystem::path folder_;
};

TEST_P(ObserveReloadTest, EveryRequestIsInOneOfTheLogsAndNoneIsLost) {
  log_to("a");
  start();
  constexpr int kClients = 3;
  std::atomic<bool> stops = false;
  std::atomic<int> asked[kClients] = {};
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      RawClient client(port());
      for (int k = 0; !stops || k < 20; ++k) {
        ask(client, std::to_string(i) + "." + std::to_string(k));
        ++asked[i];
      }
    });
  }
  int called = 0;
  clients.emplace_back([&] {
    RawClient socket(port());
    EXPECT_THAT(socket.upgrade(path("side"), "X-Request-Id: socket\r\n"), HasSubstr(" 101 "));
    while (!stops || called < 20) {
      socket.send(kChainId);
      EXPECT_THAT(socket.receive(), HasSubstr("0x539"));
      ++called;
    }
  });
  const TracingPlan traces{.endpoint = "http://127.0.0.1:1/v1/traces"};  // where nobody listens
  for (int round = 1; round <= 6; ++round) {
    log_to(round % 2 == 0 ? "a" : "b");
    plan_.observe.tracing = round % 3 == 0 ? traces : TracingPlan{};
    plan_.observe.trusted = round % 4 == 0 ? TrustedClients::all : TrustedClients::loopback;
    apply();
    const int before = asked[0];
    EXPECT_TRUE(soon([&] { return asked[0] > before + 2; }));
  }
  stops = true;
  for (std::thread& client : clients) client.join();
  gateway_.reset();
  auto in_a = ids_in("a", "request");
  auto in_b = ids_in("b", "request");
  EXPECT_GT(in_a.size(), 1U);
  EXPECT_GT(in_b.size(), 1U);
  auto calls_in_a = ids_in("a", "call");
  auto calls_in_b = ids_in("b", "call");
  for (int i = 0; i < kClients; ++i) {
    for (int k = 0; k < asked[i]; ++k) {
      const std::string id = std::to_string(i) + "." + std::to_string(k);
      EXPECT_EQ(in_a[id] + in_b[id], 1) << id;
      EXPECT_EQ(calls_in_a[id], in_a[id]) << id;
      EXPECT_EQ(calls_in_b[id], in_b[id]) << id;
    }
  }
  for (int k = 1; k <= called; ++k) {
    const std::string id = "socket-" + std::to_string(k);
    EXPECT_EQ(calls_in_a[id] + calls_in_b[id], 1) << id;
  }
  EXPECT_EQ(ids_in("a", "session")["socket"] + ids_in("b", "session")["socket"], 1);
}

TEST_P(ObserveReloadTest, WebSocketsThatAreOpenAreRecordedFromNowOn) {
  start();
  const auto caller = open("main");
  auto silent = open("side");
  log_to("a");
  EXPECT_THAT(reload(), ElementsAre("+ server.accessLog: " + file("a")));
  EXPECT_TRUE(soon([&] {
    caller->send(kChainId);
    caller->receive();
    return !ids_in("a", "call").empty();
  }));
  const std::string id = ids_in("a", "call").begin()->first;
  EXPECT_THAT(id, ::testing::EndsWith("-1"));
  EXPECT_THAT(text_of("a"), HasSubstr("protocol=websocket network=main/1337 method=eth_chainId"));
  // Each loop has switched when the other one's session is in the log.
  silent.reset();
  EXPECT_TRUE(soon([&] { return ids_in("a", "session").size() == 1; }));
  EXPECT_THAT(text_of("a"), HasSubstr(" session address=127.0.0.1:"));

  // It is turned off: the file is closed, and the connection goes on.
  plan_.observe.access_log = {};
  EXPECT_THAT(reload(), ElementsAre("- server.accessLog: " + file("a")));
  EXPECT_TRUE(soon([&] { return !is_open("a"); }));
  const std::string text = text_of("a");
  caller->send(kChainId);
  EXPECT_THAT(caller->receive(), HasSubstr("0x539"));
  EXPECT_EQ(text_of("a"), text);
  // What was counted does not go back.
  RawClient metrics(port());
  EXPECT_THAT(
      metrics.request("GET", "/metrics"),
      HasSubstr("\nfanfare_access_log_lines_total " + std::to_string(std::ranges::count(text, '\n')) + "\n"));
}

TEST_P(ObserveReloadTest, ALogThatCannotBeOpenedChangesNothing) {
  log_to("a");
  start();
  ServePlan wanted = plan_;
  wanted.observe.access_log.path = file("missing/b");
  wanted.networks.pop_back();
  const PlanDiff diff = gateway_->reload(wanted);
  EXPECT_THAT(diff.refusal, HasSubstr("cannot open server.accessLog.path (\"" + file("missing/b") +
                                      "\"): No such file or directory"));
  EXPECT_EQ(gateway_->states().size(), 2U);
  RawClient client(port());
  ask(client, "after");
  gateway_.reset();
  EXPECT_EQ(ids_in("a", "request")["after"], 1);
}

// The writer goes on, so its counters and its file do.
TEST_P(ObserveReloadTest, OnlyWhatIsJudgedForEachLineNeedsNoOtherLog) {
  log_to("a");
  start();
  RawClient client(port());
  ask(client, "first");
  EXPECT_TRUE(soon([&] { return ids_in("a", "request").contains("first"); }));
  std::filesystem::rename(file("a"), file("moved"));
  plan_.observe.access_log.sample = 0.5;
  plan_.observe.request_ids = true;
  EXPECT_THAT(reload(), ElementsAre("~ server.accessLog.sample: 1 -> 0.5",
                                    "~ server.requestIds.enabled: false -> true"));
  EXPECT_THAT(reload(), IsEmpty());
  EXPECT_TRUE(is_open("moved"));
  EXPECT_FALSE(std::filesystem::exists(file("a")));
}

// logrotate has renamed the file, and the configuration names another one, or none.
TEST_P(ObserveReloadTest, AFileThatAnotherPathReplacesIsNotCreatedAgain) {
  log_to("old");
  start();
  ServePlan wanted = plan_;
  Reloader reloader(*gateway_, plan_, [&] { return wanted; });
  std::filesystem::rename(file("old"), file("old.1"));
  wanted.observe.access_log.path = file("new");
  reloader.reload_all();
  EXPECT_TRUE(soon([&] { return !is_open("old.1"); }));
  EXPECT_FALSE(std::filesystem::exists(file("old")));
  // With the same path it is.
  std::filesystem::rename(file("new"), file("new.1"));
  reloader.reload_all();
  EXPECT_TRUE(soon([&] { return std::filesystem::exists(file("new")); }));
}

INSTANTIATE_TEST_SUITE_P(Loops, ObserveReloadTest,
                         ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring), name_of_loop);

}  // namespace
}  // namespace fanfare::gateway
