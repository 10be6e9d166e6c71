// What users and moderators take back, against a naive model: the strokes of each place in order, each taken back or not. Random
// from a seed, with restarts. A failure prints its seed; CANVAS_SEEDS=N runs more of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "canvas/room.h"
#include "canvasserver/log_past.h"
#include "canvasstore/storage_for_tests.h"

namespace fanfare::canvasstore {
namespace {

using canvas::Actor;
using canvas::Colour;
using canvas::ModerationEvent;
using canvas::UserNumber;
using Kind = ModerationEvent::Kind;

constexpr std::uint16_t kPlaces = 4;  // in two chunks
constexpr std::size_t kUsers = 3;
constexpr int kUndoSteps = 120;

// Where syncs cost nothing, if there is such a place.
std::filesystem::path fast_folder() {
  const std::filesystem::path shared = "/dev/shm";
  std::error_code error;
  return std::filesystem::is_directory(shared, error) ? shared : std::filesystem::temp_directory_path();
}

std::uint16_t x_of_place(std::uint16_t place) {
  return static_cast<std::uint16_t>(254 + place);
}

// A room with its log, as the room's thread connects them.
class RoomWithLog {
 public:
  RoomWithLog(std::string path, std::size_t undo_pixels_max)
      : storage_({.path = std::move(path), .spec = spec(), .full_sync = false, .new_epoch = 1}),
        room_({.spec = spec(),
               .limits = {.undo_pixels_max = undo_pixels_max},
               .first_user = storage_.loaded.last_user + 1,
               .last_tick = storage_.loaded.last_tick}) {
    for (const auto& chunk : storage_.loaded.chunks) load(chunk);
  }

  static canvas::RoomSpec spec() { return {.width = 300, .height = 1}; }
  canvas::Room& room() { return room_; }
  void finish_tick(std::int64_t time_ms) {
    const canvas::Tick tick = room_.finish_tick();
    if (tick.is_empty()) return;
    LoggedTick logged{.tick = tick.number,
                      .time_ms = time_ms,
                      .chunks = {},
                      .events = tick.events,
                      .taken_back = tick.taken_back};
    for (const auto& chunk : tick.chunks) {
      logged.chunks.push_back({.chunk = chunk.chunk, .version = chunk.version, .pixels = chunk.pixels});
      for (const auto& pixel : chunk.pixels)
        logged.users.push_back({.number = pixel.user, .id = {}, .name = {}});
    }
    storage_.storage->append(std::move(logged));
  }
  canvas::Restoration find(const ModerationEvent& event) {
    return storage_.ask([&](PastLog& log) {
      canvasserver::LogPast past(log, room_.spec());
      auto found = canvas::restore_for(event, room_.spec(), past);
      EXPECT_EQ(past.problem(), "");
      return found;
    });
  }

 private:
  void load(const canvasserver::StoredChunk& chunk) {
    canvas::ByteVector colours;
    std::vector<UserNumber> authors;
    for (std::uint32_t x = 0; x < canvas::columns_of(room_.spec(), chunk.chunk); ++x) {
      const Colour colour = chunk.pixels.colours[x];
      for (const unsigned shift : {16U, 8U, 0U})
        colours.push_back(static_cast<std::uint8_t>(colour >> shift));
      authors.push_back(chunk.pixels.users[x]);
    }
    ASSERT_TRUE(room_.load(chunk.chunk, chunk.version, colours, authors));
  }

  TestStorage storage_;
  canvas::Room room_;
};

struct Stroke {
  std::int64_t time_ms = 0;
  std::size_t number = 0;
  UserNumber user = 0;
  Colour colour = 0;
  bool is_left = true;
  bool is_remembered = true;  // the room could take it back for its author
};

class Model {
 public:
  explicit Model(std::size_t remembered_max) : remembered_max_(remembered_max) {}

  void draw(std::uint16_t place, UserNumber user, Colour colour, std::int64_t time_ms) {
    places_[place].strokes.push_back(
        {.time_ms = time_ms, .number = ++drawn_, .user = user, .colour = colour});
  }
  bool is_drawn_at(std::uint16_t place, std::int64_t time_ms) const {
    return std::ranges::any_of(places_[place].strokes, [&](const Stroke& stroke) {
      return stroke.is_left && stroke.time_ms == time_ms;
    });
  }
  const Stroke* visible(std::uint16_t place) const { return newest(places_[place], false); }
  // Returns the places that it changed.
  std::size_t undo(UserNumber user, std::size_t count, std::int64_t time_ms) {
    std::set<std::uint16_t> changed;
    for (std::size_t i = 0; i < count; ++i) {
      Stroke* last = nullptr;
      std::uint16_t at = 0;
      for (std::uint16_t place = 0; place < kPlaces; ++place) {
        Stroke* const top = newest(places_[place], false);
        if (top == nullptr || top->user != user || !is_remembered(*top)) continue;
        if (last != nullptr && last->number > top->number) continue;
        last = top;
        at = place;
      }
      if (last == nullptr) break;
      take_back(*last);
      changed.insert(at);
    }
    for (const std::uint16_t place : changed) places_[place].changed_ms = time_ms;
    return changed.size();
  }
  // The places that undo_user concerns.
  std::set<std::uint16_t> places_of(UserNumber user, std::int64_t since_ms) const {
    std::set<std::uint16_t> found;
    for (std::uint16_t place = 0; place < kPlaces; ++place) {
      if (std::ranges::any_of(places_[place].strokes, [&](const Stroke& stroke) {
            return stroke.is_left && stroke.user == user && stroke.time_ms >= since_ms;
          }))
        found.insert(place);
    }
    return found;
  }
  void undo_user(const std::set<std::uint16_t>& places, UserNumber user, std::int64_t since_ms) {
    for (const std::uint16_t place : places) {
      for (Stroke& stroke : places_[place].strokes) {
        if (stroke.user == user && stroke.time_ms >= since_ms) take_back(stroke);
      }
    }
  }
  std::set<std::uint16_t> changed_after(std::int64_t at_ms) const {
    std::set<std::uint16_t> found;
    for (std::uint16_t place = 0; place < kPlaces; ++place) {
      const auto& shown = places_[place].shown;
      if (!shown.empty() && shown.rbegin()->first > at_ms) found.insert(place);
    }
    return found;
  }
  void as_at(const std::set<std::uint16_t>& places, std::int64_t at_ms) {
    for (const std::uint16_t place : places) {
      Place& there = places_[place];
      for (Stroke& stroke : there.strokes) {
        if (stroke.time_ms > at_ms) take_back(stroke);
      }
      const auto after = there.shown.upper_bound(at_ms);
      const std::size_t number = after == there.shown.begin() ? 0 : std::prev(after)->second;
      const auto given = std::ranges::find(there.strokes, number, &Stroke::number);
      const Stroke* const known = newest(there, true);
      if (given != there.strokes.end()) given->is_left = true;
      if (known != nullptr && known != std::to_address(given)) {
        for (Stroke& stroke : there.strokes) stroke.is_remembered = false;
      }
      if (given == there.strokes.end()) {
        for (Stroke& stroke : there.strokes) take_back(stroke);
      } else {
        for (auto later = std::next(given); later != there.strokes.end(); ++later) take_back(*later);
      }
    }
  }
  // Everything that has changed, or that the log has, is as of this time.
  void finish_tick(std::int64_t time_ms) {
    for (std::uint16_t place = 0; place < kPlaces; ++place) {
      const Stroke* const now = visible(place);
      const std::size_t number = now == nullptr ? 0 : now->number;
      auto& shown = places_[place].shown;
      const bool is_same = shown.empty() ? number == 0 : shown.rbegin()->second == number;
      if (!is_same || places_[place].changed_ms == time_ms) shown[time_ms] = number;
    }
  }
  void restart() {
    for (Place& place : places_) {
      for (Stroke& stroke : place.strokes) stroke.is_remembered = false;
    }
  }

 private:
  struct Place {
    std::vector<Stroke> strokes;
    std::map<std::int64_t, std::size_t> shown;  // the number of the stroke, from this time on; 0: none
    std::int64_t changed_ms = 0;
  };

  bool is_remembered(const Stroke& stroke) const {
    return stroke.is_remembered && stroke.number + remembered_max_ > drawn_;
  }
  static void take_back(Stroke& stroke) {
    stroke.is_left = false;
    stroke.is_remembered = false;
  }
  template <typename There>
  auto newest(There& place, bool remembered) const -> decltype(place.strokes.data()) {
    for (std::size_t i = place.strokes.size(); i > 0; --i) {
      auto& stroke = place.strokes[i - 1];
      if (stroke.is_left && (!remembered || is_remembered(stroke))) return &stroke;
    }
    return nullptr;
  }

  const std::size_t remembered_max_;
  std::size_t drawn_ = 0;
  std::array<Place, kPlaces> places_;
};

class UndoSimulation {
 public:
  explicit UndoSimulation(std::uint64_t seed)
      : random_(seed), undo_max_(seed % 3 == 0 ? 5 : 1000), model_(undo_max_) {
    start();
  }
  void run() {
    for (int i = 0; i < kUndoSteps && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      step();
    }
  }

 private:
  void start() {
    room_.reset();
    room_ = std::make_unique<RoomWithLog>(folder_.file(), undo_max_);
    for (std::size_t i = 0; i < kUsers; ++i) {
      users_[i] = room_->room().join({.identity = "user " + std::to_string(i), .payer = "1"})->number;
      known_.push_back(users_[i]);
    }
  }
  Actor actor(UserNumber user) const { return {.user = user, .payer = "1", .rights = {.moderate = true}}; }
  std::uint16_t place() { return static_cast<std::uint16_t>(random_.below(kPlaces)); }
  UserNumber user() { return users_[random_.below(kUsers)]; }
  std::int64_t moment() {
    return kStart + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(now_ - kStart)));
  }

  void step() {
    const std::uint64_t what = random_.below(20);
    if (what == 0) {
      model_.restart();
      start();
    } else if (what < 4) {
      undo_user();
    } else if (what < 6) {
      as_at();
    } else {
      for (std::uint64_t i = random_.below(4); i < 4; ++i) random_.below(3) == 0 ? undo() : draw();
    }
    finish_tick();
  }
  void draw() {
    const std::uint16_t at = place();
    // Of several strokes of a place in one tick the log has one.
    if (model_.is_drawn_at(at, now_)) return;
    const UserNumber who = user();
    const canvas::Pixel pixel{.x = x_of_place(at), .y = 0, .colour = ++colour_};
    ASSERT_EQ(room_->room().draw(actor(who), std::span(&pixel, 1), {}, {}).accepted, 1U);
    model_.draw(at, who, pixel.colour, now_);
  }
  void undo() {
    const UserNumber who = user();
    const auto count = static_cast<std::uint32_t>(1 + random_.below(3));
    EXPECT_EQ(room_->room().undo(actor(who), count, {}).accepted, model_.undo(who, count, now_));
  }
  void undo_user() {
    const UserNumber whom =
        known_[known_.size() - 1 - random_.below(std::min<std::size_t>(known_.size(), 5))];
    const std::int64_t since = random_.below(3) == 0 ? 0 : moment();
    restore({.kind = Kind::undo_user, .user = whom, .at_ms = since}, model_.places_of(whom, since));
  }
  void as_at() {
    const std::int64_t at = moment();
    auto places = model_.changed_after(at);
    if (random_.below(2) == 0) return restore({.kind = Kind::rollback, .at_ms = at}, places);
    const std::uint16_t only = place();
    const bool is_changed = places.contains(only);
    restore({.kind = Kind::undo_area,
             .area = {.x = x_of_place(only), .y = 0, .width = 1, .height = 1},
             .at_ms = at},
            is_changed ? std::set{only} : std::set<std::uint16_t>());
  }
  // People draw between the question and the answer, too.
  void restore(const ModerationEvent& event, const std::set<std::uint16_t>& places) {
    const auto found = room_->find(event);
    const bool is_alone = random_.below(3) != 0;
    if (!is_alone) draw();
    std::array<canvas::Shown, kPlaces> before{};
    for (std::uint16_t at = 0; at < kPlaces; ++at) before[at] = shown_at(at);
    const auto count = room_->room().restore(actor(users_[0]), event, found);
    ASSERT_TRUE(count);
    if (event.kind == Kind::undo_user) {
      model_.undo_user(places, event.user, event.at_ms);
    } else {
      model_.as_at(places, event.at_ms);
    }
    std::size_t changed = 0;
    for (std::uint16_t at = 0; at < kPlaces; ++at) changed += before[at] != shown_at(at) ? 1 : 0;
    EXPECT_EQ(*count, changed);
  }
  canvas::Shown shown_at(std::uint16_t at) const {
    const Stroke* const visible = model_.visible(at);
    if (visible == nullptr) return {.author = 0, .colour = 0xffffff};
    return {.author = visible->user, .colour = visible->colour};
  }
  void finish_tick() {
    room_->finish_tick(now_);
    model_.finish_tick(now_);
    now_ += 10;
    for (std::uint16_t at = 0; at < kPlaces; ++at) {
      const auto& board = room_->room().board();
      const canvas::Shown shown{.author = board.author_at(x_of_place(at), 0),
                                .colour = board.colour_at(x_of_place(at), 0)};
      EXPECT_EQ(shown, shown_at(at)) << at;
    }
  }

  SeededRandom random_;
  const std::size_t undo_max_;
  Folder folder_{fast_folder()};
  std::unique_ptr<RoomWithLog> room_;
  Model model_;
  std::array<UserNumber, kUsers> users_{};
  std::vector<UserNumber> known_;  // over all restarts
  std::int64_t now_ = kStart + 10;
  Colour colour_ = 0;  // each stroke has another one
};

TEST(UndoModel, VisibleIsTheNewestStrokeThatNobodyHasTakenBack) {
  const char* const more = std::getenv("CANVAS_SEEDS");
  const int seeds = more == nullptr ? 6 : std::atoi(more);
  for (int seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    UndoSimulation(static_cast<std::uint64_t>(seed)).run();
  }
}

}  // namespace
}  // namespace fanfare::canvasstore
