#pragma once
// The filters of eth_newFilter, eth_newBlockFilter and eth_newPendingTransactionFilter for one network. They
// are served from the same events as subscriptions, so any upstream node can be behind the gateway. Runs on
// the thread that makes the events; no I/O.
//
//   events -> [ e17 | e18 | e19 | .. ]      kept once for all filters, until each of them has read it
//                 ^filter a    ^filter b    a filter is its criteria and a slot in this list
//
// A filter costs nothing when a block arrives. Its matches are computed when it is queried, from its slot to
// the end, so that nothing is lost or reported twice. If events are lost all the same (the nodes did not
// deliver a block's logs, or the list is full), the filter is removed. Its owner then gets "filter not found"
// rather than partial changes. A filter that is not queried for idle_max is removed, as in geth.
//
// A reorg is reported as in geth: logs with removed: true, then the logs of the new branch; block filters
// list the hashes of the new branch.

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
#include "eth/event_list.h"
#include "eth/filter_limits.h"
#include "eth/interest.h"
#include "eth/log_filter.h"
#include "eth/source_event.h"
#include "eth/subscription_id.h"
#include "eth/subscription_params.h"

namespace fanfare::eth {

enum class FilterKind : std::uint8_t { logs, blocks, pending_hashes, pending_bodies };

class FilterStore {
 public:
  // `random` makes the ids, 128 bits that cannot be guessed; it must outlive the store.
  FilterStore(const FilterLimits& limits, Random& random) : limits_(limits), random_(random) {}

  // `params_json`: the raw `params` of the request; empty if it has none. `owner`: whose limits apply, such
  // as the client's address; "" has no limits of its own. Returns the id as text. Earlier events are not part
  // of the filter, so this must be called between two events. Errors: -32602, -32005.
  std::expected<std::string, RpcError> add(FilterKind kind, std::string_view params_json,
                                           std::string_view owner, Instant now);
  // eth_getFilterChanges: the JSON array. Errors: -32602, -32000 "filter not found". `has_room` is called
  // with the size of the array in bytes. If it returns false, nothing counts as reported, and the error has
  // code 0.
  using HasRoom = std::function<bool(std::size_t bytes)>;
  std::expected<std::string, RpcError> changes(std::string_view params_json, Instant now,
                                               const HasRoom& has_room = {});
  // eth_getFilterLogs: the `params` of the eth_getLogs call that answers it. Same errors as changes(), except
  // code 0.
  std::expected<std::string, RpcError> logs_query(std::string_view params_json, Instant now);
  // eth_uninstallFilter: whether the filter existed. Error: -32602.
  std::expected<bool, RpcError> remove(std::string_view params_json);

  void on_event(const SourceEvent& event);
  // Check after add, changes, remove and expire.
  Interest interest() const;
  // Removes filters that were not queried for idle_max.
  void expire(Instant now);
  std::optional<Instant> next_expiry() const;

  const FilterCounters& counters() const { return counters_; }
  std::size_t size() const { return filters_.size(); }
  std::size_t kept_bytes() const { return chain_.bytes() + pending_.bytes(); }

 private:
  // An entry of a list. A gap removes the filters of its kind that have not read past it.
  struct ChainEntry {
    HeaderPtr header;   // null: a gap
    BlockLogsPtr logs;  // null: not needed
    bool head = false;  // its hash is reported to block filters
    bool removed = false;
    bool logs_only = false;  // of a gap: block filters miss nothing
  };
  struct PendingEntry {
    std::string json;  // empty: a gap
    bool body = false;
    bool bodies_only = false;  // of a gap
  };
  struct Filter {
    FilterKind kind = FilterKind::logs;
    LogFilter criteria;
    std::string query;  // of logs: the parameters of the eth_getLogs call
    std::uint64_t place = 0;
    // Of logs: the head when the filter was created, if logs up to it are outstanding. The filter begins
    // after them.
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
  void on_baseline(const Baseline& baseline);
  void on_block(const BlockAdded& block);
  void on_removed(const BlockRemoved& block);
  void begin_waiting();
  void begin_chain_at(std::uint64_t number);
  void on_late_logs(const BlockLogsLate& late);
  void on_logs_missing(const LogsMissing& missing);
  bool has_logs_of(std::uint64_t number) const { return logs_told_to_ && *logs_told_to_ >= number; }
  void chain_hole(bool logs_only);
  // The filter's slot after `out` is reported. Empty: events are missing, and the filter is no longer usable.
  std::optional<std::uint64_t> append_chain_changes(const Filter& filter, std::string& out) const;
  std::optional<std::uint64_t> append_pending_changes(const Filter& filter, std::string& out) const;

  FilterLimits limits_;
  Random& random_;
  Filters filters_;
  std::list<SubscriptionId> by_asked_;  // the least recently queried first
  std::map<std::string, Owner, std::less<>> owners_;
  std::size_t bytes_ = 0;
  FilterCounters counters_;
  std::array<std::size_t, 4> count_{};  // by kind
  EventList<ChainEntry> chain_;
  EventList<PendingEntry> pending_;
  std::optional<BlockId> published_;
  std::optional<BlockId> logs_after_;
  std::optional<std::uint64_t>
      logs_told_to_;  // the block up to which logs have arrived, while they are needed
  // Heads that were reported, then removed, and not replaced yet (subscription_manager.h).
  std::deque<Hash256> taken_back_;
};

}  // namespace fanfare::eth
