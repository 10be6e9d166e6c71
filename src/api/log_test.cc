// A program's log sink, and the counters of a server.

#include "fanfare/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "base/log.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::HasSubstr;

// Restores the default log after each test.
class LogSinkTest : public testing::Test {
 protected:
  ~LogSinkTest() override {
    set_log_sink({});
    set_log_level(LogLevel::info);
  }
};

std::string text_of(const LogRecord& record) {
  std::string text = std::to_string(static_cast<int>(record.level)) + " " + std::string(record.event);
  for (const LogField& field : record.fields) {
    text.append(" ").append(field.key).append("=").append(field.value);
  }
  return text;
}

TEST_F(LogSinkTest, GetsLevelEventAndFieldsAsTheyAre) {
  std::vector<std::string> lines;
  set_log_sink([&](const LogRecord& record) { lines.push_back(text_of(record)); });
  testing::internal::CaptureStderr();
  log::warn("tested", {{"text", "with \"quotes\" and\nlines"}, {"number", 7}});
  log::write(log::Level::error, "more", {{"a", 1}}, {{"b", 2}});
  log::debug("below the level");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(lines, (std::vector<std::string>{"3 tested text=with \"quotes\" and\nlines number=7",
                                             "4 more a=1 b=2"}));
}

TEST_F(LogSinkTest, TheLevelDecidesForTheSinkToo) {
  std::vector<std::string> lines;
  set_log_sink([&](const LogRecord& record) { lines.push_back(text_of(record)); });
  set_log_level(LogLevel::debug);
  log::debug("wanted");
  set_log_level(LogLevel::error);
  log::warn("not wanted");
  set_log_level(LogLevel::off);
  log::error("not wanted");
  EXPECT_EQ(lines, std::vector<std::string>{"1 wanted"});
}

TEST_F(LogSinkTest, WhereItThrowsAndWithinItLinesGoToStandardError) {
  set_log_sink([&](const LogRecord& record) {
    log::error("nested");
    if (record.event == "thrown") throw std::runtime_error("sink");
  });
  testing::internal::CaptureStderr();
  log::error("taken");
  log::error("thrown");
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines.find("taken"), std::string::npos) << lines;
  EXPECT_THAT(lines, HasSubstr("error nested\n"));
  EXPECT_THAT(lines, HasSubstr("error thrown\n"));
}

TEST_F(LogSinkTest, AnEmptySinkBringsBackStandardErrorAndTheOldOneIsDestroyed) {
  const auto held = std::make_shared<int>(0);
  set_log_sink([held](const LogRecord&) {});
  EXPECT_EQ(held.use_count(), 2);
  set_log_sink({});
  EXPECT_EQ(held.use_count(), 1);
  testing::internal::CaptureStderr();
  log::error("here again");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("here again"));
}

// Once set_log_sink() has returned, the previous sink is not running, so its data may be destroyed.
TEST_F(LogSinkTest, MayBeReplacedWhileOthersLog) {
  std::atomic<bool> done{false};
  std::atomic<std::size_t> lines{0};
  std::vector<std::thread> threads;
  set_log_sink([&](const LogRecord&) { ++lines; });
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!done) log::error("from a thread", {{"number", 1}});
    });
  }
  for (int round = 0; round < 100; ++round) {
    auto mine = std::make_unique<std::atomic<std::size_t>>(0);
    set_log_sink([&lines, raw = mine.get()](const LogRecord&) {
      ++*raw;
      ++lines;
    });
    while (*mine == 0) std::this_thread::yield();
    set_log_sink([&](const LogRecord&) { ++lines; });
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(lines, 100U);
}

using LogSinkDeathTest = LogSinkTest;

TEST_F(LogSinkDeathTest, ASinkCannotBeReplacedWithinItself) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        set_log_sink([](const LogRecord&) { set_log_sink({}); });
        log::error("once");
      },
      "set_log_sink\\(\\) in a log sink");
}

// Of lines that are limited per minute, other tests of the process may have used up what there is. This one is
// written once for each status.
TEST_F(LogSinkTest, GetsTheLinesOfAServer) {
  static int status = 2000;
  ++status;
  std::promise<std::string> line;
  set_log_sink([&](const LogRecord& record) {
    if (record.event == "response_status_invalid") line.set_value(text_of(record));
  });
  Server server({.port = 0, .threads = 1});
  server.http("GET", "/", [](const Request&) -> Response { return {.status = status}; });
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.request("GET", "/");
  EXPECT_THAT(line.get_future().get(),
              testing::StartsWith("4 response_status_invalid status=" + std::to_string(status)));
  server.stop(std::chrono::milliseconds(0));
}

class ServerStatsTest : public testing::TestWithParam<LoopKind> {};

INSTANTIATE_TEST_SUITE_P(BothLoops, ServerStatsTest, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

TEST_P(ServerStatsTest, CountWhatCameAndWentAndStayAfterTheStop) {
  Server server({.port = 0, .threads = 2, .loop = GetParam()});
  std::atomic<int> closed{0};
  server.websocket("/", {.message =
                             [](Session& session, const Message& message) {
                               session.send(message);
                               session.send("twice");
                             },
                         .close = [&](Session&, const Close&) { ++closed; }});
  const ServerStats nothing = server.stats();
  EXPECT_EQ(nothing.connections, 0U);
  EXPECT_EQ(nothing.messages_received, 0U);
  ASSERT_TRUE(server.start());
  {
    RawClient one(server.port());
    RawClient two(server.port());
    one.upgrade("/");
    two.upgrade("/");
    one.send("hello");
    EXPECT_EQ(one.receive(), "hello");
    EXPECT_EQ(one.receive(), "twice");
    const ServerStats now = server.stats();
    EXPECT_EQ(now.connections, 2U);
    EXPECT_EQ(now.sessions, 2U);
    EXPECT_EQ(now.sessions_opened, 2U);
    EXPECT_EQ(now.messages_received, 1U);
    EXPECT_EQ(now.messages_sent, 2U);
    EXPECT_GE(now.bytes_received, 11U);  // a header of 2, a mask of 4, "hello"
  }
  while (closed < 2) std::this_thread::yield();
  EXPECT_EQ(server.stats().sessions, 0U);
  server.stop();
  const ServerStats after = server.stats();
  EXPECT_EQ(after.connections, 0U);
  EXPECT_EQ(after.sessions_opened, 2U);
  EXPECT_EQ(after.messages_received, 1U);
  EXPECT_EQ(after.messages_sent, 2U);
}

// Reads the counters while a server starts, serves and stops.
TEST_P(ServerStatsTest, MayBeReadByAnyThreadAtAnyTime) {
  for (int round = 0; round < 5; ++round) {
    Server server({.port = 0, .threads = 2, .loop = GetParam()});
    server.websocket("/",
                     {.message = [](Session& session, const Message& message) { session.send(message); }});
    std::atomic<bool> done{false};
    ASSERT_TRUE(server.start());
    std::thread reader([&] {
      std::uint64_t before = 0;
      while (!done) {
        const std::uint64_t now = server.stats().messages_received;
        EXPECT_GE(now, before);
        before = now;
      }
    });
    RawClient client(server.port());
    client.upgrade("/");
    for (int i = 0; i < 20; ++i) {
      client.send("x");
      EXPECT_EQ(client.receive(), "x");
    }
    server.stop(std::chrono::milliseconds(0));
    done = true;
    reader.join();
    EXPECT_EQ(server.stats().messages_received, 20U);
  }
}

}  // namespace
}  // namespace fanfare
