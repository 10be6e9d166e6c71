#pragma once
// For the simulation: several clients of one network that read, send and keep filters while the nodes
// misbehave. They use the gateway's objects in front of its nodes (SharedReads, SteadyReads, FilterCalls,
// forward).
//
// They check the promises of docs/upstreams.md, as far as a client can see them. Most promises hold only
// while some node is well: used, honest and without faults from before the request until after the answer.
//
//   no answer is below a block that was shown before the request, while a well node has that block
//   a block on which all nodes agree is the answer for its number, including its logs
//   a transaction is known, and counted by the pending nonce, while the node that accepted it is well
//   if connections show a node's replacement: nothing comes from another chain, and nothing is sent there
//   a transaction is executed at most once
//   each element of a batch has one answer, in its position and under its id, whatever nodes do to batches
//   the changes of a filter add up to the final chain; it is lost only after the source has missed events
//
// A violation is thrown as a std::runtime_error, out of the simulated time.

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

namespace fanfare::gateway::simulated {

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
    std::size_t filters_index = 0;  // in the follower's list of interests
    bool replaced_visibly = false;  // nodes that move to another chain lose their connections
    std::function<void(const std::string&)> tell;
  };
  // Everything must outlive this object. The follower comes later: follow().
  explicit Clients(Setting setting);
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  void follow(ChainFollower& follower) { follower_ = &follower; }
  SharedReads& reads() { return reads_; }
  // Does what the gateway's network does with the source's events.
  void take(const std::vector<eth::SourceEvent>& events);
  // The standing of some node has changed.
  void chains_changed();
  // Each client acts once, or not at all, within `time_span`.
  void act(Duration time_span);
  // Queries all filters. They end when they are not queried for five minutes.
  void ask_filters();
  // The world is calm: queries all filters for the last time.
  void finish();
  // Ends all checks, before the world is destroyed.
  void close() { alive_.reset(); }

  ClientSums sums;

 private:
  static constexpr std::size_t kClients = 4;

  // The state of the nodes when a request was made.
  struct Seen {
    std::uint64_t shown = 0;
    std::vector<bool> well;
    std::vector<std::uint64_t> changes;  // of each node
    std::vector<std::uint64_t> heads;
    std::vector<std::optional<eth::Hash256>> blocks;  // at the requested number
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
    std::string id;  // quoted; empty: being created
    bool of_logs = false;
    std::string params;
    Joined joined;
    std::size_t heads_before = 0;
    std::uint64_t holes_before = 0;  // when it was made or last queried
    std::vector<std::string> told;   // received logs or hashes
  };
  // An element of a client's message, and the check of its answer: the raw result, empty for an error.
  struct Element {
    ForwardItem item;
    std::function<void(std::string_view result)> check;
  };

  Seen see(std::optional<std::uint64_t> number = std::nullopt) const;
  bool is_well(std::size_t node) const;
  // Whether the node was well ever since.
  bool was_well(const Seen& seen, std::size_t node) const;
  // The block on which all nodes that have its number agreed ever since; null: they did not agree.
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
  std::uint64_t holes_of(const Filter& filter) const { return holes_ + (filter.of_logs ? log_holes_ : 0); }
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
  std::vector<std::string> heads_;  // announced, in order
  // The documented reasons for which filters are removed: events that the source could not give, of all or of logs only.
  std::uint64_t holes_ = 0;
  std::uint64_t log_holes_ = 0;
  std::vector<std::uint64_t> nonces_ = std::vector<std::uint64_t>(kClients);
  std::vector<Sent> sent_;
  std::map<std::string, int> carried_out_;
  std::vector<std::shared_ptr<Filter>> filters_;
  // Reset by close().
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fanfare::gateway::simulated
