#pragma once
// One process of the program: its loops, hub, streams, relay, leases and chain, as the gateway wires them
// (gateway/stream_runtime.h, gateway/loop_sites.h).

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fleet_chain.h"
#include "fleet_relay.h"
#include "fleet_session.h"
#include "fleet_time.h"
#include "gateway/stream_source.h"
#include "pubsub/hub.h"
#include "pubsub/loop_hub.h"
#include "streams/catalog.h"
#include "streams/client.h"
#include "upstream/worker.h"

namespace fanfare::fleet {

// A topic of the program, for all instances.
struct TopicPlan {
  std::string name;
  TopicPolicy policy;
  std::size_t history = 0;
  WhenRelayDown when_down = WhenRelayDown::refuse;
};
const std::vector<TopicPlan>& topic_plans();
const std::vector<streams::StreamSpec>& stream_specs();
// Whether the slow may miss events of it.
bool may_drop(std::string_view topic);

// What all instances poll.
struct NodeState {
  std::uint64_t counter = 0;
  std::uint64_t level = 0;
  std::uint64_t entries = 0;
  bool fails = false;
};

class Instance final : private pubsub::HubLoops {
 public:
  // Within its process.
  Instance(std::size_t place, NodeState& node, gateway::simulated::World& chain);
  ~Instance();

  // A loop, its mailbox and its sessions.
  struct Loop final : pubsub::LoopPort {
    Loop(Instance& its_instance, std::size_t its_index);
    Instant now() override;
    void call_after(Duration delay, UniqueFunction<void()> task) override;
    // Of the session, if it is still there.
    void post_to(std::uint64_t session, UniqueFunction<void(Session&)> task);

    Instance& instance;
    const std::size_t index;
    Thread thread;
    pubsub::LoopHub hub;
    streams::LoopStreams streams;
    ChainLoop chain;
    std::map<std::uint64_t, std::unique_ptr<Session>> sessions;
  };

  const ProcessPtr& process() const { return process_; }
  std::size_t place() const { return place_; }
  Loop& loop(std::size_t index) { return *loops_[index]; }
  std::size_t loop_count() const { return loops_.size(); }
  std::shared_ptr<pubsub::Topic> topic(const std::string& name) const { return hub_.find(name); }
  ChainSide& chain() { return chain_; }

  void publish(const TopicPlan& plan, const std::string& text);
  // Whether it may poll a stream of that index.
  bool holds_lease(std::size_t stream) const { return leases_ptr()->is_held(stream + 1); }
  // The process has ended: nothing of it runs any more. Sessions learn it from their connections.
  void die();
  bool is_idle() const { return process_->inside == 0 && !relay_.is_busy() && !leases_.is_busy(); }
  // In turn, as in a stop by a signal: sessions are closed, leases given up, the relay ended.
  void close_sessions(Duration spread);
  std::size_t session_count() const;
  void give_up_leases() { leases_.stop(); }
  bool gave_up_leases() const { return leases_.has_stopped(); }

  // Nothing may grow without limit.
  void check_bounds() const;
  // In quiet: what is left over of what was on its way. Empty: nothing.
  std::string leftover() const;
  // For the report of a stream that nobody polls.
  std::string state_of_streams() const;
  // A client's connection to a loop of it.
  void accept(const std::shared_ptr<Wire>& wire, std::size_t loop);

 private:
  class Node;

  std::size_t count() const override { return loops_.size(); }
  bool post(std::size_t loop, Task task) override;
  void add_topics();
  void add_streams();
  const relay::Leases* leases_ptr() const { return &const_cast<FleetLeases&>(leases_).native(); }

  const ProcessPtr process_;
  const std::size_t place_;
  const NatsOptions options_;
  SeededRandom random_;
  FleetRelay relay_;
  FleetLeases leases_;
  pubsub::Hub hub_;
  streams::Catalog catalog_;
  std::unique_ptr<Node> node_;
  upstream::Worker worker_;
  ChainSide chain_;
  std::vector<std::shared_ptr<gateway::StreamSource>> sources_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::weak_ptr<Wire>> wires_;
};

}  // namespace fanfare::fleet
