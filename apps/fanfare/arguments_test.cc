#include "arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <sstream>
#include <string>
#include <vector>

#include "help_text.h"

namespace fanfare::app {
namespace {

using testing::HasSubstr;

std::expected<Command, ExitRequest> parse(const std::vector<const char*>& words) {
  std::vector<const char*> all{"fanfare"};
  all.insert(all.end(), words.begin(), words.end());
  return parse_arguments(static_cast<int>(all.size()), all.data());
}

TEST(Arguments, EveryFlagOfServe) {
  const auto command = parse({"serve",
                              "--config=a.yaml",
                              "--upstream",
                              "http://a",
                              "-u",
                              "http://b",
                              "--dev",
                              "--host",
                              "::1",
                              "--http-port",
                              "0",
                              "--ws-port=65535",
                              "--chain-id",
                              "9223372036854775807",
                              "--log-level",
                              "debug",
                              "--log-format",
                              "json",
                              "--threads",
                              "3",
                              "--max-connections",
                              "4",
                              "--max-subscriptions",
                              "5",
                              "--ping-interval",
                              "6s",
                              "--pong-timeout",
                              "7s",
                              "--shutdown-timeout",
                              "8s",
                              "--dev-block-time",
                              "200ms",
                              "--dev-seed",
                              "18446744073709551615",
                              "--dev-transactions",
                              "9",
                              "--dev-reorg-every",
                              "10",
                              "--dev-reorg-depth",
                              "11",
                              "--dev-sync-blocks",
                              "12"});
  ASSERT_TRUE(command) << command.error().text;
  const auto& serve = std::get<ServeArguments>(*command);
  EXPECT_EQ(serve.config, "a.yaml");
  EXPECT_EQ(serve.upstreams, (std::vector<std::string>{"http://a", "http://b"}));
  EXPECT_TRUE(serve.dev);
  EXPECT_EQ(serve.host, "::1");
  EXPECT_EQ(serve.http_port, 0U);
  EXPECT_EQ(serve.ws_port, 65535U);
  EXPECT_EQ(serve.chain_id, 9223372036854775807U);
  EXPECT_EQ(serve.log_level, "debug");
  EXPECT_EQ(serve.log_format, "json");
  EXPECT_EQ(serve.threads, 3U);
  EXPECT_EQ(serve.max_connections, 4U);
  EXPECT_EQ(serve.max_subscriptions, 5U);
  EXPECT_EQ(serve.ping_interval, "6s");
  EXPECT_EQ(serve.pong_timeout, "7s");
  EXPECT_EQ(serve.shutdown_timeout, "8s");
  EXPECT_EQ(serve.dev_block_time, "200ms");
  EXPECT_EQ(serve.dev_seed, 18446744073709551615U);
  EXPECT_EQ(serve.dev_transactions, 9U);
  EXPECT_EQ(serve.dev_reorg_every, 10U);
  EXPECT_EQ(serve.dev_reorg_depth, 11U);
  EXPECT_EQ(serve.dev_sync_blocks, 12U);
}

TEST(Arguments, NothingGivenIsNothingSet) {
  const auto command = parse({"serve"});
  ASSERT_TRUE(command) << command.error().text;
  const auto& serve = std::get<ServeArguments>(*command);
  EXPECT_FALSE(serve.config || serve.dev || serve.host || serve.http_port || serve.dev_seed);
  EXPECT_TRUE(serve.upstreams.empty());
}

TEST(Arguments, CheckTakesAFile) {
  const auto page = std::get<CheckArguments>(parse({"check", "gateway.yaml", "--web-dir", "page"}).value());
  EXPECT_EQ(page.web_dir, "page");
  EXPECT_TRUE(std::get<CheckArguments>(parse({"check", "gateway.yaml", "--no-web"}).value()).no_web);
  const auto command = parse({"check", "gateway.yaml"});
  ASSERT_TRUE(command) << command.error().text;
  EXPECT_EQ(std::get<CheckArguments>(*command).file, "gateway.yaml");
}

TEST(Arguments, EveryFlagOfBench) {
  const auto command =
      parse({"bench",       "ws://a:1",  "-c",     "2",          "-n",     "3",           "-s",
             "4",           "--rate",    "5.5",    "-d",         "6s",     "--ramp",      "7s",
             "--subscribe", "{}",        "--raw",  "--json",     "-q",     "--broadcast", "--deflate",
             "takeover",    "--ca-file", "ca.pem", "--insecure", "--loop", "epoll",       "--handshakes"});

  ASSERT_TRUE(command) << command.error().text;
  const auto& bench = std::get<BenchArguments>(*command);
  EXPECT_EQ(bench.url, "ws://a:1");
  EXPECT_EQ(bench.connections, 2U);
  EXPECT_EQ(bench.in_flight, 3U);
  EXPECT_EQ(bench.size, 4U);
  EXPECT_EQ(bench.rate, 5.5);
  EXPECT_EQ(bench.duration, "6s");
  EXPECT_EQ(bench.ramp, "7s");
  EXPECT_EQ(bench.subscribe, "{}");
  EXPECT_TRUE(bench.raw && bench.json && bench.quiet && bench.broadcast && bench.insecure &&
              bench.handshakes);
  EXPECT_EQ(bench.deflate, "takeover");
  EXPECT_EQ(bench.ca_file, "ca.pem");
  EXPECT_EQ(bench.loop, "epoll");
}

TEST(Arguments, HelpAndVersionLeaveWithZero) {
  const auto help = parse({"--help"});
  ASSERT_FALSE(help);
  EXPECT_EQ(help.error().status, 0);
  EXPECT_THAT(help.error().text, HasSubstr("fanfare serve --upstream http"));
  const auto serve_help = parse({"serve", "--help"});
  ASSERT_FALSE(serve_help);
  EXPECT_EQ(serve_help.error().status, 0);
  EXPECT_THAT(serve_help.error().text, HasSubstr("--dev-reorg-every"));
  const auto version = parse({"--version"});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().status, 0);
  EXPECT_THAT(version.error().text, testing::StartsWith("fanfare " FANFARE_VERSION "\n"));
}

TEST(Arguments, WrongUseLeavesWithTwoAndSaysWhy) {
  struct Case {
    std::vector<const char*> words;
    const char* says;
  };
  for (const Case& one : {
           Case{{}, "fanfare serve --upstream"},
           Case{{"srve"}, "srve"},
           Case{{"serve", "--upsteam", "http://a"}, "--upsteam"},
           Case{{"serve", "--http-port", "65536"}, "65536"},
           Case{{"serve", "--http-port", "-1"}, "-1"},
           Case{{"serve", "--http-port", "web"}, "web"},
           Case{{"serve", "--chain-id", "0"}, "0"},
           Case{{"serve", "--threads", "0"}, "0"},
           Case{{"serve", "--config"}, "--config"},
           Case{{"serve", "extra"}, "extra"},
           Case{{"bench"}, "URL"},
           Case{{"bench", "ws://a", "-c", "0"}, "0"},
           Case{{"bench", "ws://a", "--rate", "0"}, "0"},
           Case{{"bench", "ws://a", "--deflate", "much"}, "much"},
           Case{{"bench", "ws://a", "--loop", "kqueue"}, "kqueue"},
           Case{{"check"}, "FILE"},
           Case{{"check", "a", "b"}, "b"},
           Case{{"check", "a", "--web-dir", "b", "--no-web"}, "--no-web"},
           Case{{"serve", "check", "a"}, "check"},
       }) {
    const auto command = parse(one.words);
    ASSERT_FALSE(command) << one.says;
    EXPECT_EQ(command.error().status, 2) << one.says;
    EXPECT_THAT(command.error().text, HasSubstr(one.says));
    EXPECT_THAT(command.error().text, HasSubstr("--help"));
  }
}

TEST(Arguments, EveryFlagOfConnect) {
  const auto command =
      parse({"connect", "-x",         "one",          "-x",        "two",         "--wait",   "2s",
             "-n",      "3",          "-b",           "-v",        "--reconnect", "-H",       "A: b",
             "-s",      "chat",       "-o",           "https://o", "--proxy",     "http://p", "--ca-file",
             "ca.pem",  "--insecure", "--no-deflate", "ws://h"});
  ASSERT_TRUE(command) << command.error().text;
  const auto& connect = std::get<ConnectArguments>(*command);
  EXPECT_EQ(connect.url, "ws://h");
  EXPECT_EQ(connect.texts, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(connect.wait, "2s");
  EXPECT_EQ(connect.count, 3U);
  EXPECT_TRUE(connect.binary && connect.verbose && connect.reconnect && connect.insecure &&
              connect.no_deflate);
  EXPECT_EQ(connect.headers, std::vector<std::string>{"A: b"});
  EXPECT_EQ(connect.subprotocols, std::vector<std::string>{"chat"});
  EXPECT_EQ(connect.origin, "https://o");
  EXPECT_EQ(connect.proxy, "http://p");
  EXPECT_EQ(connect.ca_file, "ca.pem");

  EXPECT_EQ(parse({"connect"}).error().status, 2);
  EXPECT_EQ(parse({"connect", "--help"}).error().status, 0);
}

TEST(Arguments, HelpFitsATerminal) {
  for (const char* command : {"serve", "check", "connect", "bench"}) {
    const std::array<const char*, 3> arguments{"fanfare", command, "--help"};
    const auto help = parse_arguments(static_cast<int>(arguments.size()), arguments.data());
    ASSERT_FALSE(help);
    std::istringstream lines(help.error().text);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), kHelpColumns) << command << ": " << line;
    }
  }
}

}  // namespace
}  // namespace fanfare::app
