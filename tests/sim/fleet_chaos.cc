// What happens in a run, as the seed decides.

#include <algorithm>

#include "fleet_broker.h"
#include "fleet_fleet.h"
#include "fleet_world.h"

namespace fanfare::fleet {

void Fleet::act() {
  publish_some();
  if (world().one_in(2)) ++node_.entries;
  if (world().one_in(6)) ++node_.level;
  if (world().one_in(8)) act_on_chain();
  if (world().one_in(5)) clients_[world().random.below(clients_.size())]->cut();
  if (world().one_in(30)) node_.fails = !node_.fails;
  if (world().one_in(25)) act_on_instances();
  if (world().one_in(25)) act_on_broker();
  if (world().one_in(20)) act_on_network();
}

void Fleet::publish_some() {
  for (const TopicPlan& plan : topic_plans()) {
    Instance* const instance = any();
    if (instance == nullptr || world().one_in(3)) continue;
    const Inside inside(instance->process());
    for (std::uint64_t count = world().one_in(20) ? 25 : 1 + world().random.below(2); count > 0; --count)
      instance->publish(plan, line(plan.name, "#", ++last_text_));
  }
}

void Fleet::act_on_instances() {
  const std::size_t index = world().random.below(places_.size());
  Instance* const instance = places_[index].instance.get();
  if (instance == nullptr) return;
  Process& process = *instance->process();
  switch (world().random.below(5)) {
    case 0:
      ++sums.crashes;
      return end(index, world().between(100ms, 6s));
    case 1:
      ++sums.stalls;
      process.stalled_until = world().time.now() + world().between(100ms, world().one_in(3) ? 12s : 2s);
      return tell(process.name, "stands still");
    case 2:
      ++sums.jumps;
      process.wall_offset += world().between(-24h, 24h);
      return tell(process.name, "has another wall clock");
    case 3:
      return instance->chain().set_faults(static_cast<std::uint32_t>(world().random.below(100)));
    default:
      if (deploy_ != Deploy::none) return;
      tell("fleet", "is deployed");
      deployed_ = 0;
      check_health(0);
      deploy_until_ = world().time.now() + world().between(0ms, 2s);
      deploy_ = Deploy::draining;
  }
}

void Fleet::act_on_broker() {
  Broker& broker = *world().broker;
  switch (world().random.below(4)) {
    case 0: {
      if (!broker.is_up()) return;
      ++sums.broker_ends;
      const bool loses_tail = loses_tail_ && world().one_in(2);
      tell("broker", "ends");
      broker.crash(loses_tail);
      broker_back_at_ = world().time.now() + world().between(50ms, 8s);
      return;
    }
    case 1:
      return broker.send_leader_away(world().between(100ms, 6s));
    default:
      return broker.sync();
  }
}

void Fleet::act_on_network() {
  Instance* const instance = any();
  if (instance == nullptr) return;
  Broker& broker = *world().broker;
  const ProcessPtr process = instance->process();
  switch (world().random.below(3)) {
    case 0:
      ++sums.partitions;
      tell(process->name, "does not reach the broker");
      broker.set_partitioned(process, true);
      world().time.call_after(world().between(100ms, 10s), [process] {
        tell(process->name, "reaches the broker");
        world().broker->set_partitioned(process, false);
      });
      return;
    case 1:
      tell(process->name, "loses its connection to the broker");
      return broker.reset(process);
    default:
      tell(process->name, "has a slow broker");
      broker.slow_down(process, world().between(1ms, 800ms));
      world().time.call_after(world().between(500ms, 5s),
                              [process] { world().broker->slow_down(process, 3ms); });
  }
}

void Fleet::act_on_chain() {
  const std::uint64_t above = chain_.head().block.number - chain_first_;
  if (above > 3 && world().one_in(4)) {
    const std::uint64_t depth = 1 + world().random.below(std::min<std::uint64_t>(above - 1, 5));
    tell("chain", line("reorg of ", depth));
    chain_.reorg(depth, depth + world().random.below(2));
  } else {
    chain_.mine();
  }
  tell("chain", line("head ", chain_.head().block.number));
  for (const Place& place : places_) {
    if (place.instance == nullptr) continue;
    call_in(place.instance->process(), world().time.now() + world().between(0ms, 1s),
            [chain = &place.instance->chain()] { chain->see_head(); });
  }
}

}  // namespace fanfare::fleet
