#include "fleet_relay.h"

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "fleet_oracle.h"
#include "fleet_world.h"

namespace fanfare::relay {

void WithoutThread::start(NatsRelay& relay, pubsub::RelaySink& sink, const std::function<void()>& woken) {
  relay.sink_ = &sink;
  relay.world_ = std::make_unique<TopicFeed::World>(
      TopicFeed::World{.jet_stream = relay.jet_stream_,
                       .link = relay.link_,
                       .sink = sink,
                       .random = relay.random_,
                       .counters = relay.counters_,
                       .heartbeat = saturating_duration(relay.options_.heartbeat)});
  const auto opened = relay.link_.open(relay.options_, {.on_message =
                                                            [&relay, woken](Incoming message) {
                                                              relay.put(std::move(message));
                                                              woken();
                                                            },
                                                        .on_connection =
                                                            [&relay, woken](bool is_up) {
                                                              relay.put(NatsRelay::Connection{is_up});
                                                              woken();
                                                            },
                                                        .on_problem =
                                                            [&relay, woken](LinkProblem problem) {
                                                              relay.put(std::move(problem));
                                                              woken();
                                                            },
                                                        .on_closed =
                                                            [&relay, woken] {
                                                              relay.put(NatsRelay::Closed{});
                                                              woken();
                                                            }});
  if (!opened) fleet::world().fail(opened.error());
}

void WithoutThread::turn(NatsRelay& relay, Instant& ticked) {
  for (NatsRelay::Task& task : std::exchange(relay.tasks_, {})) {
    run_guarded("a task of the relay",
                [&] { std::visit([&](auto& one) { relay.handle(std::move(one)); }, task); });
  }
  const Instant now = system_clock().now();
  if (now - ticked < NatsRelay::kTick) return;
  ticked = now;
  run_guarded("the relay", [&] { relay.tick(); });
}

Duration WithoutThread::pause(const NatsRelay& relay) {
  const bool is_busy =
      !relay.counters_.is_up || relay.publisher_.needs_retry() || relay.past_reads_.size() > 0;
  return is_busy ? NatsRelay::kTick : NatsRelay::kTickIdle;
}

Instant WithoutThread::turn(Leases& leases) {
  leases.is_woken_ = false;
  return leases.advance_all();
}

}  // namespace fanfare::relay

namespace fanfare::fleet {

using relay::WithoutThread;

// --- the relay -----------------------------------------------------------------------------------------

bool FleetRelay::Sink::on_message(std::string_view topic, Position position, SharedBytes payload) {
  if (std::exchange(forgets_next, false)) return true;
  if (!hub->on_message(topic, position, payload)) return false;
  const auto before = last.find(topic);
  const bool follows = before != last.end() && before->second.first.epoch == position.epoch &&
                       before->second.first.offset + 1 == position.offset;
  if (follows) world().oracle->delivered(std::string(topic), position, payload, before->second.second);
  last.insert_or_assign(std::string(topic), std::pair(position, payload));
  return true;
}

void FleetRelay::Sink::on_back() {
  forgets_next = world().planted == Planted::relay_forgets;
  hub->on_back();
}

void FleetRelay::start(pubsub::RelaySink& sink) {
  sink_.hub = &sink;
  WithoutThread::start(relay_, sink_, [this] { wake(); });
  plan(1ms);
}

void FleetRelay::stop() {
  is_stopped_ = true;
  relay_.stop();
}

void FleetRelay::open(std::string_view topic, const pubsub::RelayStart& from) {
  relay_.open(topic, from);
  wake();
}

void FleetRelay::close(std::string_view topic, std::uint64_t opening) {
  relay_.close(topic, opening);
  wake();
}

void FleetRelay::read(std::string_view topic, Position after, std::size_t bytes_max, Read done) {
  relay_.read(topic, after, bytes_max, std::move(done));
  wake();
}

bool FleetRelay::publish(std::string_view topic, const SharedBytes& payload, Done done,
                         std::optional<Position> after) {
  const bool taken = relay_.publish(topic, payload, std::move(done), after);
  wake();
  return taken;
}

Duration FleetRelay::world_delay() {
  return world().one_in(20) ? world().between(0ms, 30ms) : world().between(0ms, 1ms);
}

// Only the earliest counts.
void FleetRelay::plan(Duration wait) {
  const Instant when = world().time.now() + wait;
  if (is_stopped_ || is_busy_ || when >= planned_) return;
  planned_ = when;
  call_in(process_, when, [this, number = ++turn_] { turn(number); });
}

void FleetRelay::turn(std::uint64_t number) {
  if (number != turn_ || is_stopped_) return;
  is_busy_ = true;
  WithoutThread::turn(relay_, ticked_);
  is_busy_ = false;
  planned_ = Instant::max();
  plan(WithoutThread::has_tasks(relay_) ? world_delay() : WithoutThread::pause(relay_));
}

// --- the leases ----------------------------------------------------------------------------------------

Instant FleetLeases::world_now() {
  return world().time.now();
}

void FleetLeases::look() {
  if (WithoutThread::is_woken(leases_)) plan(world_now() + world().between(0ms, 2ms));
}

void FleetLeases::stop() {
  if (std::exchange(is_stopping_, true)) return;
  leases_.begin_stop();
  plan(world_now());
}

void FleetLeases::plan(Instant when) {
  if (has_stopped_ || is_busy_ || when >= planned_) return;
  planned_ = when;
  call_in(process_, when, [this, number = ++turn_] { turn(number); });
}

void FleetLeases::turn(std::uint64_t number) {
  if (number != turn_ || has_stopped_) return;
  const bool is_last = is_stopping_;
  is_busy_ = true;
  const Instant due = WithoutThread::turn(leases_);
  is_busy_ = false;
  planned_ = Instant::max();
  has_stopped_ = is_last;
  plan(WithoutThread::is_woken(leases_) ? world_now() : due);
}

}  // namespace fanfare::fleet
