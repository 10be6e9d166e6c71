#pragma once
// For the tests of presence: a broker in memory, and instances that are killed, hang and lose answers at any of its steps. One thread; time
// passes when the test says so.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "relay/presence/topic_presence.h"

namespace fanfare::relay {

inline std::string text_of(const PresenceChange& change) {
  std::string text;
  for (const std::string& name : change.joined) text += "+" + name + " ";
  for (const std::string& name : change.left) text += "-" + name + " ";
  return text;
}

// What the broker keeps: the records of the topic "t", and its events.
struct Kept {
  struct Record {
    std::uint64_t sequence;
    std::optional<MemberLog> log;
    std::string bytes;
  };
  struct Event {
    std::uint64_t id;  // zero: not one of presence
    std::string text;
  };
  std::vector<Record> records;
  std::vector<Event> events;
  std::uint64_t last = 0;
  std::uint64_t epoch = 7;
  std::uint64_t first = 1;  // the oldest event that is kept
  std::size_t appended = 0;

  std::uint64_t last_of(const std::optional<MemberLog>& log) const {
    std::uint64_t found = 0;
    for (const Record& record : records) {
      if (record.log == log) found = record.sequence;
    }
    return found;
  }
  // Folds the events: who is in, as a client sees it. A member that is told twice is an error.
  std::set<std::string> told() const {
    std::set<std::string> in;
    for (const Event& event : events) {
      std::string text = event.text;
      while (event.id != 0 && !text.empty()) {
        const std::string name = text.substr(1, text.find(' ') - 1);
        EXPECT_TRUE(text[0] == '+' ? in.insert(name).second : in.erase(name) > 0)
            << text[0] << name << " is told twice";
        text.erase(0, name.size() + 2);
      }
    }
    return in;
  }
  std::size_t told_events() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(events, [](const auto& each) { return each.id != 0; }));
  }
};

enum class Fault : std::uint8_t {
  killed_before,  // the instance ends before the broker gets the request
  killed_after,   // and behind it
  answer_lost,
  request_lost,
  hangs,  // before the broker gets it
};
struct Killed {};

class TestBroker final : public PresenceBroker {
 public:
  explicit TestBroker(Kept& kept) : kept_(kept) {}

  Stored append(const PresenceSubject& subject, const std::string& record, std::uint64_t after) override {
    return step([&] {
      if (kept_.last_of(subject.log) != after) return Stored{.put = Put::refused};
      kept_.records.push_back({++kept_.last, subject.log, record});
      ++kept_.appended;
      return Stored{.put = Put::stored, .sequence = kept_.last};
    });
  }
  bool purge(const PresenceSubject& subject, std::uint64_t before) override {
    return step([&] {
             std::erase_if(kept_.records, [&](const auto& each) {
               return each.log == subject.log && (before == 0 || each.sequence < before);
             });
             return Stored{.put = Put::stored};
           }).put == Put::stored;
  }
  std::optional<StreamState> state_of(const std::string& /*topic*/) override {
    const auto asked = step([&] { return Stored{.put = Put::stored}; });
    if (asked.put != Put::stored) return std::nullopt;
    return StreamState{.epoch = kept_.epoch, .first = kept_.first, .last = kept_.events.size()};
  }
  std::optional<Searched> search(const std::string& /*topic*/, std::uint64_t event, std::uint64_t after,
                                 std::uint64_t until) override {
    const auto asked = step([&] { return Stored{.put = Put::stored}; });
    if (asked.put != Put::stored) return std::nullopt;
    Searched searched{.until = std::min(until, after + 3)};
    for (std::uint64_t at = std::max(after + 1, kept_.first); at <= searched.until; ++at)
      searched.is_found |= kept_.events[at - 1].id == event;
    return searched;
  }
  // It does not recognise an event that comes again.
  Stored publish(const std::string& /*topic*/, const SharedBytes& payload, std::uint64_t event,
                 std::uint64_t epoch, std::optional<std::uint64_t> after) override {
    if (before_publish) before_publish();
    return step([&] {
      if (payload.size() > payload_max) return Stored{.put = Put::impossible};
      if (epoch != kept_.epoch || (after && *after != kept_.events.size()))
        return Stored{.put = Put::refused};
      if (!after) ++unfenced;
      kept_.events.push_back({event, std::string(as_text(payload.view()))});
      return Stored{.put = Put::stored, .sequence = kept_.events.size()};
    });
  }

  // The step with this number, from 0, goes wrong.
  void fail_at(int number, Fault fault, std::function<void()> while_it_hangs = {}) {
    left_ = number;
    fault_ = fault;
    while_it_hangs_ = std::move(while_it_hangs);
  }
  bool has_failed() const { return left_ < 0; }

  bool is_away = false;
  std::size_t payload_max = SIZE_MAX;
  int unfenced = 0;
  std::function<void()> before_publish;

 private:
  template <typename Do>
  Stored step(Do&& act) {
    if (is_away) return {};
    if (!fault_ || left_ < 0 || left_-- > 0) return act();
    switch (*fault_) {
      case Fault::killed_before:
        throw Killed();
      case Fault::killed_after:
        act();
        throw Killed();
      case Fault::answer_lost:
        act();
        return {};
      case Fault::request_lost:
        return {};
      case Fault::hangs:
        while_it_hangs_();
        return act();
    }
    return {};
  }

  Kept& kept_;
  int left_ = 0;
  std::optional<Fault> fault_;
  std::function<void()> while_it_hangs_;
};

class PresenceWorld {
 public:
  struct One {
    One(PresenceWorld& world, std::uint64_t its_id, std::size_t members_max)
        : id(its_id),
          broker(world.kept),
          peers(its_id),
          random(its_id),
          presence({.broker = broker, .peers = peers, .random = random, .clock = world.clock}, "t", its_id,
                   {.interval = kInterval,
                    .members_max = members_max,
                    .describe =
                        [](const PresenceChange& change) { return SharedBytes(as_bytes(text_of(change))); },
                    .report = [this](const pubsub::PresenceReport& report) { take(report); }}) {
      peers.reconnected(world.clock.now());
    }
    void join(const std::string& name) { presence.wish({.joined = {name}, .left = {}}); }
    void leave(const std::string& name) { presence.wish({.joined = {}, .left = {name}}); }
    void take(const pubsub::PresenceReport& report) {
      for (const std::string& name : report.change.joined) EXPECT_TRUE(members.insert(name).second) << name;
      for (const std::string& name : report.change.left) EXPECT_EQ(members.erase(name), 1U) << name;
      if (report.is_over) members.clear();
      last = report;
    }

    const std::uint64_t id;
    TestBroker broker;
    Peers peers;
    SeededRandom random;
    TopicPresence presence;
    std::uint64_t next = 1;
    bool is_dead = false;
    bool is_busy = false;           // in a step
    std::set<std::string> members;  // as reported
    pubsub::PresenceReport last;
  };

  // Not current before it has read everything.
  One& add(std::size_t members_max = 1000) {
    all.push_back(std::make_unique<One>(*this, 11 * (all.size() + 1), members_max));
    return *all.back();
  }
  // Whatever is due or has come is done, by all in turn.
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t i = 0; i < all.size(); ++i) moved |= run(*all[i]);
    }
  }
  // Lives on for so long, in steps of a beat.
  void pass(Duration time) {
    for (Duration passed{}; passed < time; passed += Peers::kInterval / 4) {
      clock.advance(Peers::kInterval / 4);
      beat();
      settle();
    }
  }
  void read_again(One& one) {
    one.presence.reload();
    one.next = 1;
  }
  std::set<std::string> really() const {
    std::set<std::string> in;
    for (const auto& one : all) {
      if (one->is_dead) continue;
      const NameSet& wished = one->presence.table().wished();
      in.insert(wished.begin(), wished.end());
    }
    return in;
  }
  // Everybody agrees with what the events say.
  void expect_told() {
    EXPECT_EQ(kept.told(), really());
    for (const auto& one : all) {
      if (!one->is_dead && !one->presence.may_close()) EXPECT_EQ(one->members, really()) << one->id;
    }
  }

  static constexpr Duration kInterval = std::chrono::seconds(1);
  ManualClock clock;
  Kept kept;
  std::vector<std::unique_ptr<One>> all;

 private:
  void beat() {
    for (const auto& one : all) {
      if (one->is_dead || one->is_busy || one->broker.is_away || clock.now() < one->peers.due()) continue;
      const std::uint64_t number = one->peers.sent(clock.now());
      for (const auto& other : all) {
        if (other->is_dead || other->is_busy || other->broker.is_away) continue;
        if (other->peers.heard(one->id, number, clock.now())) other->presence.wake();
      }
    }
  }
  bool run(One& one) {
    if (one.is_dead || one.is_busy || one.broker.is_away) return false;
    bool moved = false;
    for (const auto& record : std::vector<Kept::Record>(kept.records)) {
      if (record.sequence < one.next) continue;
      one.next = record.sequence + 1;
      one.presence.take(record.log, record.sequence, *decode(as_bytes(record.bytes)));
      moved = true;
    }
    one.presence.set_current(true);
    if (clock.now() < one.presence.due()) return moved;
    one.is_busy = true;
    try {
      if (one.presence.advance() == Progress::reload) read_again(one);
    } catch (const Killed&) {
      one.is_dead = true;
    }
    one.is_busy = false;
    return moved || clock.now() >= one.presence.due();
  }
};

}  // namespace fanfare::relay
