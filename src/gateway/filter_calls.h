#pragma once
// The JSON-RPC methods of filters, answered from the network's own events (eth/filter_store.h) instead of by
// a node, so that a filter depends on no single node. On the worker's thread, where the events are made: a
// call finds its filter by any loop, port or connection.
//
//   eth_newFilter, eth_newBlockFilter, eth_newPendingTransactionFilter     once the chain is followed
//   eth_getFilterChanges, eth_uninstallFilter                              at once
//   eth_getFilterLogs                                                      becomes an eth_getLogs

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "eth/filter_store.h"
#include "fanfare/unique_function.h"
#include "gateway/forward.h"
#include "upstream/executor.h"

namespace fanfare::gateway {

// The error for a client whose network has no node that answers.
inline constexpr std::string_view kNotFollowed = "the chain cannot be followed at present, try again later";

class FilterCalls {
 public:
  // The network's services. Everything must outlive this object; callbacks for `followed` and `await_pending`
  // may be destroyed unrun, with the network.
  struct Source {
    std::function<void(const eth::Interest&)> set_interest;
    // Runs it once the chain is followed (true), or when it cannot be in time (false).
    std::function<void(UniqueFunction<void(bool ready)>)> followed;
    // Runs it with "" once every new pending transaction will be reported, else with the reason why not.
    std::function<void(UniqueFunction<void(const std::string& refusal)>)> await_pending;
    // Receives the number of filters, and the changes of the counters since the last call. May be empty.
    std::function<void(std::size_t live, const eth::FilterCounters& since)> count;
  };

  FilterCalls(upstream::Executor& executor, const eth::FilterLimits& limits, Random& random, Source source);
  ~FilterCalls();
  FilterCalls(const FilterCalls&) = delete;
  FilterCalls& operator=(const FilterCalls&) = delete;

  static bool handles(std::string_view method);
  // Whether a node that ignores case would take it for one of them.
  static bool is_misspelt(std::string_view method);

  // Answers the filter calls of the job, and runs `done` with it, perhaps later. `client`: from client_of().
  void answer(ForwardJob job, const std::string& client, UniqueFunction<void(ForwardJob)> done);
  // Takes the source's events, in order and before the next call.
  void on_events(const std::vector<eth::SourceEvent>& events);

  std::size_t filters() const { return store_.size(); }

  // The owner of a peer's limits ("1.2.3.4:50312", "[2001:db8::1]:50312"): its address without the port, of
  // an IPv6 address the first 64 bits. "" for loopback, where a proxy may serve many clients.
  static std::string client_of(std::string_view peer);

 private:
  struct Pending;

  void create(const std::shared_ptr<Pending>& pending, std::size_t index, eth::FilterKind kind);
  void created(const std::shared_ptr<Pending>& pending, std::size_t index, eth::FilterKind kind);
  void answer_at_once(ForwardItem& item, AnswerRoom& room);
  void changed();
  void count();

  upstream::Executor& executor_;
  Source source_;
  eth::FilterStore store_;
  eth::Interest interest_;
  eth::FilterCounters counted_;
  upstream::TimerId expiry_;
};

}  // namespace fanfare::gateway
