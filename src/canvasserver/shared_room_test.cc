// Instances that share a room over a broker of the test, which loses, repeats and forgets what the test says. All instances have the
// same state, byte for byte, and what was answered is in it.
#include "canvasserver/shared_room.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace fanfare::canvasserver {
namespace {

using std::chrono::milliseconds;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

canvas::RoomSpec small_spec() {
  return {.width = 300, .height = 300, .palette = {0xFFFFFF, 0xFF0000, 0x00FF00}};
}

struct TestBroker {
  std::uint64_t epoch = 5;
  std::uint64_t first = 1;  // the oldest entry that is kept
  std::vector<SharedBytes> log;
  std::vector<SharedBytes> snapshots;
  bool is_up = true;
  bool loses_answers = false;  // an entry is stored, and nobody knows
  std::vector<class TestLog*> logs;
};

// What the room asks is done in deliver().
class TestLog final : public SharedLog {
 public:
  explicit TestLog(TestBroker& broker) : broker_(broker) { broker_.logs.push_back(this); }
  ~TestLog() override { std::erase(broker_.logs, this); }

  void start(SharedLogReader& reader) override {
    reader_ = &reader;
    reader.on_up(broker_.is_up);
  }
  void stop() override { reader_ = nullptr; }
  void read(Position after) override {
    at_ = after;
    is_reading_ = true;
    is_told_current_ = false;
  }
  void read_snapshots() override { reads_snapshots_ = true; }
  bool append(SharedBytes entry, Done done) override {
    if (!broker_.is_up) return false;
    broker_.log.push_back(std::move(entry));
    answers_.emplace_back(std::move(done), !broker_.loses_answers);
    return true;
  }
  bool append_snapshot_part(SharedBytes part, Done done) override {
    broker_.snapshots.push_back(std::move(part));
    answers_.emplace_back(std::move(done), true);
    return true;
  }
  void tell(SharedBytes message) override {
    if (!broker_.is_up) return;
    for (TestLog* const log : broker_.logs) {
      if (log->reader_ != nullptr && !log->is_deaf) log->reader_->on_told(message);
    }
  }

  // At most so many entries. False: there was nothing.
  bool deliver(std::size_t entries_max) {
    if (reader_ == nullptr || !broker_.is_up) return false;
    bool did = !answers_.empty();
    for (auto& [done, is_stored] : std::exchange(answers_, {})) done(is_stored);
    if (std::exchange(reads_snapshots_, false)) {
      did = true;
      for (const SharedBytes& part : broker_.snapshots) reader_->on_snapshot_part(part);
      reader_->on_snapshots_read();
    }
    return deliver_entries(entries_max) || did;
  }
  void set_up(bool is_up) { reader_->on_up(is_up); }

  bool is_deaf = false;

 private:
  bool deliver_entries(std::size_t entries_max) {
    if (!is_reading_) return false;
    bool did = false;
    const std::uint64_t next = std::max(broker_.first, at_.epoch == broker_.epoch ? at_.offset + 1 : 0);
    if (at_.epoch != broker_.epoch || next != at_.offset + 1) {
      at_ = {.epoch = broker_.epoch, .offset = next - 1};
      reader_->on_lost(at_);
      did = true;
    }
    for (std::size_t i = 0; i < entries_max && at_.offset < broker_.log.size(); ++i) {
      const Position position{.epoch = broker_.epoch, .offset = at_.offset + 1};
      if (!reader_->on_entry(position, broker_.log[at_.offset])) break;
      at_ = position;
      did = true;
    }
    if (at_.offset == broker_.log.size() && !std::exchange(is_told_current_, true)) {
      reader_->on_current();
      did = true;
    }
    return did;
  }

  TestBroker& broker_;
  SharedLogReader* reader_ = nullptr;
  Position at_;
  bool is_reading_ = false;
  bool is_told_current_ = false;
  bool reads_snapshots_ = false;
  std::vector<std::pair<Done, bool>> answers_;
};

// An instance without its clients.
class TestInstance {
 public:
  TestInstance(TestBroker& broker, canvas::InstanceId id) {
    auto log = std::make_unique<TestLog>(broker);
    log_ = log.get();
    shared_ = std::make_unique<SharedRoom>(
        std::move(log), id,
        SharedRoom::Host{.room = [this]() -> canvas::Room& { return *room_; },
                         .renew = [this](std::uint64_t epoch) -> canvas::Room& { return renew(epoch); },
                         .begin_past = [](std::int64_t) {},
                         .applied = [](const canvas::Tick&, std::int64_t) {},
                         .began = [] {},
                         .close_clients = [this] { ++closed; },
                         .post = [this](UniqueFunction<void(SharedRoom&)> task) { post(std::move(task)); },
                         .told =
                             [this](const SharedBytes& message) {
                               // A sign of life: the instance is behind the kind.
                               canvas::InstanceId from = 0;
                               for (int i = 8; i > 0; --i)
                                 from = (from << 8U) | message.view()[static_cast<std::size_t>(i)];
                               shared_->heard(from, now_);
                               if (message.view()[0] == static_cast<std::uint8_t>(Told::state_wanted))
                                 shared_->state_wanted(now_);
                             }});
    shared_->start();
  }
  ~TestInstance() { shared_->stop(); }
  TestInstance(const TestInstance&) = delete;
  TestInstance& operator=(const TestInstance&) = delete;

  // False: nothing was to be done.
  bool step(Instant now, std::size_t entries_max = 1000) {
    now_ = now;
    bool did = log_->deliver(entries_max);
    did = run_tasks() || did;
    did = shared_->has_entries() || did;
    shared_->advance(now);
    shared_->poll(now, 1000);
    return run_tasks() || did;
  }
  SharedUsers::Id join(const std::string& identity, canvas::UserNumber* number) {
    return shared_->join({.identity = identity, .name = identity, .payer = "1.2.3.4"},
                         [number](canvas::UserNumber user) { *number = user; });
  }
  void draw(canvas::UserNumber user, std::uint16_t x, canvas::Colour colour) {
    shared_->add(canvas::SharedDraw{.user = user, .pixels = {{.x = x, .y = 0, .colour = colour}}},
                 [this, x](const SharedOutbox::Result& result) {
                   if (!result.error) answered.push_back(x);
                 });
  }
  canvas::Colour at(std::uint16_t x) const { return room_->board().colour_at(x, 0); }
  std::vector<std::uint8_t> bytes() const {
    std::vector<std::uint8_t> saved;
    canvas::WireWriter out(saved);
    room_->save_state(out);
    return saved;
  }
  canvas::Room& room() { return *room_; }
  SharedRoom& shared() { return *shared_; }
  TestLog& log() { return *log_; }

  std::vector<std::uint16_t> answered;  // x of the pixels
  int closed = 0;

 private:
  canvas::Room& renew(std::uint64_t epoch) {
    room_ = std::make_unique<canvas::Room>(
        canvas::RoomOptions{.spec = small_spec(), .limits = canvas::shared_limits({}), .epoch = epoch});
    return *room_;
  }
  void post(UniqueFunction<void(SharedRoom&)> task) {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  bool run_tasks() {
    std::deque<UniqueFunction<void(SharedRoom&)>> tasks;
    {
      const std::scoped_lock lock(mutex_);
      tasks = std::exchange(tasks_, {});
    }
    for (auto& task : tasks) task(*shared_);
    return !tasks.empty();
  }

  std::unique_ptr<canvas::Room> room_;
  std::mutex mutex_;  // guards tasks_: a snapshot is packed on a thread of its own
  std::deque<UniqueFunction<void(SharedRoom&)>> tasks_;
  TestLog* log_ = nullptr;
  Instant now_{};
  std::unique_ptr<SharedRoom> shared_;
};

class SharedRoomTest : public testing::Test {
 protected:
  TestInstance& begin() {
    return *instances_.emplace_back(std::make_unique<TestInstance>(broker_, ++last_id_));
  }
  // Time passes until it is true. Snapshots are packed on threads, so this cannot be counted in steps.
  template <typename True>
  void run_until(True is_true) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!is_true()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      pass(milliseconds(20));
    }
  }
  void pass(Duration time) {
    for (Duration passed{}; passed < time; passed += milliseconds(20)) {
      now_ += milliseconds(20);
      for (const auto& one : instances_) one->step(now_);
    }
  }
  void settle() { pass(milliseconds(200)); }
  bool all_ready() const {
    return std::ranges::all_of(instances_, [](const auto& one) { return one->shared().is_ready(); });
  }
  void set_up(bool is_up) {
    broker_.is_up = is_up;
    for (const auto& one : instances_) one->log().set_up(is_up);
  }
  void expect_equal() {
    settle();
    for (const auto& one : instances_) {
      EXPECT_TRUE(one->shared().is_ready());
      EXPECT_EQ(one->bytes(), instances_[0]->bytes());
    }
  }
  canvas::UserNumber join(TestInstance& one, const std::string& identity) {
    canvas::UserNumber number = 0;
    one.join(identity, &number);
    run_until([&] { return number != 0; });
    return number;
  }

  TestBroker broker_;
  std::vector<std::unique_ptr<TestInstance>> instances_;
  canvas::InstanceId last_id_ = 100;
  Instant now_{std::chrono::seconds(1000)};
};

TEST_F(SharedRoomTest, WhatOneDrawsAllHaveAndTheAnswerComesWithIt) {
  TestInstance& a = begin();
  TestInstance& b = begin();
  run_until([&] { return all_ready(); });
  const canvas::UserNumber anna = join(a, "s:anna");
  EXPECT_EQ(join(b, "s:anna"), anna);
  const canvas::UserNumber ben = join(b, "s:ben");
  EXPECT_NE(ben, anna);
  a.draw(anna, 3, 1);
  b.draw(ben, 3, 2);
  EXPECT_THAT(a.answered, IsEmpty());
  settle();
  EXPECT_THAT(a.answered, ElementsAre(3));
  EXPECT_THAT(b.answered, ElementsAre(3));
  expect_equal();
  EXPECT_EQ(a.room().epoch(), 5U);
  EXPECT_EQ(a.room().presence().count(), 2U);
}

TEST_F(SharedRoomTest, AnEntryOfWhichNobodyKnowsIsWrittenAgainAndCountsOnce) {
  TestInstance& a = begin();
  TestInstance& b = begin();
  run_until([&] { return all_ready(); });
  const canvas::UserNumber anna = join(a, "s:anna");
  broker_.loses_answers = true;
  // Nothing of the log comes to it either, for a while.
  const std::size_t before = broker_.log.size();
  a.draw(anna, 4, 1);
  for (int i = 0; i < 30; ++i) a.step(now_ += milliseconds(20), 0);
  EXPECT_GT(broker_.log.size(), before + 1);
  broker_.loses_answers = false;
  const std::uint64_t pixels = b.room().pixels_total();
  settle();
  EXPECT_EQ(b.room().pixels_total(), pixels + 1);
  EXPECT_THAT(a.answered, ElementsAre(4));
  expect_equal();
}

TEST_F(SharedRoomTest, WhoLacksTheStateThatOthersHaveAsksForIt) {
  TestInstance& a = begin();
  run_until([&] { return all_ready(); });
  const canvas::UserNumber anna = join(a, "s:anna");
  a.draw(anna, 7, 2);
  settle();
  // The broker has forgotten everything. What the epoch began with is lost as well, before another instance has read it.
  broker_.log.clear();
  broker_.snapshots.clear();
  broker_.epoch = 6;
  run_until([&] { return !a.shared().is_ready(); });
  run_until([&] { return all_ready(); });
  broker_.snapshots.clear();
  TestInstance& b = begin();
  run_until([&] { return all_ready(); });
  EXPECT_EQ(b.at(7), 2);
  EXPECT_EQ(b.room().epoch(), 6U);
  a.draw(anna, 8, 1);
  settle();
  EXPECT_EQ(b.at(8), 1);
  expect_equal();
}

TEST_F(SharedRoomTest, WhileTheBrokerIsAwayNothingIsWrittenAndThenAllIs) {
  TestInstance& a = begin();
  begin();
  run_until([&] { return all_ready(); });
  const canvas::UserNumber anna = join(a, "s:anna");
  set_up(false);
  a.step(now_);
  EXPECT_FALSE(a.shared().is_writable());
  EXPECT_TRUE(a.shared().is_ready());
  a.draw(anna, 6, 2);  // accepted just before
  canvas::UserNumber refused = 99;
  a.join("s:new", &refused);
  EXPECT_EQ(refused, 0U);
  canvas::UserNumber known = 0;
  a.join("s:anna", &known);
  EXPECT_EQ(known, anna);
  pass(std::chrono::seconds(10));
  EXPECT_THAT(a.answered, IsEmpty());
  set_up(true);
  settle();
  EXPECT_THAT(a.answered, ElementsAre(6));
  EXPECT_EQ(a.closed, 0);
  expect_equal();
}

TEST_F(SharedRoomTest, UsersOfAnInstanceOfWhichNothingIsHeardLeaveAndReturnIfItWasThere) {
  TestInstance& a = begin();
  TestInstance& b = begin();
  run_until([&] { return all_ready(); });
  const canvas::UserNumber anna = join(a, "s:anna");
  const canvas::UserNumber stranger = join(a, "");
  join(b, "s:ben");
  EXPECT_EQ(join(b, "s:anna"), anna);
  pass(std::chrono::seconds(10));
  EXPECT_EQ(b.room().presence().count(), 3U) << "signs of life were heard";
  const auto run_b = [&](Duration time) {
    for (Duration passed{}; passed < time; passed += milliseconds(20)) b.step(now_ += milliseconds(20));
  };
  run_b(milliseconds(2900));
  EXPECT_EQ(b.room().presence().count(), 3U);
  run_b(milliseconds(1500));
  EXPECT_EQ(b.room().presence().count(), 2U);
  EXPECT_NE(b.room().presence().find(anna), nullptr) << "he is at the other one";
  EXPECT_EQ(b.room().presence().find(stranger), nullptr);
  settle();
  EXPECT_NE(b.room().presence().find(stranger), nullptr) << "with the number that his client knows";
  expect_equal();
  EXPECT_THAT(a.closed + b.closed, 0);
}

// The connection does not end when the broker is stopped.
TEST_F(SharedRoomTest, WhileTheBrokerHangsNobodyIsTakenForGone) {
  TestInstance& a = begin();
  TestInstance& b = begin();
  TestInstance& without_users = begin();
  run_until([&] { return all_ready(); });
  join(a, "s:anna");
  join(b, "s:ben");
  pass(std::chrono::seconds(5));
  const auto hang = [&](bool hangs) {
    for (const auto& one : instances_) one->log().is_deaf = hangs;
  };
  hang(true);
  pass(std::chrono::seconds(8));
  hang(false);
  pass(std::chrono::seconds(8));
  for (const auto& one : instances_) EXPECT_EQ(one->shared().counters().gone, 0U);
  EXPECT_EQ(without_users.room().presence().count(), 2U);
  // An instance without users still notices when the other instances are gone.
  a.log().is_deaf = b.log().is_deaf = true;
  std::erase(broker_.logs, &a.log());
  std::erase(broker_.logs, &b.log());
  for (Duration passed{}; passed < std::chrono::seconds(5); passed += milliseconds(20))
    without_users.step(now_ += milliseconds(20));
  EXPECT_EQ(without_users.room().presence().count(), 0U);
}

// Puts so many entries into the log that a snapshot is due.
TEST_F(SharedRoomTest, ANewInstanceBeginsWithASnapshotWhenTheLogHasForgotten) {
  TestInstance& a = begin();
  TestInstance& b = begin();
  run_until([&] { return all_ready(); });
  const canvas::UserNumber anna = join(a, "s:anna");
  a.draw(anna, 1, 1);
  for (std::uint64_t i = 0; i <= canvas::kSnapshotEntries; ++i) {
    a.draw(anna, static_cast<std::uint16_t>(10 + i % 200), 1 + i % 2);
    for (const auto& one : instances_) one->step(now_ += milliseconds(20));
  }
  run_until([&] { return a.shared().counters().snapshots + b.shared().counters().snapshots == 1; });
  a.draw(anna, 2, 2);
  settle();
  broker_.first = broker_.log.size() - 20;
  TestInstance& c = begin();
  run_until([&] { return c.shared().is_ready(); });
  expect_equal();
  EXPECT_EQ(c.at(1), 1U);
  EXPECT_EQ(c.at(2), 2U);
  // What is taken back is the same there.
  c.shared().add(canvas::SharedUndo{.user = anna, .count = 3}, {});
  settle();
  EXPECT_EQ(c.at(2), 0U);
  expect_equal();
}

TEST_F(SharedRoomTest, AnInstanceThatWasAwayForTooLongLoadsASnapshotAndItsClientsBeginAgain) {
  TestInstance& a = begin();
  TestInstance& b = begin();
  run_until([&] { return all_ready(); });
  const canvas::UserNumber anna = join(a, "s:anna");
  for (std::uint64_t i = 0; i <= canvas::kSnapshotEntries; ++i) {
    a.draw(anna, static_cast<std::uint16_t>(10 + i % 200), 1 + i % 2);
    a.step(now_ += milliseconds(20));
    a.step(now_);
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (a.shared().counters().snapshots == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    a.step(now_ += milliseconds(20));
  }
  broker_.first = broker_.log.size() - 20;
  run_until([&] { return b.closed == 1 && b.shared().is_ready(); });
  EXPECT_EQ(b.shared().counters().resets, 1U);
  EXPECT_EQ(a.closed, 0);
  expect_equal();
}

TEST_F(SharedRoomTest, WhenTheBrokerHasLostTheLogAllGoOnWithTheStateOfOne) {
  TestInstance& a = begin();
  TestInstance& b = begin();
  begin();
  run_until([&] { return all_ready(); });
  const canvas::UserNumber anna = join(a, "s:anna");
  a.draw(anna, 7, 1);
  settle();
  // It has what the others have not read yet.
  a.draw(anna, 8, 1);
  for (int i = 0; i < 5; ++i) a.step(now_ += milliseconds(20));
  EXPECT_EQ(a.at(8), 1U);
  EXPECT_EQ(b.at(8), 0U);
  set_up(false);
  broker_.log.clear();
  broker_.snapshots.clear();
  broker_.epoch = 6;
  // One that knows nothing must not begin for all.
  TestInstance& fresh = begin();
  set_up(true);
  run_until([&] { return all_ready() && a.room().epoch() == 6; });
  expect_equal();
  EXPECT_EQ(fresh.at(7), 1U);
  EXPECT_EQ(a.closed, 1) << "its clients know versions of the epoch before";
  EXPECT_EQ(b.closed, 1);
  // It goes on.
  TestInstance& again = *instances_[1];
  const canvas::UserNumber ben = join(again, "s:ben");
  again.draw(ben, 9, 2);
  settle();
  EXPECT_EQ(a.at(9), 2U);
  expect_equal();
}

TEST_F(SharedRoomTest, WhatNobodyCanReadIsPassedOverAndWhoeverCannotFollowTheLogStaysOut) {
  TestInstance& a = begin();
  run_until([&] { return all_ready(); });
  const canvas::UserNumber anna = join(a, "s:anna");
  broker_.log.emplace_back();
  a.draw(anna, 3, 1);
  settle();
  EXPECT_EQ(a.at(3), 1U);
  std::vector<std::uint8_t> newer(40, 0);
  newer[0] = 2;  // the format
  broker_.log.emplace_back(Bytes(newer));
  settle();
  EXPECT_FALSE(a.shared().is_ready());
  EXPECT_EQ(a.closed, 1);
}

}  // namespace
}  // namespace fanfare::canvasserver
