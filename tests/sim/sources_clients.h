#pragma once
// Several clients of one network, who read, send and keep filters through what the gateway puts in front of
// its nodes (SharedReads, SteadyReads, FilterCalls, forward), while the nodes misbehave. For the simulation.
//
// What must hold is docs/upstreams.md, as far as a client can see it. Most of it holds only while some node
// is well: used, honest and without faults from before the question until after the answer.
//
//   no answer is below a block that was shown before the question, while a well node has that block
//   a block on which all nodes agree is what is answered for its number, logs included
//   a transaction is known, and counted by the pending nonce, while the node that took it is well
//   nothing comes from another chain, and nothing goes there, where connections show that a node was replaced
//   a transaction is carried out once at most
//   each element of a batch has one answer, in its place and under its id, whatever nodes do to batches
//   a filter's changes, put together, are what the final chain says
//
// What does not hold is thrown as a std::runtime_error, out of the simulated time.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "eth/chain_source.h"
#include "gateway/chain_follower.h"
#include "gateway/faulty_node_for_tests.h"
#include "gateway/filter_calls.h"
#include "gateway/metrics.h"
#include "gateway/shared_reads.h"
#include "sources_history.h"
#include "upstream/pool.h"
#include "upstream/time_for_tests.h"

namespace fanfare::gateway::testing {

struct ClientSums {
  std::uint64_t answers = 0, heights = 0, blocks = 0, logs = 0, transactions = 0, nonces = 0, batches = 0,
                sends = 0, filters = 0;

  ClientSums& operator+=(const ClientSums& other) {
    for (const auto member : {&ClientSums::answers, &ClientSums::heights, &ClientSums::blocks,
                              &ClientSums::logs, &ClientSums::transactions, &ClientSums::nonces,
                              &ClientSums::batches, &ClientSums::sends, &ClientSums::filters}) {
      this->*member += other.*member;
    }
    return *this;
  }
};

class Clients {
 public:
  struct Setting {
    upstream::testing::SimulatedTime& time;
    Random& random;
    const World& world;
    upstream::Pool& pool;
    std::vector<FaultyNode*> nodes;
    std::size_t filters_index = 0;  // of the follower's interests
    bool replaced_visibly = false;  // nodes that move to another chain lose their connections
    bool filters_may_be_lost = false;
    std::function<void(const std::string&)> tell;
  };
  // Everything outlives this. The follower comes later: follow().
  explicit Clients(Setting setting);
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  void follow(ChainFollower& follower) { follower_ = &follower; }
  SharedReads& reads() { return reads_; }
  // What the gateway's network does with the source's events.
  void take(const std::vector<eth::SourceEvent>& events);
  // The standing of some node has changed.
  void chains_changed();
  // Each client does something, or nothing, within `time_span`.
  void act(Duration time_span);
  // The world is calm, and all filters are asked for the last time.
  void finish();
  // Nothing is looked at any more: the world ends.
  void close() { alive_.reset(); }

  ClientSums sums;

 private:
  static constexpr std::size_t kClients = 4;

  // What was true of the nodes when something was asked.
  struct Seen {
    std::uint64_t shown = 0;
    std::vector<bool> well;
    std::vector<std::uint64_t> changes;  // of each node
    std::vector<std::uint64_t> heads;
    std::vector<std::optional<eth::Hash256>> blocks;  // at the number asked for
    std::optional<std::uint64_t> number;
  };
  struct Sent {
    std::string raw;
    std::string sender;
    std::uint64_t nonce = 0;
    std::size_t node = 0;
    Instant at{};
    std::uint64_t changes = 0;  // of that node
  };
  struct Filter {
    std::string id;  // quoted; empty: being made
    bool of_logs = false;
    std::string params;
    Joined joined;
    std::size_t heads_before = 0;
    std::vector<std::string> told;  // logs, or hashes
  };
  // An element of what a client sends, and who looks at its answer: the raw result, empty for an error.
  struct Element {
    ForwardItem item;
    std::function<void(std::string_view result)> check;
  };

  Seen see(std::optional<std::uint64_t> number = std::nullopt) const;
  bool is_well(std::size_t node) const;
  // Whether the node was well all the time since.
  bool was_well(const Seen& seen, std::size_t node) const;
  // The block that all nodes which have its number agreed on all the time since; null: they did not.
  const WorldBlock* agreed(const Seen& seen) const;
  void show(std::uint64_t number);
  void expect_right_chain(std::string_view block_json, std::string_view what) const;

  Element height();
  Element block();
  Element logs();
  Element send(std::size_t client);
  Element transaction();
  Element nonce();
  Element nonsense();
  Element any(std::size_t client);
  void make_filter();
  void ask_filter(const std::shared_ptr<Filter>& filter);
  void take_changes(Filter& filter, std::string_view result);
  void submit(std::vector<Element> elements, bool batch);
  void check_answers(const std::vector<Element>& elements, const ForwardJob& job, bool batch);

  Setting set_;
  NetworkMetrics metrics_{"main", "1"};
  SharedReads reads_;
  std::unique_ptr<FilterCalls> filter_calls_;
  ChainFollower* follower_ = nullptr;
  std::uint64_t shown_ = 0;
  std::vector<std::string> heads_;  // announced, one after the other
  std::vector<std::uint64_t> nonces_ = std::vector<std::uint64_t>(kClients);
  std::vector<Sent> sent_;
  std::map<std::string, int> carried_out_;
  std::vector<std::shared_ptr<Filter>> filters_;
  // Until close().
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fanfare::gateway::testing
