#include "gateway/reload/canvas_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace fanfare::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> changes_of_rooms(const ServePlan& running, const ServePlan& wanted) {
  std::vector<std::string> lines;
  for (const PlanChange& change : diff_plans(running, wanted).changes) lines.push_back(change.line());
  return lines;
}

ServePlan with_rooms(std::vector<std::string> names) {
  ServePlan plan;
  plan.canvas.emplace();
  for (std::string& name : names) plan.canvas->rooms.push_back({.spec = {.name = std::move(name)}});
  return plan;
}

TEST(CanvasDiff, RoomsAreComparedByName) {
  const ServePlan running = with_rooms({"a", "b"});
  EXPECT_THAT(changes_of_rooms(running, with_rooms({"c", "a"})), ElementsAre("- room b", "+ room c"));
  EXPECT_THAT(changes_of_rooms(running, with_rooms({"b", "a"})), IsEmpty());
  EXPECT_EQ(diff_plans(running, with_rooms({"b", "a"})).result, with_rooms({"b", "a"}));
  EXPECT_THAT(changes_of_rooms(ServePlan{}, running), ElementsAre("+ room a", "+ room b"));
  EXPECT_THAT(changes_of_rooms(running, ServePlan{}), ElementsAre("- room a", "- room b"));
  EXPECT_EQ(diff_plans(running, ServePlan{}).result, ServePlan{});
}

TEST(CanvasDiff, OfARoomItsLimitsChangeAndItsCanvasNeedsARestart) {
  const ServePlan running = with_rooms({"a"});
  ServePlan wanted = running;
  canvasserver::RoomPlan& room = wanted.canvas->rooms[0];
  room.limits.pixels_per_user.per_second = 7;
  room.limits.users_max = 8;
  ServePlan result = wanted;
  room.spec.background = 0x00FF80;
  room.spec.palette = {0, 0x00FF80};
  room.full_sync = true;
  room.relayed = true;
  room.history_bytes_max = 1 << 20;
  EXPECT_THAT(changes_of_rooms(running, wanted),
              ElementsAre("! room a background: #ffffff -> #00ff80 (needs a restart)",
                          "! room a palette (needs a restart)", "! room a relay: true (needs a restart)",
                          "! room a sync: 1s -> full (needs a restart)",
                          "! room a historyBytesMax: 0 -> 1048576 (needs a restart)",
                          "~ room a pixelsPerSecond: 200 -> 7", "~ room a limits.usersMax: 100000 -> 8"));
  EXPECT_EQ(diff_plans(running, wanted).result, result);
  // One that the configuration cannot set.
  wanted = running;
  wanted.canvas->rooms[0].limits.payers_max = 7;
  EXPECT_THAT(changes_of_rooms(running, wanted), ElementsAre("~ room a another limit"));
}

}  // namespace
}  // namespace fanfare::gateway
