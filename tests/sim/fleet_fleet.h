#pragma once
// All instances of a run, the load balancer in front of them, their clients, and what happens to them.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleet_clients.h"
#include "fleet_instance.h"
#include "fleet_time.h"
#include "gateway/world_for_tests.h"

namespace fanfare::fleet {

class Fleet {
 public:
  Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;
  ~Fleet();

  // Faults, then quiet, then the last checks.
  void run();

  // An instance for a client, as far as the load balancer knows. Null: it finds none.
  Instance* balance();
  std::uint64_t next_wire() { return ++last_wire_; }
  // An instance asks a node for a stream's value.
  void polled(const Instance& instance, std::string_view stream);

  struct Sums {
    std::uint64_t crashes = 0, deploys = 0, partitions = 0, broker_ends = 0, stalls = 0, jumps = 0,
                  blocks = 0, polls = 0, notifications = 0;
  };
  Sums sums;

 private:
  // Where an instance runs, one after another.
  struct Place {
    std::unique_ptr<Instance> instance;  // null: it has ended
    bool is_healthy = false;             // as the load balancer knows
    bool accepts = false;
    Instant starts_at{};
    std::uint64_t generation = 0;
  };
  enum class Deploy : std::uint8_t { none, draining, closing, stopping, starting };

  void add_clients();
  void start(std::size_t place);
  void end(std::size_t place, Duration back_in);
  // The load balancer, soon.
  void check_health(std::size_t place);
  void bury();
  // One turn of what happens.
  void step();
  void act();
  void act_on_instances();
  void act_on_broker();
  void act_on_network();
  void act_on_chain();
  void publish_some();
  void deploy_on();
  // A living one, or null.
  Instance* any();
  void calm_down();
  void wait_for_clients();
  void wait_for_polls();

  NodeState node_;
  gateway::simulated::World chain_;
  const std::uint64_t chain_first_;
  std::vector<Place> places_;
  std::vector<std::unique_ptr<Instance>> graves_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::uint64_t last_wire_ = 0;
  std::uint64_t last_text_ = 0;
  Deploy deploy_ = Deploy::none;
  std::size_t deployed_ = 0;  // the place whose turn it is
  Instant deploy_until_{};
  Instant broker_back_at_{Instant::max()};
  // The broker's machine may lose its power: in every fourth seed, and wherever a fault is planted that only this shows.
  const bool loses_tail_;
};

// The one under way.
Fleet& world_fleet();

}  // namespace fanfare::fleet
