// Logs of shared rooms at a real broker: two instances read what one writes, in order; snapshots, and messages that are not stored.
#include "gateway/canvas_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nats/nats.h>

#include <atomic>
#include <string>
#include <vector>

#include "relay/nats_server_for_tests.h"
#include "relay/operator_for_tests.h"

namespace fanfare::gateway {
namespace {

using relay::eventually;
using testing::ElementsAre;

class TestReader final : public canvasserver::SharedLogReader {
 public:
  bool on_entry(Position position, SharedBytes entry) override {
    const std::scoped_lock lock(mutex_);
    if (is_full_) return false;
    entries_.emplace_back(as_text(entry.view()));
    last_ = position;
    return true;
  }
  void on_lost(Position until) override {
    const std::scoped_lock lock(mutex_);
    last_ = until;
  }
  void on_current() override { is_current = true; }
  bool on_snapshot_part(SharedBytes part) override {
    const std::scoped_lock lock(mutex_);
    parts_.emplace_back(as_text(part.view()));
    return true;
  }
  void on_snapshots_read() override { ++snapshots_read; }
  void on_up(bool up) override { is_up = up; }
  void on_told(SharedBytes message) override {
    const std::scoped_lock lock(mutex_);
    told_.emplace_back(as_text(message.view()));
  }

  std::vector<std::string> entries() const { return copy(entries_); }
  std::vector<std::string> parts() const { return copy(parts_); }
  std::vector<std::string> told() const { return copy(told_); }
  Position last() const { return copy(last_); }
  void set_full(bool is_full) {
    const std::scoped_lock lock(mutex_);
    is_full_ = is_full;
  }

  std::atomic<bool> is_current = false;
  std::atomic<bool> is_up = false;
  std::atomic<int> snapshots_read = 0;

 private:
  template <typename Value>
  Value copy(const Value& value) const {
    const std::scoped_lock lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::string> entries_;
  std::vector<std::string> parts_;
  std::vector<std::string> told_;
  Position last_;
  bool is_full_ = false;
};

struct TestInstance {
  explicit TestInstance(const std::string& url)
      : relay({.servers = {url},
               .heartbeat = std::chrono::milliseconds(200),
               .reconnect_wait = std::chrono::milliseconds(20)}),
        log(relay.open("main")) {
    log->start(reader);
  }
  void read(Position after = {}) {
    log->read(after);
    EXPECT_TRUE(eventually([&] { return reader.is_up && reader.is_current; }));
  }
  bool append(std::string_view text) {
    std::atomic<int> answer = -1;
    EXPECT_TRUE(
        log->append(SharedBytes(as_bytes(text)), [&](bool is_stored) { answer = is_stored ? 1 : 0; }));
    EXPECT_TRUE(eventually([&] { return answer >= 0; }));
    return answer == 1;
  }

  CanvasRelay relay;
  TestReader reader;
  std::unique_ptr<canvasserver::SharedLog> log;
};

TEST(CanvasRelay, AllReadWhatOneWritesInOrderAndGoOnWhereTheyWere) {
  relay::NatsServer server;
  TestInstance one(server.url());
  TestInstance two(server.url());
  one.read();
  two.read();
  EXPECT_TRUE(one.append("a"));
  EXPECT_TRUE(two.append("b"));
  for (TestInstance* const each : {&one, &two})
    EXPECT_TRUE(eventually([&] { return each->reader.entries() == std::vector<std::string>{"a", "b"}; }));
  EXPECT_EQ(one.reader.last(), two.reader.last());
  const Position position = one.reader.last();
  // What a full room did not take comes again, before what follows.
  two.reader.set_full(true);
  EXPECT_TRUE(one.append("c"));
  server.kill();
  EXPECT_TRUE(eventually([&] { return !one.reader.is_up; }));
  server.start();
  EXPECT_TRUE(one.append("d"));
  two.reader.set_full(false);
  EXPECT_TRUE(
      eventually([&] { return two.reader.entries() == std::vector<std::string>{"a", "b", "c", "d"}; }));
  TestInstance three(server.url());
  three.read(position);
  EXPECT_TRUE(eventually([&] { return three.reader.entries() == std::vector<std::string>{"c", "d"}; }));
}

TEST(CanvasRelay, SnapshotsAreReadWhenTheyAreAskedForAndWhatIsToldIsNotStored) {
  relay::NatsServer server;
  TestInstance one(server.url());
  TestInstance two(server.url());
  one.read();
  two.read();
  std::atomic<int> stored = 0;
  for (const std::string_view part : {"p", "q"})
    EXPECT_TRUE(one.log->append_snapshot_part(SharedBytes(as_bytes(part)),
                                              [&](bool done) { stored += done ? 1 : 0; }));
  EXPECT_TRUE(eventually([&] { return stored == 2; }));
  for (int i = 1; i <= 2; ++i) {
    two.log->read_snapshots();
    EXPECT_TRUE(eventually([&] { return two.reader.snapshots_read == i; }));
  }
  EXPECT_THAT(two.reader.parts(), ElementsAre("p", "q", "p", "q"));
  EXPECT_THAT(one.reader.parts(), ElementsAre());
  EXPECT_TRUE(eventually([&] {
    one.log->tell(SharedBytes(as_bytes("hello")));
    return !two.reader.told().empty();
  }));
  EXPECT_EQ(two.reader.told().front(), "hello");
  two.log->stop();
  const std::size_t told = two.reader.told().size();
  EXPECT_TRUE(one.append("e"));
  EXPECT_THAT(two.reader.entries(), ElementsAre());
  EXPECT_EQ(two.reader.told().size(), told);
}

TEST(CanvasRelay, AMessageOfSomebodyElseIsAnEntryWithoutContent) {
  relay::NatsServer server;
  const relay::Operator person(server);
  TestInstance one(server.url());
  one.read();
  EXPECT_TRUE(one.append("a"));
  EXPECT_EQ(js_Publish(nullptr, person.context(), "fanfare.canvas=3Amain=3Alog.0", "x", 1, nullptr, nullptr),
            NATS_OK);
  EXPECT_TRUE(eventually([&] { return one.reader.entries().size() == 2; }));
  EXPECT_TRUE(one.append("b"));
  TestInstance late(server.url());
  late.read();
  for (TestInstance* const each : {&one, &late})
    EXPECT_TRUE(eventually([&] { return each->reader.entries() == std::vector<std::string>{"a", "", "b"}; }));
  EXPECT_EQ(one.reader.last(), late.reader.last());
}

}  // namespace
}  // namespace fanfare::gateway
