#include "fleet_fleet.h"

#include <algorithm>
#include <utility>

#include "fleet_broker.h"
#include "fleet_oracle.h"
#include "fleet_world.h"

namespace fanfare::fleet {
namespace {

constexpr std::size_t kPlaces = 3;
constexpr int kSteps = 250;
constexpr std::uint64_t kChainLength = 8;  // at the start
constexpr Duration kQuiet = 15s;
constexpr Duration kCatchUp = 60s;
constexpr Duration kStep = 20ms;

Fleet*& current_fleet() {
  static Fleet* fleet = nullptr;
  return fleet;
}

}  // namespace

Fleet& world_fleet() {
  return *current_fleet();
}

Fleet::Fleet()
    : chain_([]() -> Random& { return world().random; }()),
      chain_first_(kChainLength),
      places_(kPlaces),
      loses_tail_(world().seed % 4 == 0 || world().planted == Planted::times_alike) {
  current_fleet() = this;
  for (std::uint64_t i = 0; i < kChainLength; ++i) chain_.mine();
  add_clients();
}

Fleet::~Fleet() {
  for (Place& place : places_) {
    if (place.instance != nullptr) place.instance->process()->is_alive = false;
  }
  places_.clear();
  graves_.clear();
  current_fleet() = nullptr;
}

void Fleet::add_clients() {
  const auto pace = [] {
    return world().one_in(4) ? world().between(200ms, 900ms) : world().between(1ms, 20ms);
  };
  for (int i = 0; i < 2; ++i) {
    for (const TopicPlan& plan : topic_plans())
      clients_.push_back(std::make_unique<TopicClient>(line(plan.name, "/", i), pace(), plan.name));
    for (const streams::StreamSpec& spec : stream_specs())
      clients_.push_back(
          std::make_unique<StreamClient>(line(spec.name, "/", i), pace(), spec.name, world().one_in(2)));
  }
  const std::vector<std::string> filters = {"", "{}", R"({"topics":[")" + eth::simulated_topic(1) + "\"]}"};
  for (const std::string& filter : filters)
    clients_.push_back(std::make_unique<ChainClient>(line("chain", filter), pace(), chain_, filter));
}

// --- instances and the load balancer -------------------------------------------------------------------

void Fleet::start(std::size_t index) {
  Place& place = places_[index];
  const auto process = std::make_shared<Process>();
  process->number = ++world().processes;
  process->name = line("p", index, ".", ++place.generation);
  process->wall_offset = world().between(-5s, 5s);
  tell(process->name, "starts");
  const Inside inside(process);
  place.instance = std::make_unique<Instance>(index, node_, chain_);
  place.accepts = true;
  check_health(index);
}

void Fleet::end(std::size_t index, Duration back_in) {
  Place& place = places_[index];
  tell(place.instance->process()->name, "ends");
  place.instance->die();
  place.accepts = false;
  place.starts_at = world().time.now() + back_in;
  check_health(index);
  graves_.push_back(std::move(place.instance));
}

void Fleet::check_health(std::size_t index) {
  world().time.call_after(world().between(0ms, 2s), [this, index] {
    const bool is_draining = deploy_ == Deploy::draining && deployed_ == index;
    places_[index].is_healthy = places_[index].accepts && !is_draining;
  });
}

Instance* Fleet::balance() {
  std::vector<Place*> known;
  for (Place& place : places_) {
    if (place.is_healthy) known.push_back(&place);
  }
  if (known.empty()) return nullptr;
  Place& chosen = *known[world().random.below(known.size())];
  return chosen.accepts ? chosen.instance.get() : nullptr;
}

Instance* Fleet::any() {
  Place& place = places_[world().random.below(places_.size())];
  return place.instance.get();
}

// Only between events: nothing is on the stack that belongs to them.
void Fleet::bury() {
  std::erase_if(graves_, [](const auto& each) { return each->is_idle(); });
}

void Fleet::polled(const Instance& instance, std::string_view stream) {
  ++sums.polls;
  const auto& specs = stream_specs();
  const auto found = std::ranges::find(specs, stream, &streams::StreamSpec::name);
  const auto index = static_cast<std::size_t>(found - specs.begin());
  if (!instance.holds_lease(index))
    world().fail(line(instance.process()->name, " polls ", stream, " without a lease"));
  // Where the broker has lost leases, two may have one for a while; the places of their values still tell them apart.
  if (world().time.now() - world().broker->bucket_lost_at() < 10s) return;
  for (const Place& place : places_) {
    const Instance* const other = place.instance.get();
    if (other != nullptr && other != &instance && other->holds_lease(index))
      world().fail(line(instance.process()->name, " polls ", stream, ", and ", other->process()->name,
                        " has the lease"));
  }
}

// One place after another.
void Fleet::deploy_on() {
  if (deploy_ == Deploy::none) return;
  const Instant now = world().time.now();
  Place& place = places_[deployed_];
  Instance* const instance = place.instance.get();
  if (instance == nullptr) deploy_ = Deploy::starting;
  switch (deploy_) {
    case Deploy::none:
      return;
    case Deploy::draining:
      if (now < deploy_until_) return;
      place.accepts = false;
      instance->close_sessions(1s);
      deploy_until_ = now + 5s;
      deploy_ = Deploy::closing;
      return;
    case Deploy::closing:
      if (instance->session_count() > 0 && now < deploy_until_) return;
      instance->give_up_leases();
      deploy_until_ = now + 5s;
      deploy_ = Deploy::stopping;
      return;
    case Deploy::stopping:
      if (!instance->gave_up_leases() && now < deploy_until_) return;
      end(deployed_, world().between(100ms, 2s));
      deploy_ = Deploy::starting;
      return;
    case Deploy::starting:
      if (instance == nullptr || !place.is_healthy) return;
      if (++deployed_ == places_.size()) {
        ++sums.deploys;
        deploy_ = Deploy::none;
        return;
      }
      check_health(deployed_);
      deploy_until_ = now + world().between(500ms, 2s);
      deploy_ = Deploy::draining;
      return;
  }
}

// --- the run -------------------------------------------------------------------------------------------

void Fleet::run() {
  for (std::size_t i = 0; i < places_.size(); ++i) start(i);
  for (const auto& client : clients_) client->connect();
  for (int i = 0; i < kSteps && !world().has_failed(); ++i) {
    act();
    world().run_for(world().between(20ms, 400ms));
    step();
  }
  if (!world().has_failed()) calm_down();
  if (!world().has_failed()) wait_for_clients();
  if (!world().has_failed()) wait_for_polls();
  if (!world().has_failed()) world().oracle->check_end();
  sums.blocks = chain_.head().block.number;
}

void Fleet::step() {
  bury();
  const Instant now = world().time.now();
  if (now >= broker_back_at_) {
    broker_back_at_ = Instant::max();
    world().broker->restart();
    tell("broker", "is back");
  }
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].instance == nullptr && now >= places_[i].starts_at) start(i);
    if (places_[i].instance != nullptr) places_[i].instance->check_bounds();
  }
  deploy_on();
}

// Everything is well again, and the last events are published.
void Fleet::calm_down() {
  tell("fleet", "calm");
  node_.fails = false;
  broker_back_at_ = std::min(broker_back_at_, world().time.now());
  for (Place& place : places_) {
    if (place.instance == nullptr) continue;
    place.instance->process()->stalled_until = {};
    world().broker->set_partitioned(place.instance->process(), false);
    world().broker->slow_down(place.instance->process(), 3ms);
    place.instance->chain().set_faults(0);
  }
  for (const auto& client : clients_) client->is_hurried = true;
  const Instant until = world().time.now() + kQuiet;
  while (world().time.now() < until && !world().has_failed()) {
    world().run_for(kStep);
    step();
  }
  if (deploy_ != Deploy::none) deploy_until_ = world().time.now();
  publish_some();
  act_on_chain();
}

void Fleet::wait_for_clients() {
  std::vector<Client*> waiting;
  for (const auto& client : clients_) waiting.push_back(client.get());
  const Instant until = world().time.now() + kCatchUp;
  while (!waiting.empty() && !world().has_failed()) {
    if (world().time.now() >= until) return waiting.front()->fail(waiting.front()->lacks());
    world().run_for(kStep);
    step();
    std::erase_if(waiting, [](const Client* each) { return each->lacks().empty(); });
  }
}

// Somebody polls each stream: they all have subscribers. And nothing is left over.
void Fleet::wait_for_polls() {
  const auto end = [] { return world().oracle->end_of(streams::topic_of("load")); };
  const Position before = end();
  // A deploy may still be under way: one instance after another is not there then.
  const Instant until = world().time.now() + (deploy_ == Deploy::none ? 10s : 60s);
  const auto leftover = [](const Place& place) {
    return place.instance == nullptr ? std::string("an instance is not back") : place.instance->leftover();
  };
  std::vector<const Place*> waiting;
  for (const Place& place : places_) waiting.push_back(&place);
  while ((end() == before || !waiting.empty()) && !world().has_failed()) {
    if (world().time.now() >= until) break;
    world().run_for(kStep);
    step();
    std::erase_if(waiting, [&](const Place* each) { return leftover(*each).empty(); });
  }
  if (!waiting.empty()) return world().fail(leftover(*waiting.front()));
  if (end() != before) return;
  std::string states;
  for (const Place& place : places_) {
    if (place.instance != nullptr) states += line("\n  ", place.instance->state_of_streams());
  }
  world().fail("nobody polls a stream in quiet" + states);
}

}  // namespace fanfare::fleet
