#pragma once
// For tests only: several instances and one broker without threads.

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "eth/cursor.h"
#include "gateway/shared_sessions.h"

namespace fanfare::gateway {

inline eth::Mark mark(std::uint64_t number) {
  return eth::mark_of(
      eth::to_cursor({.number = number, .hash = {}, .logs_told = eth::Position::kAll, .ancestors = {}}));
}

// What all instances see.
struct FakeBroker {
  std::map<std::string, relay::RecordBroker::Stored> records;
  std::uint64_t last = 0;
  bool is_up = true;
  bool loses_acknowledgements = false;
  int puts = 0;
  std::set<std::uint64_t> hanging;  // instances
  std::map<std::uint64_t, relay::RecordUser*> users;
};

// One instance's connection to it. Answers come when they are asked for.
class FakeConnection final : public relay::RecordBroker {
 public:
  explicit FakeConnection(FakeBroker& broker) : broker_(broker) {}

  bool is_up() const override { return broker_.is_up; }
  void get(const std::string& key, Got done) override {
    tasks_.emplace_back([this, key, done = std::move(done)]() mutable {
      if (!broker_.is_up) return done(std::unexpected(Failure::away));
      const auto found = broker_.records.find(key);
      if (found == broker_.records.end()) return done(std::nullopt);
      done(found->second);
    });
  }
  void put(const std::string& key, std::string value, std::uint64_t after, Done done) override {
    tasks_.emplace_back([this, key, value = std::move(value), after, done = std::move(done)]() mutable {
      if (!broker_.is_up) return done(std::unexpected(Failure::away));
      const auto found = broker_.records.find(key);
      const std::uint64_t now = found == broker_.records.end() ? 0 : found->second.revision;
      if (now != after) return done(std::unexpected(Failure::conflict));
      ++broker_.puts;
      broker_.records[key] = {.value = std::move(value), .revision = ++broker_.last};
      if (broker_.loses_acknowledgements) return done(std::unexpected(Failure::away));
      done(broker_.last);
    });
  }
  void ask(std::uint64_t instance, std::string question, Answered done) override {
    tasks_.emplace_back([this, instance, question = std::move(question), done = std::move(done)]() mutable {
      const auto user = broker_.users.find(instance);
      const bool answers =
          broker_.is_up && user != broker_.users.end() && !broker_.hanging.contains(instance);
      done(answers ? std::optional(user->second->on_asked(question)) : std::nullopt);
    });
  }
  void post(UniqueFunction<void()> task) override { tasks_.push_back(std::move(task)); }
  std::size_t bytes_max() const override { return broker_bytes_max; }
  void want_larger() override { ++wants_of_larger; }

  std::size_t broker_bytes_max = 100'000;
  int wants_of_larger = 0;

  // False: there is nothing to do.
  bool step() {
    if (tasks_.empty()) return false;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }

 private:
  FakeBroker& broker_;
  std::deque<UniqueFunction<void()>> tasks_;
};

struct SharedInstance {
  SharedInstance(FakeBroker& its_broker, ManualClock& its_clock, std::uint64_t its_id,
                 const SharedSessionLimits& limits = {}, const eth::ResumeLimits& store_limits = {})
      : broker(its_broker),
        clock(its_clock),
        id(its_id),
        connection(broker),
        shared(connection, id, limits, clock),
        store(std::make_shared<eth::MemoryResumeStore>(store_limits, clock, nullptr)) {
    broker.users[id] = &shared;
    shared.add(store);
  }
  ~SharedInstance() { broker.users.erase(id); }
  SharedInstance(const SharedInstance&) = delete;
  SharedInstance& operator=(const SharedInstance&) = delete;

  void run() {
    while (connection.step()) {
    }
    shared.on_tick(clock.now());
    while (connection.step()) {
    }
  }
  using Result = std::expected<eth::ResumeLease, SharedSessions::Refused>;
  std::shared_ptr<std::optional<Result>> open_later() {
    auto result = std::make_shared<std::optional<Result>>();
    shared.open(store, {.key = {1}, .counts_for = "ann", .identity = nullptr},
                [result](Result got) { result->emplace(std::move(got)); });
    return result;
  }
  Result open() {
    auto result = open_later();
    run();
    EXPECT_TRUE(result->has_value());
    return std::move(**result);
  }

  FakeBroker& broker;
  ManualClock& clock;
  const std::uint64_t id;
  FakeConnection connection;
  SharedSessions shared;
  std::shared_ptr<eth::MemoryResumeStore> store;
};

// A client's connection with one subscription.
struct SharedClient {
  explicit SharedClient(SharedInstance::Result result) : lease(*std::move(result)) {
    is_watching = lease.watch([this] { ++taken; });
    claim = *lease.record().claim(lease.owner(), eth::hash_of_topic("newHeads"), {.high = 0, .low = 1});
  }
  void note(std::uint64_t number) {
    is_sent = lease.record().note(lease.owner(), claim.slot, mark(number), eth::ResumeRecord::Change::adds);
  }
  void confirm() {
    lease.record().ping(lease.owner());
    lease.record().pong(lease.owner());
  }
  std::uint64_t from() const { return claim.point ? claim.point->from.number : 0; }

  eth::ResumeLease lease;
  eth::ResumeRecord::Claim claim;
  int taken = 0;
  bool is_watching = false;
  bool is_sent = false;
};

struct SharedWorld {
  FakeBroker broker;
  ManualClock clock;
  SharedInstance one{broker, clock, 1};
  SharedInstance two{broker, clock, 2};

  std::string key() const { return broker.records.begin()->first; }
  eth::SharedSession stored() const { return *eth::decode_session(broker.records.begin()->second.value); }
};

}  // namespace fanfare::gateway
