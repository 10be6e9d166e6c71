#pragma once
// The filters of eth_newFilter, eth_newBlockFilter and eth_newPendingTransactionFilter for one network,
// served from the same events as subscriptions, so that any node behind the gateway will do. On the thread
// where the events are made; no I/O.
//
//   events -> [ e17 | e18 | e19 | .. ]      kept once for all filters, as long as one of them has not asked
//                 ^filter a    ^filter b    a filter is its criteria and a place in this list
//
// A filter costs nothing when a block comes. What it matches is found when it is asked, from its place to the
// end: nothing is lost and nothing told twice. Where something is lost all the same (the nodes would not give
// a block's logs, the list is full), the filter is gone, and its owner is told "filter not found" rather than
// given a part. A filter nobody asks goes away after idle_max, as in geth.
//
// A reorg is told as geth does: logs with removed: true, then those of the new branch; block filters list the
// new branch's hashes.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/random.h"
#include "base/time.h"
#include "eth/chain_source.h"
#include "eth/event_list.h"
#include "eth/filter_limits.h"
#include "eth/interest.h"
#include "eth/log_filter.h"
#include "eth/subscription_id.h"
#include "eth/subscription_params.h"

namespace fanfare::eth {

enum class FilterKind : std::uint8_t { logs, blocks, pending_hashes, pending_bodies };

class FilterStore {
 public:
  // `random` gives the ids, 128 bits that nobody can guess, and outlives the store.
  FilterStore(const FilterLimits& limits, Random& random) : limits_(limits), random_(random) {}

  // `params_json`: the request's, raw; empty if it has none. `owner`: whose limits count, such as the
  // client's address; "" for one without limits of its own. Returns the id as text. What happened before is
  // not the filter's: for that it has to be called between two events. Errors: -32602, -32005.
  std::expected<std::string, RpcError> add(FilterKind kind, std::string_view params_json,
                                           std::string_view owner, Instant now);
  // eth_getFilterChanges: the JSON array. Errors: -32602, -32000 "filter not found". `has_room` is asked with
  // the bytes of the array; where it says no, nothing counts as told, and the error has code 0.
  using HasRoom = std::function<bool(std::size_t bytes)>;
  std::expected<std::string, RpcError> changes(std::string_view params_json, Instant now,
                                               const HasRoom& has_room = {});
  // eth_getFilterLogs: the `params` of the eth_getLogs that answers it. The same errors.
  std::expected<std::string, RpcError> logs_query(std::string_view params_json, Instant now);
  // eth_uninstallFilter: whether there was one. Error: -32602.
  std::expected<bool, RpcError> remove(std::string_view params_json);

  void on_event(const SourceEvent& event);
  // To be looked at after add, changes, remove and expire.
  Interest interest() const;
  // Filters that nobody has asked for idle_max go.
  void expire(Instant now);
  std::optional<Instant> next_expiry() const;

  const FilterCounters& counters() const { return counters_; }
  std::size_t size() const { return filters_.size(); }
  std::size_t kept_bytes() const { return chain_.bytes() + pending_.bytes(); }

 private:
  // What a list holds. A hole ends the filters of its kind that have not come past it.
  struct ChainEntry {
    HeaderPtr header;   // null: a hole
    BlockLogsPtr logs;  // null: nobody wanted them
    bool head = false;  // its hash is told to block filters
    bool removed = false;
    bool logs_only = false;  // of a hole: block filters miss nothing
  };
  struct PendingEntry {
    std::string json;  // empty: a hole
    bool body = false;
    bool bodies_only = false;  // of a hole
  };
  struct Filter {
    FilterKind kind = FilterKind::logs;
    LogFilter criteria;
    std::string query;  // of logs: what eth_getLogs is asked for
    std::uint64_t place = 0;
    // Of logs: the head when it was made, while logs up to that are still to come. It begins after them.
    std::optional<std::uint64_t> waits_for = {};
    std::size_t bytes = 0;
    std::string owner;
    std::list<SubscriptionId>::iterator asked_place;
    Instant asked{};
  };
  struct IdHash {
    std::size_t operator()(const SubscriptionId& id) const noexcept {
      return static_cast<std::size_t>(id.low);
    }
  };
  struct Owner {
    std::size_t filters = 0;
    std::size_t bytes = 0;
  };
  using Filters = std::unordered_map<SubscriptionId, Filter, IdHash>;

  std::expected<Filters::iterator, RpcError> find(std::string_view params_json);
  std::expected<void, RpcError> admit(const Filter& filter) const;
  void asked(Filters::iterator found, Instant now);
  void erase(Filters::iterator found);
  bool wants(FilterKind kind) const { return count_[static_cast<std::size_t>(kind)] > 0; }
  static bool is_pending(FilterKind kind) { return kind >= FilterKind::pending_hashes; }
  void on_block(const BlockAdded& block);
  void on_removed(const BlockRemoved& block);
  void begin_waiting();
  void on_late_logs(const BlockLogsLate& late);
  void on_logs_missing(const LogsMissing& missing);
  bool has_logs_of(std::uint64_t number) const { return logs_told_to_ && *logs_told_to_ >= number; }
  void chain_hole(bool logs_only);
  // Where the filter stands once `out` was told; empty: something is missing, it is of no use any more.
  std::optional<std::uint64_t> append_chain_changes(const Filter& filter, std::string& out) const;
  std::optional<std::uint64_t> append_pending_changes(const Filter& filter, std::string& out) const;

  FilterLimits limits_;
  Random& random_;
  Filters filters_;
  std::list<SubscriptionId> by_asked_;  // who was not asked for longest first
  std::map<std::string, Owner, std::less<>> owners_;
  std::size_t bytes_ = 0;
  FilterCounters counters_;
  std::array<std::size_t, 4> count_{};  // by kind
  EventList<ChainEntry> chain_;
  EventList<PendingEntry> pending_;
  std::optional<BlockId> published_;
  std::optional<BlockId> logs_after_;
  std::optional<std::uint64_t>
      logs_told_to_;  // the block up to which logs are here; while somebody wants them
  // Heads that were told, are gone, and have had none told in their place (subscription_manager.h).
  std::deque<Hash256> taken_back_;
};

}  // namespace fanfare::eth
