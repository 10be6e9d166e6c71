#pragma once
// An instance's relay and leases without their threads: what the threads would do is done by events.

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "fleet_time.h"
#include "relay/leases.h"
#include "relay/nats_relay.h"

namespace fanfare::relay {

// A friend of both: what their run() does, turn by turn.
class WithoutThread {
 public:
  static void start(NatsRelay& relay, pubsub::RelaySink& sink, const std::function<void()>& woken);
  static void turn(NatsRelay& relay, Instant& ticked);
  // How long the thread would wait without a task; and whether there is one.
  static Duration pause(const NatsRelay& relay);
  static bool has_tasks(const NatsRelay& relay) { return !relay.tasks_.empty(); }
  static std::size_t tasks(const NatsRelay& relay) { return relay.tasks_.size(); }

  static Instant turn(Leases& leases);
  static bool is_woken(const Leases& leases) { return leases.is_woken_; }
};

}  // namespace fanfare::relay

namespace fanfare::fleet {

class FleetRelay final : public pubsub::Relay {
 public:
  explicit FleetRelay(NatsOptions options) : process_(Inside::current()), relay_(std::move(options)) {}

  void start(pubsub::RelaySink& sink) override;
  // Not while a turn is under way (is_busy()).
  void stop() override;
  bool reads_on_demand() const override { return relay_.reads_on_demand(); }
  void open(std::string_view topic, const pubsub::RelayStart& from) override;
  void close(std::string_view topic, std::uint64_t opening) override;
  void read(std::string_view topic, Position after, std::size_t bytes_max, Read done) override;
  bool publish(std::string_view topic, const SharedBytes& payload, Done done,
               std::optional<Position> after) override;

  relay::NatsRelay& native() { return relay_; }
  bool is_busy() const { return is_busy_; }
  std::size_t waiting() const { return relay::WithoutThread::tasks(relay_); }

 private:
  // Between the relay and the hub, for Planted::relay_forgets.
  class Sink final : public pubsub::RelaySink {
   public:
    pubsub::RelaySink* hub = nullptr;
    bool forgets_next = false;
    std::map<std::string, std::pair<Position, SharedBytes>, std::less<>>
        last;  // that was passed on, of each topic
    bool on_message(std::string_view topic, Position position, SharedBytes payload) override;
    void on_lost(std::string_view topic, Position until) override {
      last.erase(std::string(topic));
      hub->on_lost(topic, until);
    }
    void on_current(std::string_view topic, std::uint64_t opening) override {
      hub->on_current(topic, opening);
    }
    void on_down() override { hub->on_down(); }
    void on_back() override;
  };

  void wake() { plan(world_delay()); }
  static Duration world_delay();
  void plan(Duration wait);
  void turn(std::uint64_t number);

  const ProcessPtr process_;
  Sink sink_;
  relay::NatsRelay relay_;
  Instant ticked_{};
  Instant planned_{Instant::max()};
  std::uint64_t turn_ = 0;  // the one that is planned
  bool is_busy_ = false;
  bool is_stopped_ = false;
};

class FleetLeases {
 public:
  FleetLeases(relay::Link& link, const NatsOptions& options, std::string holder)
      : process_(Inside::current()), leases_(link, options, std::move(holder)) {}

  relay::Leases& native() { return leases_; }
  void start() { plan(world_now()); }
  // After each turn of another thread, which may have woken it.
  void look();
  // Gives up what is held; has_stopped() some time later.
  void stop();
  bool has_stopped() const { return has_stopped_ && !is_busy_; }
  bool is_busy() const { return is_busy_; }

 private:
  static Instant world_now();
  void plan(Instant when);
  void turn(std::uint64_t number);

  const ProcessPtr process_;
  relay::Leases leases_;
  Instant planned_{Instant::max()};
  std::uint64_t turn_ = 0;
  bool is_busy_ = false;
  bool is_stopping_ = false;
  bool has_stopped_ = false;
};

}  // namespace fanfare::fleet
