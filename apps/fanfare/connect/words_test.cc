#include "connect/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ws/rules.h"

namespace fanfare::app {
namespace {

using testing::HasSubstr;

TEST(ConnectWords, TextIsAMessage) {
  EXPECT_EQ(std::get<SendText>(*read_prompt_line("hello /quit", false)).text, "hello /quit");
  EXPECT_EQ(std::get<SendText>(*read_prompt_line("//path", false)).text, "/path");
  EXPECT_EQ(std::get<SendText>(*read_prompt_line("00ff", false)).text, "00ff");
}

TEST(ConnectWords, BinaryIsHex) {
  EXPECT_EQ(std::get<SendBinary>(*read_prompt_line("00 fF 7a", true)).bytes, std::string("\0\xFFz", 3));
  EXPECT_EQ(std::get<SendBinary>(*read_prompt_line("0x41", true)).bytes, "A");
  EXPECT_THAT(read_prompt_line("0g", true).error(), HasSubstr("'g'"));
  EXPECT_THAT(read_prompt_line("abc", true).error(), HasSubstr("two hexadecimal digits"));
  EXPECT_FALSE(from_hex("a b"));
}

TEST(ConnectWords, Commands) {
  EXPECT_EQ(std::get<SendPing>(*read_prompt_line("/ping", false)).payload, "");
  EXPECT_EQ(std::get<SendPing>(*read_prompt_line("/ping are you there", true)).payload, "are you there");
  EXPECT_EQ(std::get<CloseWith>(*read_prompt_line("/quit", false)).code, 1000);
  EXPECT_EQ(std::get<CloseWith>(*read_prompt_line("/close", false)).code, 1000);
  const auto close = std::get<CloseWith>(*read_prompt_line("/close 4001  see you", false));
  EXPECT_EQ(close.code, 4001);
  EXPECT_EQ(close.reason, "see you");
  EXPECT_TRUE(std::holds_alternative<ShowHelp>(*read_prompt_line("/help", false)));
}

TEST(ConnectWords, WrongCommandsSayWhatIsRight) {
  EXPECT_THAT(read_prompt_line("/qiut", false).error(), HasSubstr("/help"));
  EXPECT_THAT(read_prompt_line("/close now", false).error(), HasSubstr("'now' is not a code"));
  EXPECT_FALSE(read_prompt_line("/close 70000", false));
}

TEST(ConnectWords, HexThereAndBack) {
  const std::string bytes("\x00\x0F\xF0\xFF", 4);
  EXPECT_EQ(to_hex(as_bytes(bytes)), "000ff0ff");
  EXPECT_EQ(*from_hex("000ff0ff"), bytes);
}

TEST(ConnectWords, APeerCannotSteerTheTerminal) {
  EXPECT_EQ(printable("a\x1B]0;title\x07z\x7F\tb\n"), "a\\x1b]0;title\\x07z\\x7f\tb\n");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\x9b31m");
  EXPECT_EQ(printable("gr\xC3\xBC\xC3\x9F"
                      "e \xC2\xA9"),
            "gr\xC3\xBC\xC3\x9F"
            "e \xC2\xA9");
}

TEST(ConnectWords, AnEndIsToldInWords) {
  using session::Cause;
  EXPECT_EQ(
      ending_text({.cause = Cause::peer_closed, .code = 1012, .reason = "re\x07start", .broken_rule = {}}),
      "closed by the server, code 1012 re\\x07start");
  EXPECT_EQ(ending_text({.cause = Cause::we_closed, .code = 1000, .reason = {}, .broken_rule = {}}),
            "closed by us, code 1000");
  EXPECT_EQ(ending_text({.cause = Cause::connection_lost, .code = 1006, .reason = {}, .broken_rule = {}}),
            "the connection was lost, code 1006");
  EXPECT_EQ(ending_text({.cause = Cause::rule_broken,
                         .code = 1002,
                         .reason = {},
                         .broken_rule = ws::Rule::handshake_accept_wrong}),
            "the server broke a rule: Sec-WebSocket-Accept answers the key that was sent, code 1002");
}

}  // namespace
}  // namespace fanfare::app
