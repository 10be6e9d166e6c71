#include "connect/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "connect/screen.h"

namespace fanfare::app {
namespace {

using testing::HasSubstr;

TEST(Connect, FlagsBecomeOptions) {
  ConnectArguments arguments;
  arguments.url = "wss://a/";
  arguments.headers = {"X-One: 1", "X-Two:two: three"};
  arguments.subprotocols = {"chat"};
  arguments.insecure = true;
  arguments.no_deflate = true;
  const auto options = client_options_of(arguments);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->url, "wss://a/");
  ASSERT_EQ(options->headers.size(), 2U);
  EXPECT_EQ(options->headers[0].value, "1");
  EXPECT_EQ(options->headers[1].name, "X-Two");
  EXPECT_EQ(options->headers[1].value, "two: three");
  EXPECT_EQ(options->subprotocols.front(), "chat");
  EXPECT_FALSE(options->tls.verify);
  EXPECT_FALSE(options->deflate.enabled);
  EXPECT_FALSE(options->reconnect.enabled);

  arguments.headers = {"no colon"};
  EXPECT_THAT(client_options_of(arguments).error(), HasSubstr("'Name: value'"));
}

TEST(Connect, WrongFlagsSayWhatWasExpected) {
  ConnectArguments arguments;
  arguments.url = "127.0.0.1:8546";
  std::ostringstream complaints;
  EXPECT_EQ(run_connect(arguments, complaints, complaints), kConnectUsage);
  EXPECT_THAT(complaints.str(), HasSubstr("missing scheme (expected ws, wss or ws+unix)"));
  arguments.wait = "5";
  EXPECT_EQ(run_connect(arguments, complaints, complaints), kConnectUsage);
  EXPECT_THAT(complaints.str(), HasSubstr("--wait is a number without a unit (\"5\"), expected a duration"));
}

TEST(Connect, StatusSaysHowItEnded) {
  using session::Cause;
  EXPECT_EQ(status_of({.cause = Cause::we_closed, .code = 4001, .reason = {}, .broken_rule = {}}),
            kConnectDone);
  EXPECT_EQ(status_of({.cause = Cause::peer_closed, .code = 1000, .reason = {}, .broken_rule = {}}),
            kConnectDone);
  EXPECT_EQ(status_of({.cause = Cause::peer_closed, .code = 1005, .reason = {}, .broken_rule = {}}),
            kConnectDone);
  EXPECT_EQ(status_of({.cause = Cause::peer_closed, .code = 1001, .reason = {}, .broken_rule = {}}),
            kConnectLost);
  EXPECT_EQ(status_of({.cause = Cause::connection_lost, .code = 1006, .reason = {}, .broken_rule = {}}),
            kConnectLost);
}

TEST(Connect, WrongFlagsAreToldBeforeAnythingIsOpened) {
  std::ostringstream out;
  std::ostringstream complaints;
  ConnectArguments arguments;
  arguments.url = "ws://127.0.0.1:1/";
  arguments.wait = "soon";
  EXPECT_EQ(run_connect(arguments, out, complaints), kConnectUsage);
  EXPECT_THAT(complaints.str(), HasSubstr("--wait"));
  arguments.wait.reset();
  arguments.binary = true;
  arguments.texts = {"0x0"};
  EXPECT_EQ(run_connect(arguments, out, complaints), kConnectUsage);
  EXPECT_THAT(complaints.str(), HasSubstr("-x '0x0'"));
  arguments.binary = false;
  arguments.url = "nonsense";
  EXPECT_EQ(run_connect(arguments, out, complaints), kConnectUsage);
  EXPECT_EQ(out.str(), "");
}

TEST(ConnectScreen, ScriptsGetTheBytesAndPeopleSeeThem) {
  std::ostringstream out;
  std::ostringstream complaints;
  Screen script(out, complaints, {});
  script.message("a\x1B[1mb");
  script.binary_message(as_bytes("\x01z"));
  script.notice("closed");
  EXPECT_EQ(out.str(), "a\x1B[1mb\n017a\n");
  EXPECT_EQ(complaints.str(), "fanfare connect: closed\n");

  std::ostringstream plain;
  Screen person(plain, plain, {.prompt = true, .colours = false, .terminal = -1});
  person.message("a\x1B[1mb");
  EXPECT_THAT(plain.str(), HasSubstr("< a\\x1b[1mb\n"));
  Screen coloured(plain, plain, {.prompt = true, .colours = true, .terminal = -1});
  coloured.message("hi");
  EXPECT_THAT(plain.str(), HasSubstr("\x1B[32m< \x1B[0mhi\x1B[0m\n"));
}

constexpr std::string_view kHead =
    R"({"method":"eth_subscription","params":{"subscription":"0x1","result":{"number":"0x4b4","hash":"0x2",)"
    R"("parentHash":"0x3"}}})";

TEST(ConnectScreen, ATerminalWithoutAPromptGetsReadableMessages) {
  std::ostringstream out;
  Screen plain(out, out, {.readable = true});
  plain.message(kHead);
  plain.message("a\x1B[1mb");
  EXPECT_EQ(out.str(), "head 1204  0x2\na\\x1b[1mb\n");

  std::ostringstream bright;
  Screen coloured(bright, bright, {.colours = true, .readable = true});
  coloured.message("[1]");
  coloured.notice("closed");
  EXPECT_EQ(bright.str(), "[\x1B[33m1\x1B[0m]\x1B[0m\nfanfare connect: closed\n");
}

TEST(ConnectScreen, HeadsAreWholeForScriptsAndOnRequest) {
  std::ostringstream out;
  Screen script(out, out, {});
  script.message(kHead);
  Screen whole(out, out, {.readable = true, .whole = true});
  whole.message(kHead);
  EXPECT_EQ(out.str(), std::string(kHead) + "\n" + std::string(kHead) + "\n");
}

}  // namespace
}  // namespace fanfare::app
