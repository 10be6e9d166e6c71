#include "http/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace fanfare::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Fields = std::vector<HeaderField>;

std::vector<std::string> sent(const Answer& answer) {
  std::vector<std::string> lines;
  for (const HeaderField& field : answer.headers) {
    lines.push_back(std::string(field.name) + ": " + std::string(field.value));
  }
  return lines;
}

std::vector<std::string> left_out(const Answer& answer) {
  std::vector<std::string> lines;
  for (const Answer::LeftOut& one : answer.left_out) {
    lines.push_back(std::string(one.name) + " " + std::string(name_of(one.reason)));
  }
  return lines;
}

TEST(Answer, GoesOutAsGiven) {
  const Fields fields{{"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}, {"X-Odd", "\tcaf\xC3\xA9"}};
  const Answer answer =
      checked_answer({.content_type = "text/html", .headers = fields, .body = as_bytes("b")});
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(sent(answer), ElementsAre("Content-Type: text/html", "Set-Cookie: a=1", "Set-Cookie: b=2",
                                        "X-Odd: \tcaf\xC3\xA9"));
  EXPECT_THAT(left_out(answer), IsEmpty());
  EXPECT_EQ(answer.explanation, "");
}

TEST(Answer, TheEngineFramesTheMessage_RFC9112_6) {
  const Fields fields{{"Content-Length", "999"},
                      {"transfer-encoding", "chunked"},
                      {"Trailer", "X"},
                      {"CONNECTION", "upgrade"},
                      {"Keep-Alive", "timeout=5"},
                      {"Proxy-Connection", "close"},
                      {"TE", "trailers"},
                      {"Date", "never"},
                      {"Upgrade", "h2c"},
                      {"Allow", "GET"}};
  const Answer answer = checked_answer({.headers = fields});
  EXPECT_THAT(sent(answer), ElementsAre("Allow: GET"));
  EXPECT_THAT(left_out(answer),
              ElementsAre("Content-Length written_by_engine", "transfer-encoding written_by_engine",
                          "Trailer written_by_engine", "CONNECTION written_by_engine",
                          "Keep-Alive written_by_engine", "Proxy-Connection written_by_engine",
                          "TE written_by_engine", "Date written_by_engine", "Upgrade written_by_engine"));
}

TEST(Answer, OnlyA426NamesAProtocol_RFC9110_15_5_22) {
  const Fields fields{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}};
  EXPECT_THAT(sent(checked_answer({.status = 426, .headers = fields})), ElementsAre("Upgrade: websocket"));
  EXPECT_THAT(sent(checked_answer({.status = 400, .headers = fields})), IsEmpty());
}

TEST(Answer, HasOneContentType_RFC9110_8_3) {
  const Fields html{{"X", "y"}, {"content-type", "text/html"}, {"Content-Type", "text/css"}};
  const Answer replaced = checked_answer({.content_type = "text/plain", .headers = html});
  EXPECT_THAT(sent(replaced), ElementsAre("Content-Type: text/html", "X: y"));
  EXPECT_THAT(left_out(replaced), ElementsAre("Content-Type repeated"));
  EXPECT_THAT(sent(checked_answer({.headers = html})), ElementsAre("Content-Type: text/html", "X: y"));

  const Fields split{{"Content-Type", "text/html\r\nX: y"}};
  const Answer kept = checked_answer({.content_type = "text/plain", .headers = split});
  EXPECT_THAT(sent(kept), ElementsAre("Content-Type: text/plain"));
  EXPECT_THAT(left_out(kept), ElementsAre("Content-Type malformed_value"));
}

TEST(Answer, FieldsCannotBreakTheHead_RFC9110_5_5) {
  const Fields fields{{"X-A", "1\r\nX-B: 2"},
                      {"X-C", "1\n2"},
                      {"X-D", std::string_view("a\0b", 3)},
                      {"X-E", "\x7F"},
                      {"X F", "y"},
                      {"", "y"},
                      {"X:", "y"},
                      {"X\r\nY", "z"},
                      {"Content-Length ", "999"},
                      {"\xC3\xA9", "y"}};
  const Answer answer = checked_answer({.content_type = "text/html\r\nX-Evil: 1", .headers = fields});
  EXPECT_THAT(sent(answer), IsEmpty());
  EXPECT_THAT(left_out(answer),
              ElementsAre("Content-Type malformed_value", "X-A malformed_value", "X-C malformed_value",
                          "X-D malformed_value", "X-E malformed_value", "X F malformed_name",
                          " malformed_name", "X: malformed_name", "X\r\nY malformed_name",
                          "Content-Length  malformed_name", "\xC3\xA9 malformed_name"));
}

TEST(Answer, StatusesThatNoAnswerHas_RFC9110_15) {
  for (const int status : {-1, 0, 99, 100, 101, 103, 199, 600, 999, 1000, 70000}) {
    const Fields fields{{"X", "y"}};
    const Answer answer = checked_answer({.status = status, .headers = fields, .body = as_bytes("b")});
    EXPECT_EQ(answer.status, 500) << status;
    EXPECT_EQ(answer.explanation,
              "an answer cannot have the status " + std::to_string(status) + " (expected 200 to 599)\n");
    EXPECT_THAT(sent(answer), ElementsAre("Content-Type: text/plain; charset=utf-8"));
  }
  for (const int status : {200, 204, 299, 304, 418, 599})
    EXPECT_EQ(checked_answer({.status = status}).status, status);
}

TEST(Answer, StatusesWithoutABody_RFC9110_15_3_5) {
  for (const int status : {204, 205, 304}) {
    const Answer bare = checked_answer({.status = status, .content_type = "text/plain"});
    EXPECT_EQ(bare.status, status);
    EXPECT_THAT(sent(bare), IsEmpty()) << "nothing is there that could have a type";
    const Answer full =
        checked_answer({.status = status, .content_type = "text/plain", .body = as_bytes("b")});
    EXPECT_EQ(full.status, 500);
    EXPECT_EQ(full.explanation, "an answer with the status " + std::to_string(status) + " has no body\n");
  }
}

}  // namespace
}  // namespace fanfare::http
