#pragma once
// For the relay's tests: a hub that writes down what it is given, and checks the order; and a relay with short times.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "relay/nats_relay.h"
#include "relay/nats_server_for_tests.h"

namespace fanfare::relay {

class TestSink final : public pubsub::RelaySink {
 public:
  struct Topic {
    std::vector<std::string> texts;
    std::vector<Position> positions;
    std::vector<Position> lost;
    Position at;
    bool is_current = false;
  };

  bool on_message(std::string_view topic, Position position, SharedBytes payload) override {
    const std::scoped_lock lock(mutex_);
    if (is_full_) return false;
    Topic& one = topics_[std::string(topic)];
    EXPECT_EQ(position, (Position{one.at.epoch, one.at.offset + 1})) << "not announced as lost";
    one.at = position;
    one.texts.emplace_back(as_text(payload.view()));
    one.positions.push_back(position);
    return true;
  }
  void on_lost(std::string_view topic, Position until) override {
    const std::scoped_lock lock(mutex_);
    Topic& one = topics_[std::string(topic)];
    one.lost.push_back(until);
    one.at = until;
  }
  void on_current(std::string_view topic, std::uint64_t /*opening*/) override {
    const std::scoped_lock lock(mutex_);
    topics_[std::string(topic)].is_current = true;
  }
  void on_down() override { set_up(false); }
  void on_back() override { set_up(true); }

  bool is_up() const {
    const std::scoped_lock lock(mutex_);
    return is_up_;
  }
  int times_down() const {
    const std::scoped_lock lock(mutex_);
    return times_down_;
  }
  void set_full(bool is_full) {
    const std::scoped_lock lock(mutex_);
    is_full_ = is_full;
  }
  // The topic was read before, up to there.
  void set_at(const std::string& name, Position position) {
    const std::scoped_lock lock(mutex_);
    topics_[name].at = position;
  }
  void forget(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    topics_.erase(name);
  }
  Topic topic(const std::string& name) const {
    const std::scoped_lock lock(mutex_);
    const auto found = topics_.find(name);
    return found == topics_.end() ? Topic() : found->second;
  }
  bool has(const std::string& name, std::size_t events) const { return topic(name).texts.size() >= events; }

 private:
  void set_up(bool is_up) {
    const std::scoped_lock lock(mutex_);
    EXPECT_NE(is_up_, is_up) << "reported twice";
    is_up_ = is_up;
    if (!is_up) ++times_down_;
  }

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, Topic> topics_;
  bool is_up_ = false;
  bool is_full_ = false;
  int times_down_ = 0;
};

// What became of published events, in the order of the answers. Any thread.
class Receipts {
 public:
  pubsub::Relay::Done next() {
    return [this](std::optional<Position> position) {
      const std::scoped_lock lock(mutex_);
      all_.push_back(position);
    };
  }
  std::vector<std::optional<Position>> all() const {
    const std::scoped_lock lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;  // guards all_
  std::vector<std::optional<Position>> all_;
};

inline NatsOptions options_for(std::vector<std::string> servers) {
  return {.servers = std::move(servers),
          .heartbeat = std::chrono::milliseconds(200),
          .reconnect_wait = std::chrono::milliseconds(20)};
}

// One instance of a program.
struct Instance {
  explicit Instance(const NatsOptions& its_options)
      : Instance(its_options, std::make_unique<NatsRelay>(its_options)) {}
  Instance(NatsOptions its_options, std::unique_ptr<NatsRelay> its_relay)
      : options(std::move(its_options)), relay(std::move(its_relay)) {
    relay->start(sink);
  }
  ~Instance() { relay->stop(); }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // From the oldest event on, unless `from` says otherwise.
  void open(const std::string& topic, pubsub::RelayStart from = {.after = {}, .recent_max = SIZE_MAX}) {
    relay->open(topic, from);
    EXPECT_TRUE(eventually([&] { return sink.is_up() && sink.topic(topic).is_current; }));
  }
  // All that is behind the position, piece by piece.
  std::vector<std::string> read_past(const std::string& topic, Position after, std::size_t bytes_max) {
    std::vector<std::string> texts;
    for (;;) {
      std::mutex mutex;
      std::optional<std::vector<pubsub::RelayedEvent>> piece;
      relay->read(topic, after, bytes_max, [&](std::vector<pubsub::RelayedEvent> events) {
        const std::scoped_lock lock(mutex);
        piece = std::move(events);
      });
      EXPECT_TRUE(eventually([&] {
        const std::scoped_lock lock(mutex);
        return piece.has_value();
      }));
      if (!piece || piece->empty()) return texts;
      for (const auto& event : *piece) texts.emplace_back(as_text(event.payload.view()));
      after = piece->back().position;
    }
  }
  bool publish(const std::string& topic, std::string_view text, std::optional<Position> after = {}) {
    return relay->publish(topic, SharedBytes(as_bytes(text)), receipts.next(), after);
  }

  const NatsOptions options;
  TestSink sink;
  Receipts receipts;
  std::unique_ptr<NatsRelay> relay;
};

}  // namespace fanfare::relay
