// Tables, requests and the view of `fanfare admin` and `fanfare top`.

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "admin/client.h"
#include "admin/command.h"
#include "admin/table.h"
#include "admin/top.h"
#include "arguments.h"

namespace fanfare::app {
namespace {

template <typename Arguments>
Arguments parsed(std::vector<const char*> words) {
  words.insert(words.begin(), "fanfare");
  const auto command = parse_arguments(static_cast<int>(words.size()), words.data());
  EXPECT_TRUE(command) << command.error().text;
  if (!command || !std::holds_alternative<Arguments>(*command)) return {};
  return std::get<Arguments>(*command);
}

TEST(AdminArguments, AreRead) {
  const auto list = parsed<AdminArguments>({"admin", "connections", "--network", "main/1", "--sort", "behind",
                                            "--limit", "10", "--socket", "/run/a.sock", "--json"});
  EXPECT_EQ(list.command, "connections");
  EXPECT_EQ(list.to.address, "/run/a.sock");
  EXPECT_TRUE(list.json);
  EXPECT_EQ(filter_query(list), "?network=main%2F1&sort=behind");
  EXPECT_EQ(list.limit, 10U);
  const auto close =
      parsed<AdminArguments>({"admin", "close", "0-1-2", "0-3-4", "--code", "1008", "--reason", "no"});
  EXPECT_EQ(close.command, "close");
  EXPECT_EQ(close.ids, (std::vector<std::string>{"0-1-2", "0-3-4"}));
  EXPECT_EQ(close.code, 1008U);
  EXPECT_EQ(parsed<AdminArguments>({"admin", "drain", "--spread", "2m"}).spread_s, 120);
  EXPECT_EQ(parsed<AdminArguments>({"admin", "drain", "--spread", "5s"}).spread_s, 5);
  EXPECT_EQ(parsed<AdminArguments>({"admin", "disable", "main/1/a", "--force"}).upstream, "main/1/a");
  EXPECT_TRUE(parsed<TopArguments>({"top", "--once"}).once);
  for (const char* const no_number : {"nan", "NAN", "-nan(1)"}) {
    const std::vector<const char*> words{"fanfare", "top", "--interval", no_number};
    EXPECT_FALSE(parse_arguments(static_cast<int>(words.size()), words.data())) << no_number;
  }
  EXPECT_EQ(parsed<AdminArguments>({"drain", "--spread", "5s"}).command, "drain");
  EXPECT_EQ(parsed<AdminArguments>({"drain", "--spread", "5s"}).spread_s, 5);
  const auto upgrade = parsed<AdminArguments>({"upgrade", "--socket", "/run/a.sock"});
  EXPECT_EQ(upgrade.command, "upgrade");
  EXPECT_EQ(upgrade.to.address, "/run/a.sock");
  EXPECT_EQ(parsed<AdminArguments>({"upgrade", "--pid", "4711"}).pid, 4711);
}

TEST(AdminTable, AlignsAndCuts) {
  const std::vector<Column> columns{
      {"NAME", "name", Show::text, 6}, {"COUNT", "count", Show::number}, {"OK", "ok", Show::yes_no}};
  EXPECT_EQ(
      table_lines(
          R"([{"name":"a","count":5,"ok":true},{"name":"long name","count":1234567,"ok":false},{"name":"","count":null}])",
          columns),
      (std::vector<std::string>{"NAME      COUNT  OK", "a             5  yes", "lon...  1234567  no",
                                "-             -  -"}));
}

// A client chooses its User-Agent, and must not command the operator's terminal.
TEST(AdminTable, ControlCharactersAreNotPrinted) {
  EXPECT_EQ(line_text("a\033[2Jb\nc\x7f"), "a?[2Jb?c?");
  EXPECT_EQ(line_text("\xc2\x9b"
                      "2J"),
            "?2J")
      << "the one-byte CSI, in UTF-8";
  EXPECT_EQ(line_text("\xc2\xa9 \xe2\x82\xac"), "\xc2\xa9 \xe2\x82\xac");
  EXPECT_EQ(line_text("a\u202eb\u2066c\u200bd\u061ce\ufefff\U000e0041g"), "a?b?c?d?e?f?g")
      << "reordered and hidden text";
  EXPECT_EQ(line_text("\u2010\u2030\xe2\x80"), "\u2010\u2030\xe2\x80");
  EXPECT_EQ(shown(R"({"a":"\u001b[2J"})", {"A", "a"}), "?[2J");
  EXPECT_EQ(problem_text(R"({"detail":"no","value":"\u001b[2J"})"), "no (?[2J)");
}

TEST(AdminTable, NumbersForPeople) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(12'300), "12.3k");
  EXPECT_EQ(seconds_text(0.25), "0.2s");
  EXPECT_EQ(seconds_text(59), "59s");
  EXPECT_EQ(seconds_text(61), "1m01s");
  EXPECT_EQ(seconds_text(3720), "1h02m");
  EXPECT_EQ(seconds_text(90'000), "1d01h");
  EXPECT_EQ(fitted("\xe2\x82\xac\xe2\x82\xac", 1), "\xe2\x82\xac");
  EXPECT_EQ(fitted("ab", 4), "ab  ");
}

TEST(AdminClient, SaysThatTheServerCannotBeReached) {
  AdminArguments arguments;
  arguments.to.address = "/nonexistent/fanfare.sock";
  arguments.command = "status";
  std::ostringstream out;
  std::ostringstream complaints;
  EXPECT_EQ(run_admin(arguments, out, complaints), 1);
  EXPECT_TRUE(complaints.str().contains("/nonexistent/fanfare.sock")) << complaints.str();
  EXPECT_EQ(out.str(), "");
  TopArguments top;
  top.to.address = arguments.to.address;
  top.once = true;
  EXPECT_EQ(run_top(top, out, complaints), 1);
  arguments.command = "close";
  EXPECT_EQ(run_admin(arguments, out, complaints), 2) << "neither ids nor a filter";
}

TEST(AdminClient, SaysThatAPathIsTooLong) {
  const std::string longest(107, 'x');
  EXPECT_EQ(AdminClient({.address = longest}).request("GET", "/").error().find("expected the path"),
            std::string::npos);
  EXPECT_EQ(AdminClient({.address = longest + "x"}).request("GET", "/").error(),
            "the path \"" + longest + "x\" has 108 bytes, expected the path of a Unix socket, at most 107");
}

TEST(AdminClient, ProblemsArePrintedWithTheirErrors) {
  EXPECT_EQ(problem_text(R"({"detail":"nothing was changed","errors":["a:1:2: x","a:3:4: y"]})"
                         "\n"),
            "nothing was changed\n  a:1:2: x\n  a:3:4: y");
  EXPECT_EQ(problem_text("plain\n"), "plain");
  EXPECT_EQ(url_escaped("a/b c*"), "a%2Fb%20c%2A");
}

TopSample sample(int received, const std::string& drain) {
  return {
      .status =
          R"({"version":"0.1.0","uptime_s":61,"loops":2,"loop_kind":"epoll","connections":3,"memory_bytes":1048576,)"
          R"("messages_received":)" +
          std::to_string(received) + R"(,"messages_sent":0,"log_level":"info","drain":{"state":")" + drain +
          R"(","since_s":1,"closed":2,"open":1}})",
      .networks =
          R"({"networks":[{"name":"main/1","ready":true,"head":7,"subscriptions":4,"requests":0,"notifications":0,)"
          R"("upstreams":[{"name":"node-a","network":"main/1","used":false,"reason":"disabled by the operator"}]}]})",
      .streams = R"({"streams":[]})",
      .rooms = R"({"rooms":[]})",
      .connections =
          R"({"connections":[{"id":"0-1-2","address":"127.0.0.1:9","user_agent":"\u001b[31m"}],"matched":1})"};
}

TEST(Top, ShowsRatesProblemsAndConnections) {
  const TopSample before = sample(100, "off");
  const TopSample now = sample(300, "draining");
  const auto lines = top_lines(now, &before, {.address = "here", .sort = "behind", .seconds = 2});
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  EXPECT_TRUE(all.contains("messages in 100/s")) << all;
  EXPECT_TRUE(all.contains("subscriptions 4")) << all;
  EXPECT_TRUE(all.contains("disabled by the operator")) << all;
  EXPECT_TRUE(all.contains("DRAIN: draining")) << all;
  EXPECT_TRUE(all.contains("0-1-2")) << all;
  EXPECT_FALSE(all.contains('\033')) << all;
  EXPECT_TRUE(top_lines(now, nullptr, {.sort = "age"})[1].contains("messages in -")) << "no rates at first";
}

TEST(Top, FitsTheTerminal) {
  const TopSample now = sample(1, "off");
  const auto lines =
      top_lines(now, nullptr, {.address = std::string(200, 'x'), .sort = "age", .columns = 40, .rows = 4});
  EXPECT_EQ(lines.size(), 4U);
  for (const std::string& line : lines) EXPECT_LE(width_of(line), 40U);
}

}  // namespace
}  // namespace fanfare::app
