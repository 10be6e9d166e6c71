#include "gateway/config_canvas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/random.h"
#include "gateway/canvas_files.h"
#include "gateway/config.h"
#include "gateway/config_summary.h"
#include "gateway/mount_plans.h"

namespace fanfare::gateway {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

const EnvironmentLookup kNoVariables = [](std::string_view) { return std::nullopt; };

ServePlan plan_of(std::string_view text) {
  const auto config = parse_config(text, "g.yaml", kNoVariables);
  EXPECT_TRUE(config.has_value()) << config.error().message();
  return config ? plan_from(*config) : ServePlan();
}
std::string error_of(std::string_view text) {
  const auto config = parse_config(text, "g.yaml", kNoVariables);
  return config ? "none" : config.error().message();
}
std::string with_room(std::string_view more) {
  return "canvas: { rooms: [{ name: main" + std::string(more) + " }] }\n";
}
canvasserver::RoomPlan room_of(std::string_view more) {
  return plan_of(with_room(more)).canvas->rooms.at(0);
}

TEST(ConfigCanvas, ARoomHasDocumentedDefaults) {
  const canvasserver::RoomPlan room = room_of("");
  EXPECT_EQ(room, canvasserver::RoomPlan{.history_bytes_max = 67'108'864});
  EXPECT_EQ(room_of(", file: /x").history_bytes_max, 4'294'967'296U);
  EXPECT_EQ(room.spec.width, 1000U);
  EXPECT_EQ(room.limits.tick_min, milliseconds(16));
  EXPECT_EQ(room.sync_interval, milliseconds(1000));
  EXPECT_EQ(default_canvas().rooms.at(0), room) << "also without a file";
}

TEST(ConfigCanvas, FullSyncNeedsAFile) {
  EXPECT_THAT(error_of(with_room(", sync: full")), HasSubstr("sync is full, but the room has no file"));
  EXPECT_EQ(error_of("canvas: { dataDir: /x, rooms: [{ name: main, sync: full }] }\n"), "none");
}

constexpr std::string_view kBroker = "relay: { nats: { servers: [\"nats://127.0.0.1:4222\"] } }\n";

TEST(ConfigCanvas, ASharedRoomHasABrokerAndNoFile) {
  const ServePlan plan = plan_of(with_room(", relay: true") + std::string(kBroker));
  const canvasserver::RoomPlan& room = plan.canvas->rooms.at(0);
  EXPECT_TRUE(room.relayed);
  EXPECT_EQ(room.limits.chunks_max, 128U);
  EXPECT_THAT(summary_of(plan, WebConfig{}), HasSubstr("24-bit colours, shared over the relay\n"));
  EXPECT_THAT(error_of(with_room(", relay: true")), HasSubstr("and no broker, expected relay.nats.servers"));
  EXPECT_THAT(error_of(with_room(", relay: true, file: /x") + std::string(kBroker)),
              HasSubstr("file cannot be used by a room with relay: true"));
  EXPECT_THAT(error_of(with_room(", relay: true, limits: { chunksMax: 129 }") + std::string(kBroker)),
              HasSubstr("chunksMax is more than a room with relay: true may have (128)"));
  const ServePlan beside = plan_of(
      "canvas: { dataDir: /x, rooms: [{ name: a, relay: true }, { name: b }] }\n" + std::string(kBroker));
  EXPECT_EQ(beside.canvas->rooms.at(0).file, "");
  EXPECT_EQ(beside.canvas->rooms.at(1).file, "/x/b.canvas");
}

TEST(ConfigCanvas, EveryKeyIsRead) {
  const canvasserver::RoomPlan room = room_of(
      ", width: 2000, height: 65536, background: \"#0000ff\", palette: [\"#0000ff\", \"#FF8800\"], tick: "
      "20ms,"
      " tickMax: 50ms, pixelsPerSecond: 7, pixelsBurst: 9, pixelsPerSecondPerAddress: 70, cooldown: 5m,"
      " cursorsPerSecond: 5, file: /tmp/a.canvas, sync: 250ms, historyBytesMax: 1048576, limits: { "
      "chunksMax: 4, chunksPerMinute: 11,"
      " usersMax: 5, watchedChunksMax: 6, messageBytesMax: 2048, messagesPerSecond: 8 }");
  EXPECT_EQ(room.spec.width, 2000U);
  EXPECT_EQ(room.spec.height, 65'536U);
  EXPECT_EQ(room.spec.background, 0x0000ffU);
  EXPECT_THAT(room.spec.palette, ElementsAre(0x0000ffU, 0xff8800U));
  EXPECT_EQ(room.limits.tick_min, milliseconds(20));
  EXPECT_EQ(room.limits.tick_max, milliseconds(50));
  EXPECT_EQ(room.limits.pixels_per_user, (TokenRate{.per_second = 7, .burst = 9}));
  EXPECT_EQ(room.limits.pixels_per_address, (TokenRate{.per_second = 70, .burst = 700}))
      << "ten times the rate";
  EXPECT_EQ(room.limits.cooldown, std::chrono::minutes(5));
  EXPECT_EQ(room.limits.cursors_per_second, 5U);
  EXPECT_EQ(room.file, "/tmp/a.canvas");
  EXPECT_FALSE(room.full_sync);
  EXPECT_EQ(room.sync_interval, milliseconds(250));
  EXPECT_EQ(room.history_bytes_max, 1'048'576U);
  EXPECT_EQ(room.limits.chunks_max, 4U);
  EXPECT_EQ(room.limits.chunks_per_minute_per_user, 11U);
  EXPECT_EQ(room.limits.chunks_per_minute_per_address, 22U) << "twice as many";
  EXPECT_EQ(room_of(", limits: { chunksPerMinutePerAddress: 131072 }").limits.chunks_per_minute_per_address,
            131'072U);
  EXPECT_EQ(room.limits.users_max, 5U);
  EXPECT_EQ(room.limits.watched_chunks_max, 6U);
  EXPECT_EQ(room.limits.message_bytes_max, 2048U);
  EXPECT_EQ(room.limits.messages_per_second, 8U);
  EXPECT_TRUE(room_of(", file: /x, sync: full").full_sync);
}

TEST(ConfigCanvas, RoomsAreServedAndKeptInTheDataDir) {
  const ServePlan plan = plan_of("canvas: { dataDir: /data, rooms: [{ name: a }, { name: b, file: /x }] }\n");
  EXPECT_EQ(plan.canvas->rooms.at(0).file, "/data/a.canvas");
  EXPECT_EQ(plan.canvas->rooms.at(1).file, "/x");
  ASSERT_EQ(plan.listeners.size(), 1U);
  EXPECT_TRUE(serves_canvas(plan.listeners.front()));
  EXPECT_THAT(summary_of(plan, {}),
              HasSubstr("canvas    a 1000x1000, 24-bit colours, in /data/a.canvas, sync 1s\n"));
  EXPECT_THAT(summary_of(plan_of(with_room("")), {}),
              HasSubstr("canvas    main 1000x1000, 24-bit colours, in memory\n"));
}

TEST(ConfigCanvas, WrongValuesAreErrorsWithTheirPlace) {
  for (const auto& [more, error] : std::initializer_list<std::pair<const char*, const char*>>{
           {", width: 0", "canvas.rooms[0].width"},
           {", width: 65537", "canvas.rooms[0].width"},
           {", background: white", "canvas.rooms[0].background is not a colour"},
           {", palette: [\"#00000\"]", "canvas.rooms[0].palette"},
           {", palette: [\"#000000\", \"#111111\"]", "canvas.rooms[0] cannot be a room"},
           {", tick: 0s", "canvas.rooms[0].tick"},
           {", tick: 100ms, tickMax: 50ms", "canvas.rooms[0].tickMax is shorter than tick"},
           {", tick: 101ms", "canvas.rooms[0].tick is longer than tickMax"},
           {", sync: never", "canvas.rooms[0].sync is neither"},
           {", sync: 9ms", "canvas.rooms[0].sync is neither"},
           {", sync: 61s", "canvas.rooms[0].sync is neither"},
           {", historyBytesMax: 1048575", "canvas.rooms[0].historyBytesMax"},
           {", limits: { chunksMax: 0 }", "canvas.rooms[0].limits.chunksMax"},
           {", limits: { chunksPerMinute: 65537 }", "canvas.rooms[0].limits.chunksPerMinute"},
           {", limits: { chunksPerMinutePerAddress: 131073 }",
            "canvas.rooms[0].limits.chunksPerMinutePerAddress"},
           {", colour: 1", "unknown key \"colour\" in canvas.rooms[0]"},
       }) {
    EXPECT_THAT(error_of(with_room(more)), HasSubstr(error)) << more;
  }
  EXPECT_THAT(error_of("canvas: { rooms: [] }\n"), HasSubstr("canvas.rooms"));
  EXPECT_THAT(error_of("canvas: { rooms: [{ name: \"a/b\" }] }\n"),
              HasSubstr("cannot be the name of a room"));
  EXPECT_THAT(error_of("canvas: { rooms: [{ name: a }, { name: a }] }\n"),
              HasSubstr("canvas.rooms[1].name is a duplicate"));
  EXPECT_THAT(error_of("canvas: { rooms: [{ name: a, file: /x }, { name: b, file: /x }] }\n"),
              HasSubstr("canvas.rooms[1].file of the room \"b\" is a file of the room \"a\" (\"/x\")"));
}

TEST(ConfigCanvas, AtMostRoomsMax) {
  std::string rooms;
  for (std::size_t i = 0; i < canvasserver::kRoomsMax; ++i) rooms += "{ name: r" + std::to_string(i) + " }, ";
  EXPECT_EQ(error_of("canvas: { rooms: [" + rooms + "] }\n"), "none");
  EXPECT_THAT(error_of("canvas: { rooms: [" + rooms + "{ name: more }] }\n"),
              HasSubstr("expected at most 64"));
}

TEST(ConfigCanvas, RolesGrantRoomsThatExist) {
  const auto with_role = [](std::string_view grants) {
    return with_room("") + "access: { anonymousRoles: [r], roles: [{ id: r, canvas: { " +
           std::string(grants) + " } }] }\n";
  };
  EXPECT_EQ(error_of(with_role("draw: [main], moderate: [\"x*\"]")), "none");
  EXPECT_THAT(error_of(with_role("view: [other]")),
              HasSubstr("access.roles[0].canvas.view[0] does not exist"));
  const access::Role role = plan_of(with_role("draw: [main]")).access->roles.at(0).role;
  const access::Principal principal{.name = "p", .roles = {role}};
  EXPECT_TRUE(principal.may({.canvas_view = "main"}));
  EXPECT_TRUE(principal.may({.canvas_draw = "main"}));
  EXPECT_FALSE(principal.may({.canvas_moderate = "main"}));
  EXPECT_FALSE(principal.may({.canvas_view = "other"}));
}

// Before any file is opened.
class CanvasFilesTest : public testing::Test {
 protected:
  CanvasFilesTest() { std::filesystem::create_directories(folder_ / "real"); }
  ~CanvasFilesTest() override {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  canvasserver::RoomPlan room(const std::string& name, const std::string& file) const {
    return {.spec = {.name = name}, .file = file.empty() ? "" : folder_ / file};
  }
  std::string collision(const std::string& one, const std::string& other) const {
    const std::vector<canvasserver::RoomPlan> others{room("a", one)};
    const auto found = collision_of(room("b", other), others);
    return found ? found->room + " " + std::filesystem::path(found->file).filename().string() : "";
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("fanfare-files-" + std::to_string(SystemRandom().next_u64()));
};

TEST_F(CanvasFilesTest, TwoSpellingsOfAFileAreOne) {
  std::filesystem::create_directory_symlink(folder_ / "real", folder_ / "link");
  std::ofstream(folder_ / "real" / "there.db");
  std::filesystem::create_symlink(folder_ / "real" / "there.db", folder_ / "alias.db");
  EXPECT_EQ(collision("real/x.db", "real/y.db"), "");
  EXPECT_EQ(collision("real/x.db", "real/x.db"), "a x.db");
  EXPECT_EQ(collision("real/x.db", "./real/x.db"), "a x.db");
  EXPECT_EQ(collision("real/x.db", "real/../real//x.db"), "a x.db");
  EXPECT_EQ(collision("real/x.db", "link/x.db"), "a x.db");
  EXPECT_EQ(collision("real/there.db", "alias.db"), "a there.db");
  std::filesystem::create_hard_link(folder_ / "real" / "there.db", folder_ / "hard.db");
  EXPECT_EQ(collision("real/there.db", "hard.db"), "a there.db");
  // Links to what does not exist yet.
  std::filesystem::create_symlink(folder_ / "real" / "later.db", folder_ / "later.db");
  std::filesystem::create_symlink("later.db", folder_ / "later2.db");
  EXPECT_EQ(collision("real/later.db", "later.db"), "a later.db");
  EXPECT_EQ(collision("later.db", "real/later.db"), "a later.db");
  EXPECT_EQ(collision("later.db", "later2.db"), "a later.db");
  std::filesystem::create_symlink(folder_ / "real" / "x.db-wal", folder_ / "wal.db");
  EXPECT_EQ(collision("real/x.db", "wal.db"), "a x.db-wal");
  std::filesystem::create_symlink(folder_ / "real" / "y.db-mark", folder_ / "real" / "z.db-mark");
  EXPECT_EQ(collision("real/y.db", "real/z.db"), "a y.db-mark");
  EXPECT_EQ(collision("", ""), "") << "rooms in memory";
}

TEST_F(CanvasFilesTest, TheFilesBesideARoomsFileAreItsOwn) {
  for (const std::string ending : {"-wal", "-shm", "-mark", "-journal"}) {
    EXPECT_EQ(collision("real/x.db", "real/x.db" + ending), "a x.db" + ending);
    EXPECT_EQ(collision("real/x.db" + ending, "real/x.db"), "a x.db" + ending);
  }
  EXPECT_EQ(collision("real/x.db", "real/x.db-other"), "");
}

}  // namespace
}  // namespace fanfare::gateway
