#include "http/render.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "http/status.h"

namespace fanfare::http {
namespace {

class VectorOutput final : public Output {
 public:
  std::uint8_t* extend(std::size_t size) override {
    bytes_.resize(bytes_.size() + size);
    return bytes_.data() + bytes_.size() - size;
  }
  std::string text() const { return {bytes_.begin(), bytes_.end()}; }

 private:
  std::vector<std::uint8_t> bytes_;
};

std::string response(int status, Headers headers, std::string_view body, ResponseOptions options = {}) {
  VectorOutput out;
  render_response(out, status, headers, as_bytes(body), options);
  return out.text();
}

TEST(RenderResponse, WithABody) {
  const std::array<HeaderField, 1> headers{{{"Content-Type", "application/json"}}};
  EXPECT_EQ(response(200, headers, "{}", {.date = "Sun, 06 Nov 1994 08:49:37 GMT"}),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\n\r\n{}");
}

TEST(RenderResponse, ConnectionHeader_RFC9112_9_6) {
  EXPECT_EQ(response(503, {}, "", {.keep_alive = false}),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(response(200, {}, "", {.version_minor = 0}),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST(RenderResponse, ConnectionNamesUpgradeWhereItIsSent_RFC9110_7_8) {
  const std::array<HeaderField, 1> upgrade{{{"Upgrade", "websocket"}}};
  EXPECT_EQ(response(426, upgrade, ""),
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\nConnection: "
            "Upgrade\r\n\r\n");
  EXPECT_EQ(response(426, upgrade, "", {.keep_alive = false}),
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n"
            "Connection: Upgrade, close\r\n\r\n");
}

TEST(RenderResponse, NoLengthWhereThereIsNoBody_RFC9110_8_6) {
  const std::array<HeaderField, 1> upgrade{{{"Upgrade", "websocket"}}};
  EXPECT_EQ(response(101, upgrade, ""),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  EXPECT_EQ(response(204, {}, "ignored"), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(response(304, {}, ""), "HTTP/1.1 304 Not Modified\r\n\r\n");
}

TEST(RenderResponse, HeadGetsTheLengthOnly_RFC9110_9_3_2) {
  EXPECT_EQ(response(200, {}, "12345", {.head_only = true}), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
}

TEST(RenderResponse, AFieldCannotSplitTheMessage_RFC9110_5_5) {
  const std::array<HeaderField, 4> headers{
      {{"X", "a\r\nSet-Cookie: b"}, {"Y\r\nZ", "a"}, {"W", std::string_view("a\0b", 3)}, {"Good", "yes"}}};
  EXPECT_EQ(response(404, headers, ""), "HTTP/1.1 404 Not Found\r\nGood: yes\r\nContent-Length: 0\r\n\r\n");
}

std::string head(BodyFraming framing, std::uint64_t length, ResponseOptions options = {}) {
  VectorOutput out;
  const std::array<HeaderField, 1> headers{{{"X-A", "b"}}};
  render_response_head(out, 200, headers, framing, length, options);
  return out.text();
}

TEST(RenderResponseHead, SaysHowTheBodyEnds_RFC9112_6_3) {
  EXPECT_EQ(head(BodyFraming::counted, 70000), "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 70000\r\n\r\n");
  EXPECT_EQ(head(BodyFraming::chunked, 0), "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(head(BodyFraming::until_the_close, 0, {.keep_alive = false}),
            "HTTP/1.1 200 OK\r\nX-A: b\r\nConnection: close\r\n\r\n");
}

TEST(RenderChunk, SizeInHexAroundTheData_RFC9112_7_1) {
  VectorOutput out;
  render_chunk(out, as_bytes("a"));
  render_chunk(out, as_bytes(std::string(0x1f, 'x')));
  render_last_chunk(out);
  EXPECT_EQ(out.text(), "1\r\na\r\n1f\r\n" + std::string(0x1f, 'x') + "\r\n0\r\n\r\n");
}

TEST(RenderRequest, ForClients) {
  const std::array<HeaderField, 1> headers{{{"Host", "a:81"}}};
  VectorOutput get;
  render_request(get, "GET", "/x?y", headers);
  EXPECT_EQ(get.text(), "GET /x?y HTTP/1.1\r\nHost: a:81\r\n\r\n");
  VectorOutput post;
  render_request(post, "POST", "/", headers, as_bytes("{}"));
  EXPECT_EQ(post.text(), "POST / HTTP/1.1\r\nHost: a:81\r\nContent-Length: 2\r\n\r\n{}");
  VectorOutput empty;
  render_request(empty, "POST", "/", headers);
  EXPECT_EQ(empty.text(), "POST / HTTP/1.1\r\nHost: a:81\r\nContent-Length: 0\r\n\r\n");
}

TEST(Render, Continue_RFC9110_15_2_1) {
  VectorOutput out;
  render_continue(out);
  EXPECT_EQ(out.text(), "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST(Render, Dates_RFC9110_5_6_7) {
  const auto at = [](std::int64_t seconds) { return format_date(WallTime(std::chrono::seconds(seconds))); };
  EXPECT_EQ(at(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(at(951827696), "Tue, 29 Feb 2000 12:34:56 GMT");
  EXPECT_EQ(at(4107542399), "Sun, 28 Feb 2100 23:59:59 GMT");
}

TEST(Render, ADateIsMadeOnceASecond_RFC9110_5_6_7) {
  DateText text;
  const auto of = [&](std::int64_t ms) { return text.of(WallTime(std::chrono::milliseconds(ms))); };
  const std::string_view first = of(784111777000);
  EXPECT_EQ(first, "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(of(784111777999).data(), first.data());
  EXPECT_EQ(of(784111778000), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(of(784111777999), "Sun, 06 Nov 1994 08:49:37 GMT");  // the clock went back
  EXPECT_EQ(DateText().of(WallTime()), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(Status, Phrases) {
  EXPECT_EQ(status_phrase(426), "Upgrade Required");
  EXPECT_EQ(status_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(status_phrase(599), "Unknown");
}

}  // namespace
}  // namespace fanfare::http
