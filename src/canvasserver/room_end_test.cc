// A room is removed, ends or comes back while clients use it, and gets other limits. Also meant for ThreadSanitizer.
#include <thread>

#include "canvasserver/server_for_tests.h"

namespace fanfare::canvasserver {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class RoomEndTest : public CanvasServerTest {
 protected:
  // Its last client has gone.
  void end(const Rooms::Removed& removed) {
    ASSERT_TRUE(rooms_->end(removed.turn));
    loop_rooms_->drop(*removed.room);
    while (!rooms_->has_ended("main", std::chrono::seconds(1))) {
    }
  }
  std::string answer(std::string_view target) {
    const net::Descriptor peer = get(target);
    return read_until(peer, "\r\n\r\n");
  }
  // The room's thread does nothing until the promise is fulfilled.
  void hold(std::promise<void>& go_on) {
    auto is_held = std::make_shared<std::promise<void>>();
    auto held = is_held->get_future();
    room().post([is_held, future = go_on.get_future().share()](RoomThread&) {
      is_held->set_value();
      future.wait();
    });
    held.wait();
  }
};

TEST_P(RoomEndTest, OneThatWasRemovedIsHiddenAndGoesOnForItsClientsUntilItEnds) {
  begin();
  net::Descriptor peer = open_json();
  const Rooms::Removed removed = rooms_->remove("main");
  EXPECT_EQ(rooms_->find("main"), nullptr);
  EXPECT_TRUE(rooms_->is_leaving(removed.turn));
  EXPECT_FALSE(rooms_->has_ended("main"));
  EXPECT_THAT(answer("/canvas/main/info"), StartsWith("HTTP/1.1 404"));
  say(peer, R"({"type":"pixel_update","id":1,"x":1,"y":1,"color":"#000000"})");
  read_until(peer, R"("type":"ok")");
  peer = net::Descriptor();
  EXPECT_TRUE(run_until([&] { return removed.room->metrics().connections == 0; }));
  end(removed);
  EXPECT_FALSE(rooms_->is_leaving(removed.turn));
  EXPECT_TRUE(removed.room->has_ended());
  EXPECT_TRUE(storage_->is_closed);
  EXPECT_EQ(storage_->ticks, 1U) << "what was drawn is in the log";
  EXPECT_FALSE(rooms_->end(removed.turn)) << "only once";
  // The name is free.
  EXPECT_TRUE(rooms_->add({.spec = {.width = 7, .height = 7}}, {}).has_value());
  const net::Descriptor again = get("/canvas/main/info");
  EXPECT_THAT(read_until(again, "\"height\":7"), StartsWith("HTTP/1.1 200"));
}

TEST_P(RoomEndTest, OneThatIsLeavingCanBeBroughtBackAndItsClientsNoticeNothing) {
  begin();
  const net::Descriptor peer = open_json();
  const Rooms::Removed removed = rooms_->remove("main");
  EXPECT_EQ(rooms_->bring_back("other"), nullptr);
  EXPECT_EQ(rooms_->bring_back("main"), removed.room);
  EXPECT_FALSE(rooms_->is_leaving(removed.turn));
  EXPECT_FALSE(rooms_->end(removed.turn));
  say(peer, R"({"type":"pixel_update","x":1,"y":1,"color":"#000000"})");
  read_until(peer, "pixel_changed");
  const net::Descriptor more = open_json();
  EXPECT_NE(rooms_->remove("main").turn, removed.turn);
  EXPECT_EQ(rooms_->bring_back("main"), removed.room);
}

TEST_P(RoomEndTest, PicturesThatAreUnderWayAreAnswered) {
  begin();
  storage_->reads_past = true;
  std::vector<net::Descriptor> past;
  for (std::size_t i = 0; i < 3; ++i) past.push_back(get("/canvas/main/image.png?at=" + std::to_string(i)));
  EXPECT_TRUE(run_until([&] {
    const std::scoped_lock lock(storage_->mutex);
    return storage_->past_tasks.size() == 1;
  }));
  end(rooms_->remove("main"));
  // The one that was being made, and those behind it.
  for (const net::Descriptor& peer : past) {
    EXPECT_THAT(read_until(peer, "no such room"), StartsWith("HTTP/1.1 404"));
  }
}

TEST_P(RoomEndTest, PicturesOfThePresentAreMadeIfTheRoomWasAskedBefore) {
  begin();
  std::promise<void> go_on;
  hold(go_on);
  const net::Descriptor peer = get("/canvas/main/image.png");
  // The room has the question.
  EXPECT_TRUE(run_until([&] { return rooms_->painter().unmade() == 1; }));
  const Rooms::Removed removed = rooms_->remove("main");
  ASSERT_TRUE(rooms_->end(removed.turn));
  go_on.set_value();
  EXPECT_THAT(read_until(peer, "IEND"), StartsWith("HTTP/1.1 200"));
  loop_rooms_->drop(*removed.room);
}

TEST_P(RoomEndTest, APictureIsNeverThatOfAnEarlierRoomOfTheName) {
  begin();
  const net::Descriptor before = get("/canvas/main/image.png");
  const std::string first = read_until(before, "IEND");
  end(rooms_->remove("main"));
  ASSERT_TRUE(rooms_->add({.spec = {.width = 300, .height = 300, .background = 0xFF0000}}, {}).has_value());
  const net::Descriptor after = get("/canvas/main/image.png");
  const std::string second = read_until(after, "IEND");
  EXPECT_NE(first.substr(first.find("IDAT")), second.substr(second.find("IDAT")));
}

TEST_P(RoomEndTest, LimitsChangeForThoseWhoAreThere) {
  RoomPlan plan;
  plan.limits.cooldown = std::chrono::hours(24);
  begin(plan);
  const net::Descriptor peer = open_json();
  const std::string draw = R"({"type":"pixel_update","id":1,"x":1,"y":1,"color":"#000000"})";
  say(peer, draw);
  read_until(peer, R"("type":"ok")");
  say(peer, draw);
  read_until(peer, "your last pixel is too recent");
  canvas::Limits wanted = plan.limits;
  wanted.cooldown = {};
  wanted.message_bytes_max = 1024;
  wanted.watched_chunks_max = 1;
  room().set_limits(wanted);
  loop_rooms_->apply(std::chrono::seconds(10));
  say(peer, draw);
  read_until(peer, R"("type":"ok")");
  say(peer, R"({"type":"ping","id":")" + std::string(1024, 'a') + "\"}");
  EXPECT_THAT(read_until(peer, "message_too_big"), HasSubstr("1024"));
  say(peer, R"({"type":"watch","x":0,"y":0,"width":300,"height":300})");
  read_until(peer, "watched_chunks_max");
  // The welcome of a new client has the new limits, and no cooldown of a day.
  const net::Descriptor other = upgrade("/canvas/main");
  EXPECT_THAT(read_until(other, "welcome"), Not(HasSubstr("86400000")));
}

TEST_P(RoomEndTest, AStormOfRemovalsWhileOthersAskForPictures) {
  begin();
  std::atomic<bool> over = false;
  std::atomic<std::size_t> asked = 0;
  std::atomic<std::size_t> answered = 0;
  std::thread others([&] {
    while (!over) {
      const auto there = rooms_->find("main");
      if (there == nullptr) continue;
      rooms_->for_each([](const std::string&, RoomThread& one) { one.limits(); });
      const auto accepted = rooms_->painter().paint(
          *there, {.area = {.x = 0, .y = 0, .width = 1, .height = 1},
                   .done = [&](const std::shared_ptr<const std::string>&) { ++answered; }});
      if (accepted == Painter::Asked::accepted) ++asked;
    }
  });
  for (int i = 0; i < 50; ++i) {
    const Rooms::Removed removed = rooms_->remove("main");
    if (i % 3 == 0) {
      EXPECT_EQ(rooms_->bring_back("main"), removed.room);
      removed.room->set_limits({});
    } else {
      end(removed);
      ASSERT_TRUE(rooms_->add({}, {}).has_value());
    }
  }
  over = true;
  others.join();
  EXPECT_TRUE(run_until([&] { return answered == asked; }));
}

INSTANTIATE_TEST_SUITE_P(Loops, RoomEndTest, ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& tested) {
                           return std::string(tested.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::canvasserver
