#pragma once
// For the hub's tests: loops that run one task when the test says so, a subscriber that checks what it gets
// event by event, and a relay that delays, repeats and disconnects, but keeps the order.

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "pubsub/hub.h"
#include "pubsub/loop_hub.h"

namespace fanfare::pubsub {

inline SharedBytes bytes_of(std::string_view text) {
  return SharedBytes(as_bytes(text));
}

inline std::string text_of(Position position) {
  return std::to_string(position.epoch) + "-" + std::to_string(position.offset);
}

// "EPOCH-OFFSET payload": what a subscriber gets says where it stands.
inline SharedBytes with_position(Position position, const SharedBytes& payload) {
  return bytes_of(text_of(position) + " " + std::string(as_text(payload.view())));
}

class ManualPort final : public LoopPort {
 public:
  explicit ManualPort(ManualClock& clock) : clock_(clock) {}
  Instant now() override { return clock_.now(); }
  void call_after(Duration delay, UniqueFunction<void()> task) override {
    timers_.emplace(clock_.now() + delay, std::move(task));
  }
  // Runs what is due.
  void run_due() {
    while (!timers_.empty() && timers_.begin()->first <= clock_.now()) {
      auto task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      task();
    }
  }
  std::size_t timers() const { return timers_.size(); }

 private:
  ManualClock& clock_;
  std::multimap<Instant, UniqueFunction<void()>> timers_;
};

// All on the test's thread; any order of the loops' steps is one that threads may have.
class ManualLoops final : public HubLoops {
 public:
  ManualLoops(std::size_t count, HubOptions options, std::uint64_t seed, Relay* relay = nullptr)
      : random_(seed), hub(options, random_) {
    for (std::size_t i = 0; i < count; ++i) loops_.push_back(std::make_unique<OneLoop>(hub, i, clock));
    if (relay != nullptr) hub.set_relay(*relay);
    hub.attach(*this);
  }
  ~ManualLoops() { hub.stop_relay(); }

  std::size_t count() const override { return loops_.size(); }
  bool post(std::size_t loop, Task task) override {
    if (loops_[loop]->ended) return false;
    loops_[loop]->tasks.push_back(std::move(task));
    return true;
  }
  // False: it had nothing to do.
  bool run_one(std::size_t loop) {
    OneLoop& one = *loops_[loop];
    if (one.tasks.empty()) return false;
    auto task = std::move(one.tasks.front());
    one.tasks.pop_front();
    task(one.hub);
    return true;
  }
  void run_all() {
    for (bool ran = true; ran;) {
      ran = false;
      for (std::size_t i = 0; i < count(); ++i) ran |= run_one(i);
    }
  }
  void advance(Duration by) {
    clock.advance(by);
    for (const auto& one : loops_) one->port.run_due();
  }
  // What waits is destroyed, and nothing more is taken.
  void end(std::size_t loop) {
    loops_[loop]->ended = true;
    loops_[loop]->tasks.clear();
  }
  LoopHub& at(std::size_t loop) { return loops_[loop]->hub; }
  ManualPort& port(std::size_t loop) { return loops_[loop]->port; }
  std::size_t home(const Topic& topic) const { return hub.home_of(topic); }

 private:
  struct OneLoop {
    OneLoop(Hub& its_hub, std::size_t index, ManualClock& its_clock)
        : port(its_clock), hub(its_hub, index, port) {}
    ManualPort port;
    LoopHub hub;
    std::deque<Task> tasks;
    bool ended = false;
  };

  SeededRandom random_;

 public:
  ManualClock clock;
  Hub hub;

 private:
  std::vector<std::unique_ptr<OneLoop>> loops_;
};

// Follows one topic and checks each step: what comes is the event behind the last one, or a notice that
// begins where it stands. Its outbox takes `room` events and is congested from there on.
struct OwnList {
  WaitingList list;
};
class Follower final : public OwnList, public HubSubscriber {  // in this order: the list goes last
 public:
  Follower() = default;

  std::expected<Joined, JoinError> join(LoopHub& loop, const std::shared_ptr<Topic>& joined_topic,
                                        JoinOptions options = {}) {
    auto joined = loop.join(joined_topic, *this, list, options);
    if (joined) {
      at = joined->position;
      asked = options.since;
    }
    return joined;
  }
  // What the owner of an outbox does when there is room again.
  void read(std::size_t events) {
    used_ = 0;
    room = events;
    ready = false;
    while (open && is_behind() && !is_congested()) {
      const auto next = take();
      if (next->missed) on_missed(*next->missed);
      if (!next->frame.empty()) send(next->frame);
    }
  }

  bool is_open() const override { return open; }
  bool is_congested() const override { return used_ >= room; }
  bool send(const SharedBytes& frame) override {
    ++used_;
    const std::string text(as_text(frame.view()));
    const std::size_t dash = text.find('-');
    const Position position{.epoch = std::stoull(text), .offset = std::stoull(text.substr(dash + 1))};
    EXPECT_EQ(position.epoch, at.epoch) << text;
    EXPECT_EQ(position.offset, at.offset + 1) << text << " at " << text_of(at);
    at = position;
    got.push_back(text.substr(text.find(' ') + 1));
    positions.push_back(position);
    return true;
  }
  bool has_room_behind(std::size_t bytes) override {
    if (bytes < whole_bytes_max) return true;
    open = false;
    return false;
  }
  void on_ready() override { ready = true; }
  std::string_view topic_name() const override { return topic()->name; }
  void on_notice(TopicNotice notice) override {
    notices.push_back(notice);
    if (then) then();
  }

  bool open = true;
  bool ready = false;
  std::size_t room = SIZE_MAX;
  std::size_t whole_bytes_max = SIZE_MAX;
  Position at;
  std::optional<Position> asked;
  std::vector<std::string> got;
  std::vector<Position> positions;
  std::vector<Missed> missed_ranges;
  std::vector<TopicNotice> notices;
  std::function<void()> then;          // within on_notice()
  std::function<void()> after_missed;  // within tell_missed()

 private:
  void tell_missed(const Missed& missed) override {
    EXPECT_EQ(missed.after, at) << text_of(missed.after) << " at " << text_of(at);
    EXPECT_NE(missed.until, at) << text_of(missed.until);
    at = missed.until;
    missed_ranges.push_back(missed);
    if (after_missed) after_missed();
  }

  std::size_t used_ = 0;
};

// One broker for several instances, all on the test's thread: step() hands over the next event to one of
// them.
class FakeBroker {
 public:
  explicit FakeBroker(std::uint64_t its_epoch) : epoch(its_epoch) {}

  class Instance final : public Relay {
   public:
    explicit Instance(FakeBroker& broker) : broker_(broker) { broker.instances.push_back(this); }
    void start(RelaySink& sink) override { sink_ = &sink; }
    void stop() override {
      sink_ = nullptr;
      unanswered_.clear();
      reads_.clear();
    }
    bool reads_on_demand() const override { return on_demand; }
    RelayedPresence* presence() override { return its_presence; }
    void open(std::string_view topic, const RelayStart& from) override {
      Opened& opened = opened_[std::string(topic)];
      if (is_open(std::string(topic)) && from.opening <= opened.from.opening) return;
      next_[std::string(topic)] = 0;
      opened = {.from = from};
    }
    void close(std::string_view topic, std::uint64_t opening) override {
      if (opening >= opened_[std::string(topic)].from.opening) next_.erase(std::string(topic));
    }
    bool is_open(const std::string& topic) const { return next_.contains(topic); }
    void read(std::string_view topic, Position after, std::size_t bytes_max, Read done) override {
      reads_.push_back({std::string(topic), after, bytes_max, std::move(done)});
    }
    // The broker answers the oldest read.
    bool step_read() {
      if (!connected || reads_.empty()) return false;
      PastRead one = std::move(reads_.front());
      reads_.pop_front();
      std::vector<RelayedEvent> events;
      std::size_t bytes = 0;
      const auto& stream = broker_.streams[one.topic];
      for (std::uint64_t at = std::max(one.after.offset + 1, broker_.first[one.topic]);
           one.after.epoch == broker_.epoch && at <= stream.size() && bytes < one.bytes_max; ++at) {
        events.push_back({.position = {broker_.epoch, at}, .payload = stream[at - 1]});
        bytes += stream[at - 1].size();
      }
      ++reads;
      one.done(std::move(events));
      return true;
    }
    bool publish(std::string_view topic, const SharedBytes& payload, Done done,
                 std::optional<Position> after) override {
      if (unanswered_.size() >= unanswered_max) return false;
      unanswered_.push_back({std::string(topic), payload, std::move(done), after});
      return true;
    }
    std::size_t payload_bytes_max() const override { return payload_max; }
    void want_larger_payloads() override { ++wants_of_larger; }
    // The broker refuses the oldest of what this instance published.
    bool refuse_one() {
      if (unanswered_.empty()) return false;
      Unanswered one = std::move(unanswered_.front());
      unanswered_.pop_front();
      one.done(std::nullopt);
      return true;
    }
    // The broker gets the oldest of what this instance published.
    bool step_out() {
      if (!connected || unanswered_.empty()) return false;
      Unanswered one = std::move(unanswered_.front());
      unanswered_.pop_front();
      auto& stream = broker_.streams[one.topic];
      if (one.after && *one.after != Position{.epoch = broker_.epoch, .offset = stream.size()}) {
        one.done(std::nullopt);
        return true;
      }
      stream.push_back(one.payload);
      one.done(Position{.epoch = broker_.epoch, .offset = stream.size()});
      return true;
    }
    // The next event of the topic from the broker; the first time, where it begins.
    bool step_in(const std::string& topic) {
      if (!connected || !next_.contains(topic)) return false;
      std::uint64_t& next = next_[topic];
      const auto& stream = broker_.streams[topic];
      if (next == 0 && on_demand) return begin_on_demand(topic, next);
      if (next > stream.size() && on_demand && !opened_[topic].is_current) {
        opened_[topic].is_current = true;
        sink_->on_current(topic, opened_[topic].from.opening);
        return true;
      }
      if (next == 0) {
        next = stream.size() + 1;
        sink_->on_lost(topic, {.epoch = broker_.epoch, .offset = next - 1});
        return true;
      }
      if (next > stream.size()) return false;
      if (!sink_->on_message(topic, {.epoch = broker_.epoch, .offset = next}, stream[next - 1])) return false;
      ++next;
      return true;
    }
    void repeat(const std::string& topic, std::uint64_t events) {
      if (next_[topic] > events) next_[topic] -= events;
      if (next_[topic] == 0) next_[topic] = 1;
    }
    // The broker kept only what comes behind so many more events.
    void lose(const std::string& topic, std::uint64_t events, bool says_so) {
      std::uint64_t& next = next_[topic];
      const std::uint64_t last = broker_.streams[topic].size();
      if (next == 0 || next > last) return;
      next = std::min(next + events, last + 1);
      if (says_so) sink_->on_lost(topic, {.epoch = broker_.epoch, .offset = next - 1});
    }
    void set_connected(bool on) {
      if (connected == on) return;
      connected = on;
      if (on) {
        sink_->on_back();
      } else {
        for (auto& one : unanswered_) one.done(std::nullopt);
        unanswered_.clear();
        sink_->on_down();
      }
    }
    // The broker has lost everything.
    void restart(const std::string& topic) {
      next_[topic] = 1;
      sink_->on_lost(topic, {.epoch = broker_.epoch, .offset = 0});
    }
    RelaySink* sink() const { return sink_; }

    bool connected = false;
    bool on_demand = false;
    RelayedPresence* its_presence = nullptr;
    std::size_t unanswered_max = SIZE_MAX;
    std::size_t payload_max = SIZE_MAX;
    int reads = 0;  // answered
    int wants_of_larger = 0;

   private:
    struct Opened {
      RelayStart from = {};
      bool is_current = false;
    };
    struct PastRead {
      std::string topic;
      Position after;
      std::size_t bytes_max;
      Read done;
    };
    // What was missed since it was closed, and no more than the recent part.
    bool begin_on_demand(const std::string& topic, std::uint64_t& next) {
      const RelayStart from = opened_[topic].from;
      const std::uint64_t last = broker_.streams[topic].size();
      const std::uint64_t recent =
          std::max(last + 1 - std::min<std::uint64_t>(last, from.recent_max), broker_.first[topic]);
      const bool is_known = from.after.epoch == broker_.epoch;
      next = std::max({is_known ? from.after.offset + 1 : 1, recent, std::uint64_t{1}});
      if (!is_known || next != from.after.offset + 1)
        sink_->on_lost(topic, {.epoch = broker_.epoch, .offset = next - 1});
      return true;
    }
    struct Unanswered {
      std::string topic;
      SharedBytes payload;
      Done done;
      std::optional<Position> after;
    };
    FakeBroker& broker_;
    RelaySink* sink_ = nullptr;
    std::map<std::string, std::uint64_t> next_;
    std::map<std::string, Opened> opened_;
    std::deque<PastRead> reads_;
    std::deque<Unanswered> unanswered_;
  };

  std::uint64_t epoch;
  std::map<std::string, std::vector<SharedBytes>> streams;
  std::map<std::string, std::uint64_t> first;  // the oldest offset that is kept; left out: all
  std::vector<Instance*> instances;
};

}  // namespace fanfare::pubsub
