// The chain source and the pool, connected as in the gateway, in front of nodes with every known fault: late,
// frozen, forked, silent, rejecting, lying. Time is simulated and randomness comes from a seed, so thousands
// of runs take seconds and each can be repeated.
//
//   sources_sim --seeds 2000 [--first 1]     one line for each failure, then sums; exit status 1
//                                            if any failed
//   sources_sim --seed 17                    repeats one run and prints its events
//   sources_sim --fault head-lost [--seeds]  with a fault put in on purpose, until a seed finds it
//
// Clients read, send and keep filters beside the subscribers (sources_clients.h lists the conditions for
// them). In two of three seeds a node that is replaced by one of another chain loses its connections;
// otherwise nothing shows the replacement.
//
// The conditions: the notifications of a subscriber add up to the final chain, with every step in order. No
// head or log is missing or repeated, and only existing ones are removed. In every fourth seed the product's
// limits apply and may be reached: the subscriber then gets a notice (and starts over).

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/log.h"
#include "gateway/chain_follower.h"
#include "gateway/faulty_node_for_tests.h"
#include "sources_clients.h"
#include "sources_loop.h"
#include "upstream/pool.h"
#include "upstream/time_for_tests.h"

namespace fanfare::gateway::simulated {
namespace {

using namespace std::chrono_literals;
using upstream::testing::SimulatedTime;

constexpr std::size_t kLoops = 2;
constexpr int kSteps = 100;
constexpr int kFinalBlocks = 24;  // more blocks than any node's own fork has beyond the chain
constexpr int kStartsOver = 2;    // subscriptions to finalized heads that follow one another, in quiet

struct Sums {
  std::uint64_t runs = 0, failed = 0, blocks = 0, reorgs = 0, calls = 0, heads = 0, finalized = 0, logs = 0,
                receipts = 0, notices = 0, disagreements = 0, stalls = 0;
  ClientSums clients;
};

enum class Mood : std::uint8_t { in_step, late, frozen, own_fork, other_chain };
constexpr std::uint64_t kMoods = 5;
constexpr std::uint64_t kChainId = 1;

struct NodeModel {
  FaultyNode* node = nullptr;
  Mood mood = Mood::in_step;
  std::uint64_t late_by = 0;
  std::size_t index = 0;
  Instant moved_at{};  // to another chain, or back
  bool tells = false;  // pushes new heads, like a node behind WebSocket
};

struct PoolCounter final : upstream::Observer {
  void call_finished(const upstream::CallReport&) override {}
  void stall_changed(std::string_view, bool stalled) override { stalls += stalled ? 1 : 0; }
  void disagreed(std::string_view) override { ++disagreements; }
  std::uint64_t stalls = 0, disagreements = 0;
};

// What goes wrong on purpose between the source and its subscribers, so that it is seen to be found.
enum class Planted : std::uint8_t {
  none,
  head_lost,
  head_twice,
  removal_lost,
  logs_lost,
  removed_logs_lost,
  filters_deaf
};
struct NamedFault {
  std::string_view name;
  Planted planted;
};
constexpr std::array kFaults{NamedFault{"head-lost", Planted::head_lost},
                             NamedFault{"head-twice", Planted::head_twice},
                             NamedFault{"removal-lost", Planted::removal_lost},
                             NamedFault{"logs-lost", Planted::logs_lost},
                             NamedFault{"removed-logs-lost", Planted::removed_logs_lost},
                             NamedFault{"filters-deaf", Planted::filters_deaf}};
constexpr std::uint64_t kPlantedOneIn = 20;

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool talks, Planted planted)
      : random_(seed),
        planted_(planted),
        chance_(seed),
        talks_(talks),
        strict_(seed % 4 != 0),
        replaces_(seed % 3 != 0),
        world_(random_),
        other_world_(random_) {
    // So that a block is final from the start.
    for (std::uint64_t i = FaultyNode::kFinalDepth + random_.below(6); i > 0; --i) world_.mine();
    std::vector<std::unique_ptr<upstream::Backend>> members;
    for (std::uint64_t i = 1 + random_.below(3); i > 0; --i) {
      auto node =
          std::make_unique<FaultyNode>("node" + std::to_string(nodes_.size()), world_, time_, random_);
      node->knows_what_it_lacks = random_.below(2) == 0;
      nodes_.push_back({.node = node.get(), .index = nodes_.size(), .tells = random_.below(3) == 0});
      members.push_back(std::move(node));
    }
    upstream::PoolOptions pool{.chain = {.enabled = true, .chain_id = kChainId, .every = 20s},
                               .random = &random_};
    pool.chain.standing_changed = [this] {
      if (clients_) clients_->chains_changed();
    };
    if (random_.below(2) == 0) pool.hedge_after = 500ms;
    pool_ = std::make_unique<upstream::Pool>(time_, std::move(members), pool, &counter_);
    std::vector<FaultyNode*> nodes;
    for (const NodeModel& model : nodes_) nodes.push_back(model.node);
    clients_ = std::make_unique<Clients>(
        Clients::Setting{.time = time_,
                         .random = random_,
                         .world = world_,
                         .pool = *pool_,
                         .nodes = std::move(nodes),
                         .filters_index = kLoops,
                         .replaced_visibly = replaces_,
                         .tell = [this](const std::string& what) { tell("      " + what); }});
    eth::ChainSourceOptions options;
    if (strict_) {
      options.heads.stuck_rounds_max = 1'000'000;
      options.heads.stale_polls_max = 1'000'000;
      options.chain.logs_attempts_max = 1'000'000;
      options.chain.logs_wait_max = std::chrono::hours(24 * 365);
      options.history.attempts_max = 1'000'000;
    }
    follower_ = std::make_unique<ChainFollower>(
        time_, ChainFollower::Nodes{.backend = *pool_, .pool = pool_.get()}, options, random_,
        ChainFollower::Callbacks{
            .events = [this](std::vector<eth::SourceEvent> events) { mail(std::move(events)); },
            .turn = {},
            .shorter = [this](std::uint64_t number) { clients_->reads().chain_went_back(number); }});
    clients_->follow(*follower_);
    for (std::size_t i = 0; i < kLoops; ++i) {
      loops_.push_back(std::make_unique<LoopModel>(i, time_, random_, *follower_));
      loops_.back()->notices_allowed = !strict_;
      loops_.back()->was_named_final = [this](const eth::Hash256& hash) {
        return std::ranges::any_of(nodes_,
                                   [&](const auto& one) { return one.node->named_final.contains(hash); });
      };
      if (talks && i == 0) loops_.back()->tell = [this](const std::string& what) { tell("      " + what); };
    }
  }

  ~Simulation() { clients_->close(); }
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  void run(Sums& sums) {
    follower_->start();
    for (int step = 0; step < kSteps; ++step) {
      const Duration pause = std::chrono::milliseconds(50 + random_.below(2500));
      clients_->act(pause);
      time_.run_for(pause);
      move_the_world();
      for (NodeModel& node : nodes_) move(node);
      for (const auto& loop : loops_) {
        if (random_.below(8) == 0) loop->listen_to_logs();
        if (random_.below(8) == 0) loop->listen_to_receipts();
        if (random_.below(20) == 0) loop->leave_some();
      }
    }
    calm_down();
    clients_->finish();
    sums.clients += clients_->sums;
    sums.blocks += world_.head().block.number;
    sums.reorgs += reorgs_;
    sums.disagreements += counter_.disagreements;
    sums.stalls += counter_.stalls;
    for (const NodeModel& node : nodes_) sums.calls += node.node->calls;
    for (const auto& loop : loops_) {
      loop->check(world_);
      sums.heads += loop->heads_told();
      sums.finalized += loop->finalized_told();
      sums.logs += loop->logs_told();
      sums.receipts += loop->receipts_told();
      sums.notices += loop->notices;
    }
  }

 private:
  void tell(const std::string& what) const {
    if (!talks_) return;
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(time_.now().time_since_epoch() - 1h);
    std::printf("%8lld ms  %s\n", static_cast<long long>(ms.count()), what.c_str());
  }
  void mail(std::vector<eth::SourceEvent> events) {
    clients_->take(planted_ == Planted::filters_deaf ? spoilt(events) : events);
    if (planted_ != Planted::filters_deaf) events = spoilt(std::move(events));
    const auto shared = std::make_shared<const std::vector<eth::SourceEvent>>(std::move(events));
    for (const auto& loop : loops_) loop->mail(shared);
  }

  // Its dice are its own, so that a seed is the same without the fault.
  std::vector<eth::SourceEvent> spoilt(std::vector<eth::SourceEvent> events) {
    if (planted_ == Planted::none) return events;
    std::vector<eth::SourceEvent> out;
    for (eth::SourceEvent& event : events) {
      auto* const added = std::get_if<eth::BlockAdded>(&event);
      auto* const removed = std::get_if<eth::BlockRemoved>(&event);
      const bool is_wanted = planted_ == Planted::removal_lost || planted_ == Planted::removed_logs_lost
                                 ? removed != nullptr
                                 : added != nullptr;
      if (!is_wanted || chance_.below(kPlantedOneIn) != 0) {
        out.push_back(std::move(event));
        continue;
      }
      tell("fault: " + std::string(kFaults[static_cast<std::size_t>(planted_) - 1].name));
      switch (planted_) {
        case Planted::head_twice:
          out.push_back(event);
          break;
        case Planted::logs_lost:
          added->logs = nullptr;
          break;
        case Planted::removed_logs_lost:
          removed->logs = nullptr;
          break;
        default:
          continue;
      }
      out.push_back(std::move(event));
    }
    return out;
  }

  void move_the_world() {
    for (std::uint64_t i = random_.below(3); i > 0; --i) other_world_.mine();
    const std::uint64_t dice = random_.below(20);
    if (dice < 8) world_.mine();
    if (dice == 8) {
      for (std::uint64_t i = 2 + random_.below(4); i > 0; --i) world_.mine();
    }
    if (dice == 9 || dice == 10) reorg(1 + random_.below(dice == 9 ? 3 : 12));
    if (dice == 11 && random_.below(8) == 0) reorg(12 + random_.below(40));
    if (dice == 12 && random_.below(2) == 0) go_back(1 + random_.below(6));
  }
  void reorg(std::uint64_t depth) {
    depth = std::min(depth, world_.head().block.number);
    if (depth == 0) return;
    ++reorgs_;
    world_.reorg(depth, depth - 1 + random_.below(4));
    tell("world: reorg of " + std::to_string(depth) + ", head " + std::to_string(world_.head().block.number));
  }

  // Like evm_revert: the chain is shorter, and for a while nothing replaces the removed blocks.
  void go_back(std::uint64_t depth) {
    depth = std::min(depth, world_.head().block.number);
    if (depth == 0) return;
    ++reorgs_;
    world_.reorg(depth, 0);
    tell("world: back to " + std::to_string(world_.head().block.number));
  }

  void move(NodeModel& model) {
    if (random_.below(12) == 0) change_mood(model);
    if (random_.below(9) == 0) change_faults(model);
    if (random_.below(12) == 0) {
      model.node->batch_max = random_.below(2) == 0 ? SIZE_MAX : 1 + random_.below(30);
      model.node->sloppy_batches = random_.below(3) == 0;
    }
    const WorldBlock* before = &model.node->head();
    see(model);
    if (model.tells && &model.node->head() != before) hint(model);
    if (model.tells && random_.below(60) == 0) follower_->hints_lost();
  }
  void see(NodeModel& model) {
    FaultyNode& node = *model.node;
    switch (model.mood) {
      case Mood::in_step:
        return node.see(world_.head());
      case Mood::late: {
        const std::uint64_t number = world_.head().block.number;
        return node.see(*World::at(world_.head(), number - std::min(number, model.late_by)));
      }
      case Mood::frozen:
        return;
      case Mood::own_fork:
        if (random_.below(3) == 0) node.see(world_.fork(node.head()));
        return;
      case Mood::other_chain:
        return node.see(other_world_.head());
    }
  }
  // Only for the newest of several heads, sometimes twice, sometimes late, sometimes not at all.
  void hint(const NodeModel& model) {
    for (std::uint64_t times = random_.below(10) == 0 ? 0 : 1 + random_.below(12) / 11; times > 0; --times) {
      const auto late =
          std::chrono::milliseconds(random_.below(10) == 0 ? random_.below(8000) : random_.below(40));
      time_.call_after(late, [this, index = model.index, json = model.node->head().block.json()] {
        if (pool_->is_trusted(index)) follower_->hint(index, json);
      });
    }
  }
  // A node is not replaced twice within the time of a check: an answer in between could come from either.
  void set_mood(NodeModel& model, Mood mood) {
    const bool was_elsewhere = model.mood == Mood::other_chain;
    if (was_elsewhere != (mood == Mood::other_chain) && time_.now() - model.moved_at < kReplacedOnceIn)
      return;
    const bool is_elsewhere = mood == Mood::other_chain;
    model.mood = mood;
    if (is_elsewhere == was_elsewhere) return;
    model.moved_at = time_.now();
    World& there = is_elsewhere ? other_world_ : world_;
    const std::uint64_t chain_id = is_elsewhere ? kChainId + 1 : kChainId;
    if (replaces_) {
      model.node->replace_by(there, chain_id);
    } else {
      model.node->move_to(there, chain_id);
    }
  }
  void change_mood(NodeModel& model) {
    set_mood(model, random_.below(2) == 0 ? Mood::in_step : static_cast<Mood>(random_.below(kMoods)));
    model.late_by = 1 + random_.below(4);
    tell(std::string(model.node->name()) + ": mood " + std::to_string(static_cast<int>(model.mood)));
  }
  void change_faults(NodeModel& model) {
    FaultyNode& node = *model.node;
    node.heal();
    const std::uint64_t kind =
        random_.below(2) == 0 ? 0 : 1 + random_.below(2 * static_cast<std::uint64_t>(Fault::count_));
    if (kind == 0) return;
    if (kind >= static_cast<std::uint64_t>(Fault::count_)) {  // a mixture of all faults
      for (std::size_t i = 1; i < node.faults.size(); ++i) node.faults[i] = i == kHuge ? 0 : 15;
    } else {
      // 12 MB answers are rare, because the sanitizers are slow with them.
      node.faults[kind] = kind == kHuge ? 2 : static_cast<std::uint32_t>(100 + random_.below(900));
    }
    tell(std::string(node.name()) + ": faults " + std::to_string(kind));
  }

  // All nodes are healthy again, and the chain grows beyond any invented block.
  void calm_down() {
    tell("calm");
    for (NodeModel& model : nodes_) model.node->heal();
    // set_mood() does not replace a node twice within that time.
    time_.run_for(kReplacedOnceIn);
    for (NodeModel& model : nodes_) set_mood(model, Mood::in_step);
    std::uint64_t highest = 0;
    for (const NodeModel& model : nodes_) highest = std::max(highest, model.node->head().block.number);
    for (int i = 0; i < kFinalBlocks || world_.head().block.number <= highest; ++i) mine_on_all();
    const auto there = [this] {
      const auto& source = follower_->source();
      return source.tip() != nullptr && source.tip()->hash == world_.head().block.hash &&
             source.chain_status().pending == 0 && source.history_status().receipts_late == 0;
    };
    if (!runs_until(there, 10)) throw std::runtime_error("the chain's head was never told");
    time_.run_for(1s);  // the mailboxes
    const auto is_final = [this] {
      return std::ranges::all_of(loops_,
                                 [this](const auto& loop) { return loop->has_final_of(world_.head()); });
    };
    const auto is_ahead = [this] {
      return std::ranges::any_of(loops_,
                                 [this](const auto& loop) { return loop->has_final_above(world_.head()); });
    };
    // A subscription that started over gets its first finalized head with a further block.
    for (int i = 0;; ++i) {
      while (is_ahead()) mine_on_all();
      if (runs_until(is_final, 1)) break;
      if (i == kStartsOver) throw std::runtime_error("the finalized head was never told");
      mine_on_all();
    }
    if (!runs_until(there, 10)) throw std::runtime_error("the chain's head was never told");
    time_.run_for(1s);
  }
  template <typename Condition>
  bool runs_until(Condition condition, int minutes) {
    for (; minutes > 0; --minutes) {
      if (time_.run_until(condition, 1min, 500ms)) return true;
      clients_->ask_filters();
    }
    return false;
  }
  void mine_on_all() {
    world_.mine();
    for (NodeModel& model : nodes_) model.node->see(world_.head());
    clients_->ask_filters();
    time_.run_for(1s);
  }

  static constexpr Duration kReplacedOnceIn = 20s;
  static constexpr std::size_t kHuge = static_cast<std::size_t>(Fault::huge);

  SeededRandom random_;
  Planted planted_;
  SeededRandom chance_;
  bool talks_;
  bool strict_;
  bool replaces_;  // a node of another chain may replace a node: its connections end
  SimulatedTime time_;
  World world_;
  World other_world_;  // another chain
  PoolCounter counter_;
  std::vector<NodeModel> nodes_;
  std::unique_ptr<Clients> clients_;  // outlives the pool, whose last answers it gets
  std::unique_ptr<upstream::Pool> pool_;
  std::unique_ptr<ChainFollower> follower_;
  std::vector<std::unique_ptr<LoopModel>> loops_;
  std::uint64_t reorgs_ = 0;
};

void run_seed(std::uint64_t seed, bool talks, Planted planted, Sums& sums) {
  ++sums.runs;
  try {
    Simulation(seed, talks, planted).run(sums);
  } catch (const std::exception& failure) {
    ++sums.failed;
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), failure.what());
    std::fflush(stdout);
  }
}

std::uint64_t number_after(int argc, char** argv, const char* flag, std::uint64_t otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], flag) != 0) continue;
    std::uint64_t value = 0;
    const char* end = argv[i + 1] + std::strlen(argv[i + 1]);
    if (std::from_chars(argv[i + 1], end, value).ptr == end) return value;
  }
  return otherwise;
}

// Empty: there is no fault of that name.
std::optional<Planted> fault_of(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--fault") != 0) continue;
    const std::string_view name = i + 1 < argc ? argv[i + 1] : "";
    const auto* const found = std::ranges::find(kFaults, name, &NamedFault::name);
    if (found != kFaults.end()) return found->planted;
    std::fprintf(stderr, "sources_sim: there is no fault \"%s\", but:", std::string(name).c_str());
    for (const NamedFault& each : kFaults) std::fprintf(stderr, " %s", std::string(each.name).c_str());
    std::fprintf(stderr, "\n");
    return std::nullopt;
  }
  return Planted::none;
}

int main_with(int argc, char** argv) {
  log::set_level(log::Level::off);
  Sums sums;
  const auto planted = fault_of(argc, argv);
  if (!planted) return 2;
  const std::uint64_t seed = number_after(argc, argv, "--seed", 0);
  const std::uint64_t first = seed != 0 ? seed : number_after(argc, argv, "--first", 1);
  const std::uint64_t count = seed != 0 ? 1 : number_after(argc, argv, "--seeds", 50);
  for (std::uint64_t i = 0; i < count && (*planted == Planted::none || sums.failed == 0); ++i)
    run_seed(first + i, seed != 0, *planted, sums);
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%llu seeds, %llu failed: %llu blocks, %llu reorgs, %llu calls, %llu heads, %llu finalized heads, %llu "
      "logs and %llu blocks' "
      "receipts told, "
      "%llu nodes stalled, %llu disagreed, %llu notices\n",
      n(sums.runs), n(sums.failed), n(sums.blocks), n(sums.reorgs), n(sums.calls), n(sums.heads),
      n(sums.finalized), n(sums.logs), n(sums.receipts), n(sums.stalls), n(sums.disagreements),
      n(sums.notices));
  const ClientSums& clients = sums.clients;
  std::printf(
      "clients: %llu answers, %llu batches, %llu sends, %llu filters; held against the nodes: %llu heights, "
      "%llu "
      "blocks, %llu logs, %llu transactions, %llu nonces\n",
      n(clients.answers), n(clients.batches), n(clients.sends), n(clients.filters), n(clients.heights),
      n(clients.blocks), n(clients.logs), n(clients.transactions), n(clients.nonces));
  return sums.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace fanfare::gateway::simulated

int main(int argc, char** argv) {
  return fanfare::gateway::simulated::main_with(argc, argv);
}
