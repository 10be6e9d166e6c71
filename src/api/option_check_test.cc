// Every duration and every size of the options at the limits of its type: either an error that names the
// option, or a working server and client.

#include "api/option_check.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/client.h"
#include "fanfare/server.h"

namespace fanfare::api {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

template <typename Options>
struct NamedDuration {
  std::string name;
  milliseconds& (*of)(Options&);
  bool zero_allowed = false;
};

const std::vector<NamedDuration<ServerOptions>> kServerDurations{
    {"limits.session_idle_timeout", [](ServerOptions& it) -> auto& { return it.limits.session_idle_timeout; },
     true},
    {"limits.handshake_timeout", [](ServerOptions& it) -> auto& { return it.limits.handshake_timeout; }},
    {"limits.request_timeout", [](ServerOptions& it) -> auto& { return it.limits.request_timeout; }},
    {"limits.idle_timeout", [](ServerOptions& it) -> auto& { return it.limits.idle_timeout; }},
    {"limits.close_timeout", [](ServerOptions& it) -> auto& { return it.limits.close_timeout; }, true},
    {"heartbeat.ping_interval", [](ServerOptions& it) -> auto& { return it.heartbeat.ping_interval; }, true},
    {"heartbeat.pong_timeout", [](ServerOptions& it) -> auto& { return it.heartbeat.pong_timeout; }},
};
const std::vector<NamedDuration<ClientOptions>> kClientDurations{
    {"connect_timeout", [](ClientOptions& it) -> auto& { return it.connect_timeout; }},
    {"handshake_timeout", [](ClientOptions& it) -> auto& { return it.handshake_timeout; }},
    {"reconnect.wait_min", [](ClientOptions& it) -> auto& { return it.reconnect.wait_min; }},
    {"reconnect.wait_max", [](ClientOptions& it) -> auto& { return it.reconnect.wait_max; }},
    {"limits.session_idle_timeout", [](ClientOptions& it) -> auto& { return it.limits.session_idle_timeout; },
     true},
    {"limits.handshake_timeout", [](ClientOptions& it) -> auto& { return it.limits.handshake_timeout; }},
    {"limits.request_timeout", [](ClientOptions& it) -> auto& { return it.limits.request_timeout; }},
    {"limits.idle_timeout", [](ClientOptions& it) -> auto& { return it.limits.idle_timeout; }},
    {"limits.close_timeout", [](ClientOptions& it) -> auto& { return it.limits.close_timeout; }, true},
    {"heartbeat.ping_interval", [](ClientOptions& it) -> auto& { return it.heartbeat.ping_interval; }, true},
    {"heartbeat.pong_timeout", [](ClientOptions& it) -> auto& { return it.heartbeat.pong_timeout; }},
};
const std::vector<NamedDuration<ChainOptions>> kChainDurations{
    {"heartbeat.ping_interval", [](ChainOptions& it) -> auto& { return it.heartbeat.ping_interval; }, true},
    {"heartbeat.pong_timeout", [](ChainOptions& it) -> auto& { return it.heartbeat.pong_timeout; }},
};

template <typename Options>
void expect_names_what_is_wrong(const std::vector<NamedDuration<Options>>& durations) {
  for (const auto& duration : durations) {
    for (const milliseconds value : {milliseconds::min(), milliseconds(-1), milliseconds(0)}) {
      Options options;
      duration.of(options) = value;
      const auto wrong = find_wrong_option(options);
      if (value == milliseconds(0) && duration.zero_allowed) {
        EXPECT_FALSE(wrong) << *wrong;
      } else {
        ASSERT_TRUE(wrong) << duration.name << " " << value.count();
        EXPECT_TRUE(wrong->starts_with(duration.name + ": ")) << *wrong;
      }
    }
  }
}

TEST(OptionCheck, ADurationBelowItsRangeIsNamed) {
  expect_names_what_is_wrong(kServerDurations);
  expect_names_what_is_wrong(kClientDurations);
  expect_names_what_is_wrong(kChainDurations);
}

// Addresses that the system would truncate or use only in part are refused, and the server does not listen.
TEST(OptionCheck, AnAddressIsUsedAsAWholeOrRefused) {
  using namespace std::string_literals;
  for (const ServerOptions& options :
       {ServerOptions{.host = "127.0.0.1\0x"s, .port = 0}, ServerOptions{.host = "localhost\0"s, .port = 0},
        ServerOptions{.unix_path = testing::TempDir() + "a\0b"s},
        ServerOptions{.unix_path = "\0abstract"s}}) {
    Server server(options);
    const auto started = server.start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().kind, Error::Kind::bad_option);
    EXPECT_TRUE(started.error().message.ends_with("has no NUL in it")) << started.error().message;
  }
}

TEST(OptionCheck, TheModeOfAUnixSocketIsNoMoreThanPermissions) {
  ServerOptions options{.unix_mode = kUnixModeMax};
  EXPECT_FALSE(find_wrong_option(options));
  options.unix_mode = kUnixModeMax + 1;
  EXPECT_EQ(find_wrong_option(options), "unix_mode: 0 to 0777");
}

TEST(OptionCheck, ABusyPollIsShort) {
  for (const auto allowed : {0us, 1000us})
    EXPECT_FALSE(find_wrong_option(ServerOptions{.busy_poll = allowed}));
  for (const auto refused : {-1us, 1001us}) {
    EXPECT_EQ(find_wrong_option(ServerOptions{.busy_poll = refused}), "busy_poll: 0 to 1 ms");
  }
}

TEST(OptionCheck, AnOutboxThatHoldsNothingIsRefused) {
  ServerOptions options;
  options.limits.outbox_bytes_high = 0;
  options.limits.outbox_bytes_max = 1;
  EXPECT_FALSE(find_wrong_option(options));
  options.limits.outbox_bytes_max = 0;
  const auto wrong = find_wrong_option(options);
  ASSERT_TRUE(wrong);
  EXPECT_TRUE(wrong->starts_with("limits.outbox_bytes_max: ")) << *wrong;
}

TEST(OptionCheck, WithoutPingsThereIsNoPongToWaitFor) {
  ServerOptions options;
  options.heartbeat = {.ping_interval = milliseconds(0), .pong_timeout = milliseconds(0)};
  EXPECT_FALSE(find_wrong_option(options));
}

// Whether a client with these options reaches the server, on its first attempt or a later one.
bool opens(ClientOptions options, std::string& why) {
  std::promise<bool> opened;
  std::atomic_flag told;
  Client client(std::move(options), {.open =
                                         [&](Client& it, const Opened&) {
                                           if (!told.test_and_set()) opened.set_value(true);
                                           it.close();
                                         },
                                     .failed =
                                         [&](Client&, const Error& error, auto retry_in) {
                                           if (retry_in) return;
                                           why = error.message;
                                           if (!told.test_and_set()) opened.set_value(false);
                                         }});
  const auto started = client.start();
  if (!started) {
    why = started.error().message;
    return false;
  }
  const bool result = opened.get_future().get();
  client.run();
  return result;
}

std::string url_of(const Server& server) {
  return "ws://127.0.0.1:" + std::to_string(server.port()) + "/";
}

void serve_echo(Server& server) {
  server.websocket("/", {.message = [](Session& session, const Message& message) { session.send(message); }});
}

TEST(OptionCheck, AServerWorksWithEveryDurationAtItsEnds) {
  for (const auto& duration : kServerDurations) {
    for (const milliseconds value : {milliseconds(0), milliseconds(1), milliseconds(std::int64_t{1} << 32),
                                     milliseconds::max() - milliseconds(1), milliseconds::max()}) {
      if (value == milliseconds(0) && !duration.zero_allowed) continue;
      ServerOptions options{.port = 0, .threads = 1};
      duration.of(options) = value;
      Server server(options);
      serve_echo(server);
      const auto started = server.start();
      ASSERT_TRUE(started) << duration.name << " " << started.error().message;
      std::string why;
      EXPECT_TRUE(opens({.url = url_of(server), .reconnect = {.wait_min = milliseconds(10)}}, why))
          << duration.name << " " << value.count() << " " << why;
      server.stop(milliseconds(5000));
    }
  }
}

TEST(OptionCheck, AClientWorksWithEveryDurationAtItsEnds) {
  Server server({.port = 0, .threads = 1});
  serve_echo(server);
  ASSERT_TRUE(server.start());
  for (const auto& duration : kClientDurations) {
    for (const milliseconds value : {milliseconds(0), milliseconds(1), milliseconds(std::int64_t{1} << 32),
                                     milliseconds::max() - milliseconds(1), milliseconds::max()}) {
      if (value == milliseconds(0) && !duration.zero_allowed) continue;
      ClientOptions options{.url = url_of(server), .reconnect = {.wait_min = milliseconds(10)}};
      duration.of(options) = value;
      if (options.reconnect.wait_max < options.reconnect.wait_min) {
        options.reconnect.wait_max = options.reconnect.wait_min = value;
      }
      std::string why;
      EXPECT_TRUE(opens(options, why)) << duration.name << " " << value.count() << " " << why;
    }
  }
}

// Regression: the wait became negative and the client aborted.
TEST(OptionCheck, TheLongestWaitBetweenAttemptsIsPlanned) {
  std::promise<milliseconds> planned;
  std::atomic_flag told;
  Client client({.url = "ws+unix:/no/such.sock:/",
                 .reconnect = {.wait_min = milliseconds::max(), .wait_max = milliseconds::max()}},
                {.failed = [&](Client&, const Error&, std::optional<milliseconds> retry_in) {
                  if (!told.test_and_set()) planned.set_value(retry_in.value_or(milliseconds(-1)));
                }});
  ASSERT_TRUE(client.start());
  EXPECT_GE(planned.get_future().get(), milliseconds(0));
}

TEST(OptionCheck, EverySizeAtTheEndOfItsTypeWorks) {
  const Limits limits{.message_bytes_max = SIZE_MAX,
                      .fragments_max = UINT32_MAX,
                      .outbox_bytes_max = SIZE_MAX,
                      .outbox_bytes_high = SIZE_MAX,
                      .frames_per_turn_max = UINT16_MAX,
                      .bytes_per_turn_max = UINT32_MAX,
                      .topics_per_session_max = SIZE_MAX,
                      .mailbox_tasks_max = SIZE_MAX,
                      .mailbox_bytes_max = SIZE_MAX,
                      .connections_per_loop_max = SIZE_MAX,
                      .connections_max = SIZE_MAX,
                      .connections_per_address_max = UINT32_MAX,
                      .connections_per_second_per_address = UINT32_MAX,
                      .request_head_bytes_max = SIZE_MAX,
                      .request_header_count_max = SIZE_MAX,
                      .request_body_bytes_max = SIZE_MAX,
                      .requests_per_turn_max = UINT32_MAX};
  const Deflate deflate{.threshold_bytes = SIZE_MAX, .context_bytes_max = SIZE_MAX};
  for (const LoopKind loop : {LoopKind::epoll, LoopKind::automatic}) {
    Server server({.port = 0, .threads = 1, .loop = loop, .limits = limits, .deflate = deflate});
    serve_echo(server);
    const auto started = server.start();
    ASSERT_TRUE(started) << started.error().message;
    RawClient raw(server.port());
    EXPECT_NE(raw.upgrade("/").find(" 101 "), std::string::npos);
    raw.send("hello");
    EXPECT_EQ(raw.receive(), "hello");
    std::string why;
    EXPECT_TRUE(opens({.url = url_of(server),
                       .limits = limits,
                       .queue_bytes_max = SIZE_MAX,
                       .deflate = deflate,
                       .loop = loop},
                      why))
        << why;
  }
}

TEST(OptionCheck, ASizeOfZeroIsNamedWhereItMeansNothing) {
  const auto wrong_with = [](const Limits& limits) {
    return find_wrong_option(ServerOptions{.limits = limits}).value_or("");
  };
  EXPECT_EQ(wrong_with({.message_bytes_max = 0}), "limits.message_bytes_max: at least 1");
  EXPECT_EQ(wrong_with({.fragments_max = 0}), "limits.fragments_max: at least 1");
  EXPECT_EQ(wrong_with({.frames_per_turn_max = 0}), "limits.frames_per_turn_max: at least 1");
  EXPECT_EQ(wrong_with({.bytes_per_turn_max = 0}), "limits.bytes_per_turn_max: at least 1");
  EXPECT_EQ(wrong_with({.mailbox_tasks_max = 0}), "limits.mailbox_tasks_max: at least 1");
  EXPECT_EQ(wrong_with({.mailbox_bytes_max = 0}), "limits.mailbox_bytes_max: at least 1");
  EXPECT_EQ(wrong_with({.request_header_count_max = 0}), "limits.request_header_count_max: at least 1");
  EXPECT_EQ(wrong_with({.connections_per_loop_max = 0}), "limits.connections_per_loop_max: at least 1");
  EXPECT_EQ(wrong_with({.request_head_bytes_max = 0}), "limits.request_head_bytes_max: at least 1");
  EXPECT_EQ(wrong_with({.requests_per_turn_max = 0}), "limits.requests_per_turn_max: at least 1");
}

TEST(OptionCheck, ThreadsHaveALimit) {
  EXPECT_FALSE(find_wrong_option(ServerOptions{.threads = kThreadsMax}));
  EXPECT_EQ(find_wrong_option(ServerOptions{.threads = kThreadsMax + 1}), "threads: at most 1024");
  EXPECT_EQ(find_wrong_option(ChainOptions{.threads = SIZE_MAX}), "threads: at most 1024");
}

// Regression: the deadline lay in the past and all clients were dropped at once.
TEST(OptionCheck, AServerStopsWithoutEndWhenToldSo) {
  for (const LoopKind loop : {LoopKind::epoll, LoopKind::automatic}) {
    Server server({.port = 0, .threads = 1, .loop = loop, .limits = {.close_timeout = milliseconds::max()}});
    serve_echo(server);
    ASSERT_TRUE(server.start());
    auto raw = std::make_unique<RawClient>(server.port());
    EXPECT_NE(raw->upgrade("/").find(" 101 "), std::string::npos);
    auto stopped = std::async(std::launch::async, [&] { return server.stop(milliseconds::max()); });
    EXPECT_EQ(raw->receive(), "close 1012");
    EXPECT_NE(stopped.wait_for(milliseconds(0)), std::future_status::ready);
    raw->send("\x03\xf4", '\x88');
    EXPECT_EQ(raw->receive(), "EOF");
    raw.reset();
    EXPECT_EQ(stopped.get(), 0U);
  }
}

}  // namespace
}  // namespace fanfare::api
