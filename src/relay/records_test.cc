#include "relay/records.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "relay/nats_server_for_tests.h"

namespace fanfare::relay {
namespace {

using Failure = RecordBroker::Failure;

// One instance: what it is asked, and answers for its calls that wait for them.
class RecordInstance final : public RecordUser {
 public:
  explicit RecordInstance(const NatsServer& server, std::uint64_t id, RecordOptions records = options())
      : records_({.servers = {server.url()}, .reconnect_wait = std::chrono::milliseconds(20)},
                 std::move(records), id) {
    records_.start(*this);
  }
  ~RecordInstance() {
    hang(false);
    records_.stop();
  }
  RecordInstance(const RecordInstance&) = delete;
  RecordInstance& operator=(const RecordInstance&) = delete;
  static RecordOptions options() { return {.what = "sessions", .age_max = std::chrono::hours(1)}; }

  std::string on_asked(std::string_view question) override {
    hangs_.wait(true);
    return "answer to " + std::string(question);
  }
  void on_forgotten() override { ++forgotten; }
  void on_tick(Instant /*now*/) override {}

  std::atomic<int> forgotten = 0;

  bool is_up() const { return records_.is_up(); }
  void stop() { records_.stop(); }
  void hang(bool hangs) {
    hangs_ = hangs;
    hangs_.notify_all();
  }
  std::expected<std::uint64_t, Failure> put(const std::string& key, const std::string& value,
                                            std::uint64_t after) {
    return wait<std::expected<std::uint64_t, Failure>>(
        [&](auto done) { records_.put(key, value, after, std::move(done)); });
  }
  std::expected<std::optional<RecordBroker::Stored>, Failure> get(const std::string& key) {
    return wait<std::expected<std::optional<RecordBroker::Stored>, Failure>>(
        [&](auto done) { records_.get(key, std::move(done)); });
  }
  std::optional<std::string> ask(std::uint64_t instance, const std::string& question) {
    return wait<std::optional<std::string>>(
        [&](auto done) { records_.ask(instance, question, std::move(done)); });
  }

 private:
  // Calls on the records' thread, as its user does.
  template <typename Result>
  Result wait(std::function<void(UniqueFunction<void(Result)>)> call) {
    struct State {
      std::mutex mutex;
      std::optional<Result> result;
    };
    const auto state = std::make_shared<State>();
    records_.post([call = std::move(call), state] {
      call([state](Result result) {
        const std::scoped_lock lock(state->mutex);
        state->result.emplace(std::move(result));
      });
    });
    EXPECT_TRUE(eventually([&] {
      const std::scoped_lock lock(state->mutex);
      return state->result.has_value();
    }));
    return *state->result;
  }

  std::atomic<bool> hangs_ = false;
  Records records_;
};

TEST(Records, AreWrittenOnlyBehindTheRevisionThatTheWriterKnows) {
  const NatsServer server;
  RecordInstance one(server, 1);
  RecordInstance two(server, 2);
  ASSERT_TRUE(eventually([&] { return one.is_up() && two.is_up(); }));
  const std::string bytes("\0\x01 any \xff bytes", 14);
  const auto first = one.put("aa", bytes, 0);
  ASSERT_TRUE(first);
  EXPECT_EQ(two.put("aa", "other", 0), std::unexpected(Failure::conflict));
  const auto seen = two.get("aa");
  ASSERT_TRUE(seen && *seen);
  EXPECT_EQ((*seen)->value, bytes);
  EXPECT_EQ((*seen)->revision, *first);
  const auto second = two.put("aa", "other", *first);
  ASSERT_TRUE(second);
  EXPECT_EQ(one.put("aa", "late", *first), std::unexpected(Failure::conflict));
  EXPECT_EQ((*one.get("aa"))->value, "other");
  const auto none = one.get("bb");
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST(Records, AnInstanceAnswersAndOneThatIsGoneDoesNot) {
  const NatsServer server;
  RecordInstance one(server, 1);
  RecordInstance two(server, 2);
  ASSERT_TRUE(eventually([&] { return one.is_up() && two.is_up(); }));
  EXPECT_EQ(one.ask(2, "q"), "answer to q");
  const Instant asked = system_clock().now();
  EXPECT_EQ(one.ask(3, "q"), std::nullopt);
  two.stop();
  EXPECT_EQ(one.ask(2, "q"), std::nullopt);
  // The broker says so: nobody waits for kAskWait twice.
  EXPECT_LT(system_clock().now() - asked, 2 * Records::kAskWait);
}

TEST(Records, AnInstanceThatHangsIsNotWaitedForLong) {
  const NatsServer server;
  RecordInstance one(server, 1);
  RecordInstance two(server, 2);
  ASSERT_TRUE(eventually([&] { return one.is_up() && two.is_up(); }));
  two.hang(true);
  EXPECT_EQ(one.ask(2, "q"), std::nullopt);
}

TEST(Records, SurviveARestartOfTheBrokerWhichIsAwayMeanwhile) {
  NatsServer server;
  RecordInstance one(server, 1);
  ASSERT_TRUE(eventually([&] { return one.is_up(); }));
  const auto first = one.put("aa", "kept", 0);
  ASSERT_TRUE(first);
  server.kill();
  EXPECT_TRUE(eventually([&] { return !one.is_up(); }));
  EXPECT_EQ(one.put("aa", "lost", *first), std::unexpected(Failure::away));
  EXPECT_EQ(one.get("aa").error(), Failure::away);
  EXPECT_EQ(one.ask(1, "q"), std::nullopt);
  server.start();
  ASSERT_TRUE(eventually([&] { return one.is_up(); }));
  EXPECT_EQ((*one.get("aa"))->value, "kept");
  EXPECT_TRUE(one.put("aa", "next", *first));
  EXPECT_EQ(one.ask(1, "q"), "answer to q");
  EXPECT_EQ(one.forgotten, 0);
}

TEST(Records, AnInstanceLearnsThatTheBrokerCameBackWithAnOlderState) {
  NatsServer server;
  RecordInstance one(server, 1);
  ASSERT_TRUE(eventually([&] { return one.is_up(); }));
  const auto first = one.put("aa", "x", 0);
  ASSERT_TRUE(first);
  server.kill();
  const auto older = server.folder() / "older";
  std::filesystem::copy(server.data(), older, std::filesystem::copy_options::recursive);
  server.start();
  ASSERT_TRUE(eventually([&] { return one.is_up(); }));
  ASSERT_TRUE(one.put("aa", "y", *first));
  EXPECT_EQ(one.forgotten, 0);
  server.kill();
  std::filesystem::remove_all(server.data());
  std::filesystem::rename(older, server.data());
  server.start();
  EXPECT_TRUE(eventually([&] { return one.forgotten == 1; }));
}

// In memory: the stream is gone after a restart.
TEST(Records, AStreamThatIsGoneIsCreatedAgain) {
  NatsServer server;
  auto one = std::make_unique<RecordInstance>(server, 1);
  ASSERT_TRUE(eventually([&] { return one->is_up(); }));
  const auto first = one->put("aa", "x", 0);
  ASSERT_TRUE(first);
  server.kill();
  std::filesystem::remove_all(server.data());
  server.start();
  ASSERT_TRUE(eventually([&] { return one->is_up(); }));
  EXPECT_TRUE(eventually([&] { return one->forgotten == 1; }));
  EXPECT_FALSE(*one->get("aa"));
  EXPECT_EQ(one->put("aa", "y", *first), std::unexpected(Failure::conflict));
  EXPECT_TRUE(one->put("aa", "y", 0));
}

TEST(Records, AFullStreamRefusesAndKeepsTheOthers) {
  const NatsServer server;
  RecordInstance one(server, 1,
                     {.what = "sessions", .age_max = std::chrono::hours(1), .bytes_max = 64U << 10U});
  ASSERT_TRUE(eventually([&] { return one.is_up(); }));
  const std::string value(10'000, 'x');
  std::uint64_t stored = 0;
  while (one.put("key" + std::to_string(stored), value, 0)) ++stored;
  EXPECT_GT(stored, 4U);
  EXPECT_LT(stored, 7U);
  for (std::uint64_t i = 0; i < stored; ++i) EXPECT_TRUE(*one.get("key" + std::to_string(i)));
}

TEST(Records, OneThatIsNotWrittenAgainIsForgotten) {
  const NatsServer server;
  RecordInstance one(server, 1, {.what = "sessions", .age_max = std::chrono::milliseconds(300)});
  ASSERT_TRUE(eventually([&] { return one.is_up(); }));
  ASSERT_TRUE(one.put("aa", "x", 0));
  EXPECT_TRUE(eventually([&] { return !*one.get("aa"); }));
}

TEST(Records, InstancesThatCreateTheStreamAtOnceHaveOne) {
  const NatsServer server;
  std::vector<std::unique_ptr<RecordInstance>> instances;
  for (std::uint64_t id = 1; id <= 8; ++id) instances.push_back(std::make_unique<RecordInstance>(server, id));
  std::uint64_t revision = 0;
  for (const auto& one : instances) {
    ASSERT_TRUE(eventually([&] { return one->is_up(); }));
    const auto next = one->put("aa", "x", revision);
    ASSERT_TRUE(next);
    revision = *next;
  }
}

}  // namespace
}  // namespace fanfare::relay
