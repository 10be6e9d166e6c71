// Rooms of the canvas are added, changed and removed while people draw in others. Also meant for ThreadSanitizer.

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/random.h"
#include "gateway/reload/reload_world_for_tests.h"

namespace fanfare::gateway {
namespace {

using ::testing::SizeIs;

const std::string kClosed = "this room was removed from the configuration";

class RoomsReloadTest : public ReloadWorld {
 protected:
  void SetUp() override {
    plan_.log_level = log::Level::off;
    plan_.loops = 2;
    plan_.loop_kind = GetParam();
    plan_.browsers.hosts = {"*"};
    plan_.listeners = {{.at = {}, .mounts = page_mounts(true)}};
    for (MountPlan& mount : canvas_mounts()) plan_.listeners.front().mounts.push_back(std::move(mount));
    plan_.canvas.emplace();
    plan_.canvas->rooms = {room("main"), room("side")};
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override {
    gateway_.reset();
    std::filesystem::remove_all(folder_);
  }

  static canvasserver::RoomPlan room(const std::string& name, const std::string& file = "") {
    return {.spec = {.name = name, .width = 10, .height = 10}, .file = file, .history_bytes_max = 1 << 20};
  }
  std::string file(const std::string& name) const { return folder_ / name; }
  std::string refusal() {
    const PlanDiff diff = gateway_->reload(plan_);
    return diff.refusal;
  }
  // Once its loop serves the canvas.
  std::unique_ptr<RawClient> enter(const std::string& name) const {
    std::unique_ptr<RawClient> client;
    std::string answer;
    for (int i = 0; i < 2000 && !answer.starts_with("HTTP/1.1 101"); ++i) {
      client = std::make_unique<RawClient>(port());
      answer = client->upgrade("/canvas/" + name);
    }
    EXPECT_THAT(receive_until(*client, "\"complete\":true"), HasSubstr("canvas_state")) << name;
    return client;
  }
  // What comes first that has `wanted` in it, or the end.
  static std::string receive_until(RawClient& client, std::string_view wanted) {
    std::string text;
    const auto is_end = [&] { return text == "EOF" || text.starts_with("close "); };
    while (text.find(wanted) == std::string::npos && !is_end()) text = client.receive();
    return text;
  }
  static void draw(RawClient& client, const std::string& color = "#123456") {
    client.send(R"({"type":"pixel_update","id":5,"x":1,"y":2,"color":")" + color + "\"}");
    EXPECT_THAT(receive_until(client, "\"id\":5"), HasSubstr("\"ok\""));
  }
  std::string info(const std::string& name) const {
    return RawClient(port()).request("GET", "/canvas/" + name + "/info");
  }
  // Once the room that was removed has ended.
  std::vector<std::string> reload_when_ended() {
    PlanDiff diff;
    for (int i = 0; i < 100'000; ++i) {
      diff = gateway_->reload(plan_);
      if (diff.refusal.empty()) break;
      EXPECT_THAT(diff.refusal, ::testing::AnyOf(HasSubstr("has not ended yet"), HasSubstr("is still that")));
      std::this_thread::yield();
    }
    std::vector<std::string> lines;
    for (const PlanChange& change : diff.changes) lines.push_back(change.line());
    return lines;
  }

 private:
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("fanfare-rooms-" + std::to_string(SystemRandom().next_u64()));
};

TEST_P(RoomsReloadTest, TheSameRoomsAreNoChange) {
  start();
  const auto client = enter("main");
  EXPECT_THAT(reload(), IsEmpty());
  draw(*client);
}

TEST_P(RoomsReloadTest, OneIsAddedAndOneRemovedAndTheOtherNoticesNothing) {
  start();
  const auto stays = enter("main");
  const auto goes = enter("side");
  plan_.canvas->rooms = {room("new", file("new")), room("main")};
  EXPECT_THAT(reload(), ElementsAre("- room side", "+ room new"));
  const auto added = enter("new");
  draw(*added);
  EXPECT_THAT(receive_until(*goes, "close 1012"), HasSubstr(kClosed));
  EXPECT_THAT(info("side"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(RawClient(port()).upgrade("/canvas/side"), StartsWith("HTTP/1.1 404"));
  draw(*stays);
  EXPECT_THAT(RawClient(port()).request("GET", "/metrics"), ::testing::Not(HasSubstr("room=\"side\"")));
}

TEST_P(RoomsReloadTest, OneThatComesBackHasItsPixels) {
  plan_.canvas->rooms.push_back(room("kept", file("kept")));
  start();
  {
    const auto client = enter("kept");
    draw(*client);
    plan_.canvas->rooms.pop_back();
    EXPECT_THAT(reload(), ElementsAre("- room kept"));
    EXPECT_THAT(receive_until(*client, "close 1012"), HasSubstr(kClosed));
  }
  // Under another name, when its file is free.
  plan_.canvas->rooms.push_back(room("other", file("kept")));
  EXPECT_THAT(reload_when_ended(), ElementsAre("+ room other"));
  EXPECT_THAT(info("other"), HasSubstr("\"pixels\":1"));
  plan_.canvas->rooms.back() = room("kept", file("kept"));
  EXPECT_THAT(refusal(), HasSubstr("is still that of the room other: remove that room first"));
  EXPECT_THAT(info("other"), StartsWith("HTTP/1.1 200")) << "nothing has changed";
  plan_.canvas->rooms.pop_back();
  reload();
  plan_.canvas->rooms.push_back(room("kept", file("kept")));
  EXPECT_THAT(reload_when_ended(), ElementsAre("+ room kept"));
  const auto client = std::make_unique<RawClient>(port());
  client->upgrade("/canvas/kept");
  EXPECT_THAT(receive_until(*client, "canvas_state"), HasSubstr(R"("x":1,"y":2,"color":"#123456")"));
}

TEST_P(RoomsReloadTest, OneThatComesBackWhileItsClientsAreBeingClosedKeepsTheOthers) {
  plan_.shutdown_spread = 60s;
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(enter("side"));
  draw(*clients.back());
  const canvasserver::RoomPlan side = plan_.canvas->rooms.back();
  plan_.canvas->rooms.pop_back();
  EXPECT_THAT(reload(), ElementsAre("- room side"));
  EXPECT_THAT(info("side"), StartsWith("HTTP/1.1 404"));
  // Another room of the name must wait.
  plan_.canvas->rooms.push_back(side);
  plan_.canvas->rooms.back().spec.width = 20;
  // kRoomEndWait is only for a room that is being ended.
  EXPECT_THAT(refusal(), HasSubstr("room side: the room of that name that was removed has not ended yet"));
  plan_.canvas->rooms.back() = side;
  plan_.canvas->rooms.back().limits.cooldown = 1s;
  EXPECT_THAT(reload(), ElementsAre("+ room side"));
  EXPECT_THAT(info("side"), HasSubstr("\"pixels\":1"));
  int left = 0;
  for (const auto& client : clients) {
    client->send(R"({"type":"ping","id":9})");
    if (receive_until(*client, "pong").find("pong") != std::string::npos) ++left;
  }
  EXPECT_GE(left, 2) << "each loop has closed one at most";
}

TEST_P(RoomsReloadTest, WhatCannotBeOpenedChangesNothing) {
  start();
  const auto client = enter("side");
  plan_.canvas->rooms = {room("first", file("first")), room("second", "/proc/none")};
  EXPECT_THAT(refusal(), HasSubstr("cannot open the canvas: room second: "));
  EXPECT_THAT(info("first"), StartsWith("HTTP/1.1 404"));
  draw(*client);
  // The file of the one that was opened is free again.
  plan_.canvas->rooms = {room("side"), room("first", file("first"))};
  EXPECT_THAT(reload(), ElementsAre("- room main", "+ room first"));
  plan_.canvas->rooms.push_back(room("third", file("first-wal")));
  EXPECT_THAT(refusal(), HasSubstr("is still that of the room first"));
}

TEST_P(RoomsReloadTest, LimitsChangeForThoseWhoAreThereAndTheRestIsNamed) {
  plan_.canvas->rooms.front().limits.cooldown = 1h;
  start();
  const auto client = enter("main");
  draw(*client);
  client->send(R"({"type":"pixel_update","id":6,"x":1,"y":2,"color":"#654321"})");
  EXPECT_THAT(receive_until(*client, "\"id\":6"), HasSubstr("too_many_pixels"));
  canvasserver::RoomPlan& plan = plan_.canvas->rooms.front();
  plan.limits.cooldown = {};
  plan.limits.tick_min = 5ms;
  plan.limits.message_bytes_max = 1 << 20;
  plan.spec.width = 20;
  plan.file = file("main");
  EXPECT_THAT(reload(), ElementsAre("! room main width: 10 -> 20 (needs a restart)",
                                    "! room main file: none -> " + file("main") + " (needs a restart)",
                                    "~ room main tick: 16ms -> 5ms", "~ room main cooldown: 1h -> 0s",
                                    "~ room main limits.messageBytesMax: 65536 -> 1048576"));
  draw(*client, "#654321");
  EXPECT_THAT(info("main"), HasSubstr("\"width\":10"));
  EXPECT_THAT(reload(), SizeIs(2)) << "told again until the restart";
}

TEST_P(RoomsReloadTest, TheWholeCanvasComesAndGoes) {
  const ListenerPlan with = plan_.listeners.front();
  const std::optional<CanvasPlan> rooms = plan_.canvas;
  plan_.listeners.front().mounts = page_mounts(true);
  plan_.canvas.reset();
  start();
  EXPECT_THAT(info("main"), StartsWith("HTTP/1.1 404"));
  for (int i = 0; i < 2; ++i) {
    plan_.listeners.front() = with;
    plan_.canvas = rooms;
    EXPECT_THAT(reload_when_ended(), ::testing::Contains("+ room main"));
    const auto client = enter("main");
    draw(*client);
    plan_.listeners.front().mounts = page_mounts(true);
    plan_.canvas.reset();
    EXPECT_THAT(reload(), ::testing::IsSupersetOf({"- room main", "- room side"}));
    EXPECT_THAT(receive_until(*client, "close 1012"), HasSubstr(kClosed));
  }
}

TEST_P(RoomsReloadTest, AStormOfReloadsDropsNobodyOfOtherRooms) {
  start();
  const auto client = enter("main");
  std::atomic<bool> over = false;
  std::thread others([&] {
    while (!over) {
      RawClient visitor(port());
      // One that was closed at once gets nothing more.
      if (visitor.upgrade("/canvas/side").starts_with("HTTP/1.1 101") &&
          visitor.receive().find("welcome") != std::string::npos) {
        visitor.send(R"({"type":"pixel_update","id":6,"x":1,"y":2,"color":"#654321"})");
        visitor.receive();
      }
      RawClient(port()).request("GET", "/canvas/side/image.png");
      RawClient(port()).request("GET", "/canvas/side/image.png?at=1");
    }
  });
  int applied = 0;
  for (int i = 0; i < 20; ++i) {
    plan_.canvas->rooms = {room("main")};
    plan_.canvas->rooms.front().limits.cursors_per_second = static_cast<std::uint32_t>(1 + i % 7);
    if (i % 2 == 0) plan_.canvas->rooms.push_back(room("side", file("side")));
    if (gateway_->reload(plan_).refusal.empty()) ++applied;
    draw(*client);
  }
  over = true;
  others.join();
  EXPECT_GE(applied, 10);
  draw(*client);
}

INSTANTIATE_TEST_SUITE_P(Loops, RoomsReloadTest,
                         ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring), name_of_loop);

}  // namespace
}  // namespace fanfare::gateway
