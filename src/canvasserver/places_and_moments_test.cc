// The canvas over real connections, on both loops: what clients get of an area and of the past. canvasserver_test.cc says
// with which loops.
#include <string>
#include <vector>

#include "canvasserver/server_for_tests.h"

namespace fanfare::canvasserver {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_P(CanvasServerTest, ACursorLeavesWithTheConnectionThatMovedItLast) {
  begin();
  const net::Descriptor watcher = open_json();
  net::Descriptor first = open_json("/canvas/main?session=abcdefgh");
  net::Descriptor second = open_json("/canvas/main?session=abcdefgh");
  const auto move = [&](const net::Descriptor& tab, const std::string& place) {
    say(tab, R"({"type":"cursor_move")" + place + "}");
  };
  move(first, R"(,"x":1,"y":1)");
  read_until(watcher, R"("x":1,"y":1})");
  move(second, R"(,"x":2,"y":2)");
  read_until(watcher, R"("x":2,"y":2})");
  move(first, "");  // not its own any more
  first = {};
  say(second, R"({"type":"ping"})");
  read_until(second, "pong");
  move(second, R"(,"x":3,"y":3)");
  EXPECT_THAT(read_until(watcher, R"("x":3,"y":3})"), Not(HasSubstr(R"({"type":"cursor","user_id":"u2"})")));
  first = open_json("/canvas/main?session=abcdefgh");
  second = {};
  read_until(watcher, R"({"type":"cursor","user_id":"u2"})");
}

TEST_P(CanvasServerTest, ACursorThatLeavesAPartOfAChunkIsGoneForItsWatcher) {
  begin();
  const net::Descriptor watcher = open_json();
  say(watcher, R"({"type":"watch","x":10,"y":10,"width":10,"height":10})");
  read_until(watcher, "\"complete\":true");
  const net::Descriptor other = open_json();
  const auto move = [&](const std::string& place) { say(other, R"({"type":"cursor_move",)" + place + "}"); };
  const std::string gone = R"({"type":"cursor","user_id":"u2"})";
  move(R"("x":15,"y":15)");
  read_until(watcher, R"("x":15,"y":15})");
  move(R"("x":30,"y":15)");
  read_until(watcher, gone);
  move(R"("x":31,"y":15)");
  say(other, R"({"type":"cursor_move"})");  // it was gone already
  say(other, R"({"type":"pixel_update","x":12,"y":12,"color":"#aabbcc"})");
  EXPECT_THAT(read_until(watcher, "pixel_changed"), Not(HasSubstr(gone)));
  move(R"("x":16,"y":15)");
  read_until(watcher, R"("x":16,"y":15})");
  say(watcher, R"({"type":"watch","x":100,"y":10,"width":10,"height":10})");
  read_until(watcher, gone);
}

TEST_P(CanvasServerTest, AJsonWatchHasAtMostWatchedChunksMax) {
  begin({.spec = {.width = 600, .height = 600}, .limits = {.watched_chunks_max = 2}});
  const net::Descriptor peer = upgrade("/canvas/main");
  EXPECT_THAT(read_until(peer, "timestamp"), Not(HasSubstr("canvas_state"))) << "the whole has 9 chunks";
  say(peer, R"({"type":"watch","x":0,"y":0,"width":513,"height":1,"id":3})");
  EXPECT_THAT(
      read_until(peer, "\"limit\":2}"),
      HasSubstr(R"("id":3,"code":"out_of_range","message":"this area is in 3 chunks, and at most 2)"));
  say(peer, R"({"type":"watch","x":0,"y":0,"width":512,"height":1})");
  read_until(peer, "\"complete\":true");
}

TEST_P(CanvasServerTest, AnUnknownRoomIs404AlsoWithoutAnUpgrade) {
  begin();
  EXPECT_THAT(read_until(get("/canvas/other"), "no such room"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(read_until(get("/canvas/main"), "upgrade required"), StartsWith("HTTP/1.1 426"));
}

TEST_P(CanvasServerTest, TheTimesOfTicksGrowAlsoIfTheClockIsSetBack) {
  const auto hour_ahead = RoomThread::now().wall_ms + 3'600'000;
  loaded_.last_tick_ms = hour_ahead;  // what the file has is from before the clock was set back
  begin();
  EXPECT_TRUE(room().is_past(hour_ahead));
  EXPECT_TRUE(room().is_settled(hour_ahead));
  EXPECT_FALSE(room().is_past(hour_ahead + 1));
  const net::Descriptor peer = open_json();
  for (const char* y : {"1", "2"}) {
    say(peer, std::string(R"({"type":"pixel_update","x":1,"color":"#aabbcc","id":7,"y":)") + y + "}");
    read_until(peer, "\"ok\"");
  }
  const std::scoped_lock lock(storage_->mutex);
  ASSERT_GE(storage_->log.size(), 2U);
  EXPECT_EQ(storage_->log[0].time_ms, hour_ahead + 1);
  EXPECT_EQ(storage_->log[1].time_ms, hour_ahead + 2);
}

TEST_P(CanvasServerTest, NoTickFollowsInAMomentThatWasAnsweredAsPast) {
  begin();
  const std::int64_t now_ms = RoomThread::now().wall_ms;
  EXPECT_FALSE(room().is_past(now_ms + 3'600'000));
  EXPECT_TRUE(room().is_past(now_ms - 1));
  EXPECT_FALSE(room().is_settled(now_ms - 1)) << "nobody has drawn since";
  const net::Descriptor peer = open_json();
  say(peer, R"({"type":"pixel_update","x":1,"y":1,"color":"#aabbcc","id":7})");
  read_until(peer, "\"ok\"");
  EXPECT_TRUE(room().is_settled(now_ms - 1));
}

TEST_P(CanvasServerTest, TheTimeBeforeALogThatWasCutIsNotThere) {
  begin();
  storage_->reads_past = true;
  storage_->past_from_ms = 1000;
  EXPECT_THAT(read_until(get("/canvas/main/image.png?at=999"), "but to 1000"),
              AllOf(StartsWith("HTTP/1.1 404"), Not(HasSubstr("Retry-After"))));
  const net::Descriptor peer = get("/canvas/main/image.png?at=1000");
  EXPECT_TRUE(run_until([&] { return !storage_->past_tasks.empty(); }));
}

TEST_P(CanvasServerTest, AnAddressHasAFewPicturesOfThePastUnderWay) {
  begin();
  storage_->reads_past = true;
  std::vector<net::Descriptor> peers;
  for (std::size_t i = 0; i < kPastPicturesPerPayerMax; ++i)
    peers.push_back(get("/canvas/main/image.png?at=1"));
  EXPECT_TRUE(run_until([&] { return storage_->past_tasks.size() == 1; }));
  EXPECT_THAT(read_until(get("/canvas/main/image.png?at=1"), "made for you"),
              AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("\r\nRetry-After: 1\r\n")));
  // One whose client ends its side of the connection is given up, when the next one asks; also if it has sent more before.
  ASSERT_EQ(::send(peers.back().get(), "\r\nG", 3, MSG_NOSIGNAL), 3);
  ::shutdown(peers.back().get(), SHUT_WR);
  std::string of_gone;
  while (of_gone.empty()) {
    std::string refused;
    const net::Descriptor next = get("/canvas/main/image.png?at=2");
    EXPECT_TRUE(run_until([&] {
      of_gone += read_now(peers.back());
      refused += read_now(next);
      return !of_gone.empty() || refused.ends_with("made for you\n");
    }));
  }
  EXPECT_THAT(of_gone, HasSubstr("nobody waits"));
}

}  // namespace
}  // namespace fanfare::canvasserver
