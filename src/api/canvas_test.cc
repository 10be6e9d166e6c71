// The canvas of a program, on both loops: options, who is admitted, and the hook for proofs.
#include "fanfare/canvas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "api/raw_client_for_tests.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::HasSubstr;
using testing::StartsWith;

class PublicCanvasTest : public testing::TestWithParam<LoopKind> {
 protected:
  ServerOptions options() const { return {.port = 0, .threads = 2, .loop = GetParam()}; }
};

// The next message of this type.
std::string next(RawClient& client, std::string_view type) {
  for (int i = 0; i < 20; ++i) {
    std::string message = client.receive();
    if (message.starts_with(R"({"type":")" + std::string(type) + "\"")) return message;
  }
  return "none";
}

// Until the state is complete.
void open(RawClient& client, std::string_view path = "/canvas/main", std::string_view headers = "") {
  client.upgrade(path, headers);
  EXPECT_THAT(client.receive(), StartsWith(R"({"type":"welcome")"));
  EXPECT_THAT(next(client, "canvas_state"), HasSubstr(R"("complete":true)"));
}

TEST_P(PublicCanvasTest, AProgramHasACanvasInThreeLines) {
  Server server(options());
  const Canvas canvas(server);
  ASSERT_TRUE(canvas.add({.width = 50, .height = 20}));
  ASSERT_TRUE(server.start());
  RawClient first(server.port());
  RawClient second(server.port());
  open(first);
  open(second);
  first.send(R"({"type":"pixel_update","x":49,"y":19,"color":"#aabbcc"})");
  EXPECT_THAT(next(second, "pixel_changed"), HasSubstr(R"("x":49,"y":19,"color":"#aabbcc")"));
  EXPECT_THAT(RawClient(server.port()).request("GET", "/canvas/main/info"),
              HasSubstr(R"("width":50,"height":20)"));
  EXPECT_THAT(RawClient(server.port()).request("GET", "/canvas/other/info"), StartsWith("HTTP/1.1 404 "));
}

TEST_P(PublicCanvasTest, AProgramDecidesWhoMayDoWhat) {
  Server server(options());
  const Canvas canvas(server, {.admit = [](const Request& request) -> std::optional<CanvasVisitor> {
                        const auto name = request.query_parameter("who");
                        if (!name) return std::nullopt;
                        return CanvasVisitor{.identity = std::string(*name), .draws = *name == "anna"};
                      }});
  ASSERT_TRUE(canvas.add());
  ASSERT_TRUE(server.start());
  EXPECT_THAT(RawClient(server.port()).request("GET", "/canvas/main/info"), StartsWith("HTTP/1.1 404 "));
  RawClient viewer(server.port());
  open(viewer, "/canvas/main?who=bob");
  viewer.send(R"({"type":"pixel_update","x":1,"y":1,"color":"#aabbcc"})");
  EXPECT_THAT(next(viewer, "error"), HasSubstr("not_permitted"));
  RawClient drawer(server.port());
  open(drawer, "/canvas/main?who=anna");
  drawer.send(R"({"type":"pixel_update","x":1,"y":1,"color":"#aabbcc"})");
  EXPECT_THAT(next(viewer, "pixel_changed"), HasSubstr("aabbcc"));
}

TEST_P(PublicCanvasTest, AHookWantsAProof) {
  Server server(options());
  const Canvas canvas(server);
  ASSERT_TRUE(canvas.add({.check = [](const CanvasDraw& draw) -> std::optional<std::string> {
    if (draw.proof == R"("throw")") throw std::runtime_error("a bug of the program");
    if (draw.proof == "42" && draw.user == 1 && draw.pixels.size() == 1) return std::nullopt;
    return "the answer";
  }}));
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  open(client);
  client.send(R"({"type":"pixel_update","x":1,"y":1,"color":"#aabbcc"})");
  EXPECT_THAT(next(client, "error"), testing::AllOf(HasSubstr("proof_required"), HasSubstr("the answer")));
  client.send(R"({"type":"pixel_update","x":1,"y":1,"color":"#aabbcc","proof":"throw"})");
  EXPECT_THAT(next(client, "error"), HasSubstr("proof_required"));
  client.send(R"({"type":"pixel_update","x":1,"y":1,"color":"#aabbcc","proof":42,"id":1})");
  EXPECT_THAT(next(client, "ok"), HasSubstr(R"("id":1)"));
}

TEST_P(PublicCanvasTest, AnExceptionOfAdmitIsANotFound) {
  Server server(options());
  const Canvas canvas(server, {.admit = [](const Request&) -> std::optional<CanvasVisitor> {
                        throw std::runtime_error("a bug of the program");
                      }});
  ASSERT_TRUE(canvas.add());
  ASSERT_TRUE(server.start());
  EXPECT_THAT(RawClient(server.port()).request("GET", "/canvas/main/info"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(RawClient(server.port()).upgrade("/canvas/main"), StartsWith("HTTP/1.1 404 "));
}

TEST_P(PublicCanvasTest, AnotherPathAndItsOrigins) {
  Server server(options());
  const Canvas canvas(server, {.path = "/walls", .origins = {"https://art.example"}});
  ASSERT_TRUE(canvas.add({.name = "north"}));
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  open(client, "/walls/north", "Origin: https://art.example\r\n");
  EXPECT_THAT(RawClient(server.port()).upgrade("/walls/north", "Origin: https://other.example\r\n"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(RawClient(server.port()).request("GET", "/canvas/north/info"), StartsWith("HTTP/1.1 404 "));
}

TEST_P(PublicCanvasTest, TheServerEndsUnderPeopleWhoDraw) {
  Server server(options());
  const Canvas canvas(server);
  ASSERT_TRUE(canvas.add({.pixels_per_second = 1'000'000, .pixels_burst = 1'000'000}));
  ASSERT_TRUE(server.start());
  RawClient first(server.port());
  RawClient second(server.port());
  open(first);
  open(second);
  for (int i = 0; i < 50; ++i) {
    const std::string x = std::to_string(i);
    first.send(R"({"type":"pixel_update","x":)" + x + R"(,"y":3,"color":"#aabbcc"})");
    second.send(R"({"type":"pixel_update","x":)" + x + R"(,"y":4,"color":"#aabbcc"})");
  }
  // They do not answer the Close.
  server.stop({.deadline = std::chrono::milliseconds(20)});
  std::string last;
  for (std::string message = first.receive(); message != "EOF"; message = first.receive()) last = message;
  EXPECT_THAT(last, StartsWith("close 1012"));
}

TEST_P(PublicCanvasTest, WrongOptionsAreErrors) {
  Server server(options());
  const Canvas canvas(server);
  const auto problem = [&](CanvasRoom room) { return canvas.add(std::move(room)).error().message; };
  using std::chrono::milliseconds;
  EXPECT_THAT(problem({.tick = milliseconds(0)}), HasSubstr("CanvasRoom::tick: 1 ms to 1 s"));
  EXPECT_THAT(problem({.tick = milliseconds(200)}), HasSubstr("tick_max"));
  EXPECT_THAT(problem({.tick_max = milliseconds(10'001)}), HasSubstr("tick_max"));
  EXPECT_THAT(problem({.cooldown = milliseconds(-1)}), HasSubstr("cooldown"));
  EXPECT_THAT(problem({.pixels_per_second = 0}), HasSubstr("pixels_per_second"));
  EXPECT_THAT(problem({.pixels_burst = 60'000'001}), HasSubstr("pixels_burst"));
  EXPECT_THAT(problem({.users_max = 0}), HasSubstr("users_max"));
  EXPECT_THAT(problem({.chunks_max = 65'537}), HasSubstr("chunks_max"));
  EXPECT_THAT(problem({.chunks_per_minute = 65'537}), HasSubstr("chunks_per_minute:"));
  EXPECT_THAT(problem({.chunks_per_minute_per_address = 0}), HasSubstr("chunks_per_minute_per_address"));
  EXPECT_THAT(problem({.sync_interval = milliseconds(0)}), HasSubstr("sync_interval"));
  EXPECT_THAT(problem({.sync_full = true}), HasSubstr("sync_full"));
  EXPECT_THAT(problem({.history_bytes_max = 1000}), HasSubstr("history_bytes_max"));
  EXPECT_THAT(problem({.name = "a room"}), HasSubstr("a room"));
  EXPECT_THAT(problem({.palette = {1}}), HasSubstr("palette"));
  EXPECT_THAT(canvas.add({.file = "/tmp/x"}).error().message, HasSubstr("canvas_disk()"));
  EXPECT_EQ(canvas.add({.width = 0}).error().kind, Error::Kind::bad_option);
  EXPECT_TRUE(canvas.add());
  EXPECT_THAT(canvas.add().error().message, HasSubstr("already a room"));
  ASSERT_TRUE(server.start());
  EXPECT_THAT(canvas.add({.name = "late"}).error().message, HasSubstr("before Server::start()"));
}

INSTANTIATE_TEST_SUITE_P(Loops, PublicCanvasTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare
