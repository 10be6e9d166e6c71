#pragma once
// All counters of the process, and their text for Prometheus. docs/metrics.md lists the names; a test keeps
// that list and this code consistent.
//
//   Metrics metrics;
//   NetworkMetrics& network = metrics.add_network("main", "1");   // once, at the start
//   network.opened();                                             // any loop, any time
//   std::string body = metrics.render(clock.now());               // GET /metrics
//
// Labels come from the configuration and from the enumerations here, never from a client, so their number is
// limited.

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/byte_budget.h"
#include "base/time.h"
#include "eth/feeds/subscription_type.h"
#include "eth/filter_limits.h"
#include "eth/resume_limits.h"
#include "gateway/metrics_values.h"
#include "rpc/caller.h"
#include "session/accept_gate.h"
#include "upstream/failure.h"
#include "upstream/methods.h"

namespace fanfare::streams {
class Catalog;
}  // namespace fanfare::streams

namespace fanfare::relay {
struct LeaseCounters;
struct RelayCounters;
}  // namespace fanfare::relay

namespace fanfare::canvasserver {
class Rooms;
}  // namespace fanfare::canvasserver

namespace fanfare::gateway {

struct SharedSessionCounters;

class AccessGate;
class MetricsSheet;
struct DefenceCells;
struct ObserveCells;

// Why a WebSocket connection ended; the first that applies.
enum class CloseReason : std::uint8_t {
  client,              // the client sent a Close
  lost,                // the transport ended without a Close
  protocol_error,      // the client violated the protocol: 1002, 1003, 1007
  too_big,             // 1009
  too_many_fragments,  // 1009
  policy,              // 1008
  slow_consumer,       // its outbox was full: 1013
  memory,              // the process is short of memory, and it had the largest backlog: 1013
  missed,              // a subscription missed something and has no notice for it: 1013
  ping_timeout,        // it did not answer a ping
  idle_timeout,        // no message for too long: 1008
  shutdown,            // the server is shutting down: 1012
  internal,            // 1011
  count_,
};

// Why an upgrade was rejected.
enum class RefuseReason : std::uint8_t {
  connection_limit,  // 503
  bad_handshake,     // 400, 426
  origin,            // 403
  host,              // 403
  count_,
};

// Why a JSON-RPC request was not executed. An HTTP request that is rejected as a whole counts once.
enum class RpcRefusal : std::uint8_t {
  host,      // 403: its host is not served
  origin,    // 403: from a page without permission
  method,    // -32601: not allowed
  memory,    // -32005: its client, or all clients, have too much in progress
  limit,     // -32005: its identity or address has used up what it may
  overload,  // -32005: the server has too much to do
  count_,
};

using SubscriptionKind = eth::SubscriptionType;

// How a subscription was resumed from its cursor.
enum class ResumeOutcome : std::uint8_t {
  complete,  // everything it missed was sent
  notice,    // it got a notice about missing data
  count_,
};

// What becomes of the sessions of clients.
enum class SessionOutcome : std::uint8_t {
  created,
  resumed,     // another connection continued it
  taken_over,  // of these, those whose former connection was still open
  refused,     // a limit was reached
  expired,     // without a connection for sessionTimeout
  revoked,     // its credentials do not exist any more
  count_,
};

// What happens to a subscriber that reads too slowly.
enum class SlowPolicy : std::uint8_t {
  close,   // its connection is closed: 1013
  latest,  // it is sent the latest head and the range it missed
  count_,
};

// The fate of filters (eth_newFilter and the like).
enum class FilterOutcome : std::uint8_t {
  created,
  refused,      // -32005: a limit was reached
  expired,      // not queried for filterTimeout
  lost,         // events were missing when it was queried: "filter not found"
  uninstalled,  // eth_uninstallFilter
  count_,
};

using rpc::Transport;

// The cells of one network. Valid while the Metrics exist; any thread.
class NetworkMetrics {
 public:
  NetworkMetrics(std::string project, std::string chain_id);

  void opened();
  void closed(CloseReason reason);  // also counts a slow consumer
  // The newest known block. New heads are counted separately, since the first known one is not new.
  void head(std::uint64_t number, std::uint64_t timestamp_s, Instant learnt);
  // The number of filters, and the changes of the counters since the last call.
  void filters_changed(std::size_t live, const eth::FilterCounters& since);
  // The same for sessions. Calls must not overlap.
  void sessions_changed(std::size_t live, const eth::ResumeCounters& since);

  const std::string project;
  std::string chain_id;  // guarded by the Metrics: it may be determined late

  Gauge connections;
  Counter connections_opened;
  PerEach<CloseReason> connections_closed;
  PerEach<RefuseReason> connections_refused;
  Counter slow_consumer_closes;
  PerEach<SlowPolicy> slow_drops;  // connections closed; heads not sent
  PerEach<ResumeOutcome> resumes;
  Counter replayed;           // notifications of resumed subscriptions
  Counter history_blocks;     // blocks, logs and receipts fetched for them
  LatencyHistogram match;     // a block's logs with all filters of a loop, including encoding and queueing
  LatencyHistogram fan_out;   // from the source's report to the last outbox of one loop
  Counter turn_shares_spent;  // times a connection had to wait for its loop's next turn
  PerEach<SubscriptionKind, Gauge> subscriptions;
  PerEach<SubscriptionKind> notifications;  // one for each subscriber it was queued for
  Counter messages_received;
  Counter messages_sent;
  Counter bytes_received;  // of WebSocket frames
  Counter bytes_sent;
  PerEach<Transport> requests;  // JSON-RPC requests; each element of a batch counts
  PerEach<RpcRefusal> requests_refused;
  Counter heads;
  Counter reorgs;
  Counter reorged_blocks;
  Gauge reorg_depth_max;
  Counter backfilled;           // blocks fetched beyond those that polls returned
  Counter gaps;                 // runs of blocks that were given up, each reported to the subscribers
  Counter pending_gaps;         // times that pending transactions may have been missed, reported too
  Counter pending_bodies_lost;  // transactions reported only by their hashes
  Counter reads;                // requests that could be shared with identical ones
  Counter reads_shared;         // of these, those that waited for another caller's call
  Counter cache_hits;
  Counter cache_misses;
  Gauge cache_bytes;
  Gauge ready;  // 1 while the head is followed
  Gauge head_number;
  Gauge head_timestamp_s;
  PerEach<SubscriptionKind> subscriptions_ended;  // by a notice, because they missed something
  Gauge filters;
  PerEach<FilterOutcome> filter_outcomes;
  Gauge sessions;
  PerEach<SessionOutcome> session_outcomes;
  std::atomic<Instant::rep> head_learnt{0};  // zero: no head yet
  std::atomic<bool> is_gone{false};          // removed from the configuration: not shown until it comes back
};

// The cells of one upstream. Valid while the Metrics exist; any thread.
class UpstreamMetrics {
 public:
  UpstreamMetrics(std::string project, std::string chain_id, std::string upstream);

  // A call that got an answer, or a failure.
  void answered(std::string_view method, Duration latency);
  void failed(std::string_view method, Duration latency, upstream::FailureKind kind);

  const std::string project;
  std::string chain_id;        // guarded by the Metrics
  const std::string upstream;  // the id of the configuration

  static constexpr std::size_t kFailureKinds = static_cast<std::size_t>(upstream::FailureKind::shutdown) + 1;

  LatencyHistogram latency;
  std::array<Counter, kFailureKinds> errors;
  Counter bytes_sent;
  Counter bytes_received;
  Gauge available;    // 1 while it is used
  Gauge wrong_chain;  // 1 while it is unused because it is on another chain
  std::array<std::atomic<std::uint64_t>, upstream::kMethodLabelsMax> calls{};  // by method_labels()
  Counter stalls;
  Counter disagreements;
  Counter floods;
  Gauge head_hints;                  // 1 while it announces heads before polls find them
  std::atomic<bool> is_gone{false};  // removed from the configuration: not shown until it comes back
};

struct MetricInfo {
  std::string_view name;
  std::string_view type;    // counter, gauge, histogram
  std::string_view labels;  // separated by ", "
  std::string_view help;
};

class Metrics {
 public:
  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Any thread; the reference is valid while the Metrics exist. An existing pair is returned again.
  NetworkMetrics& add_network(std::string_view project, std::string_view chain_id);
  UpstreamMetrics& add_upstream(std::string_view project, std::string_view chain_id,
                                std::string_view upstream);

  // Counts the connections of the whole server; must outlive the last render(). Call once, before the first.
  void watch(const session::AcceptGate& gate) { gate_ = &gate; }
  // Callers by role; must outlive the last render(). Call once, before the first.
  void watch(const AccessGate& gate) { access_ = &gate; }
  // The memory of clients' requests and answers, and of what has come of a request in part; both must outlive the last
  // render(). Call once, before the first.
  void watch(const ByteBudget& budget, const ByteBudget& unfinished) {
    budget_ = &budget;
    unfinished_ = &unfinished;
  }
  // What the process does about too little memory and too much work; must outlive the last render(). Call once, before
  // the first.
  void watch(const DefenceCells& cells) { defence_ = &cells; }
  // What is recorded of requests; must outlive the last render(). Call once, before the first.
  void watch(const ObserveCells& cells) { observe_ = &cells; }
  // The streams; must outlive the last render(). Call once, before the first.
  void watch(const streams::Catalog& catalog) { streams_ = &catalog; }
  // The broker of relayed streams, and who polls them. The same.
  void watch(const relay::RelayCounters& relay, const relay::LeaseCounters& leases) {
    relay_ = &relay;
    leases_ = &leases;
  }
  // Sessions that move between instances. The same.
  void watch(const SharedSessionCounters& sessions) { shared_sessions_ = &sessions; }
  // The same for the rooms of the canvas.
  void watch(const canvasserver::Rooms& rooms) { canvas_ = &rooms; }
  // Sets the chain id of the network that had none, and of its upstreams. Any thread.
  void set_chain_id(std::string_view project, std::string_view chain_id);

  // An answer to an HTTP request, including upgrades (101).
  void http_answered(int status);
  CompressionCells& compression() { return compression_; }
  // A connection had to wait for its loop's next turn with its requests.
  void http_turn_share_spent() { http_turn_shares_spent_.add(); }

  // The text format 0.0.4. Any thread. `now` must be of the same clock as the times passed to head().
  std::string render(Instant now) const;

 private:
  void fill(MetricsSheet& sheet, Instant now) const;

  static constexpr std::array kStatuses{101, 200, 204, 400, 401, 403, 404, 405, 408, 413, 415,
                                        417, 426, 429, 431, 500, 501, 502, 503, 504, 505};
  std::array<Counter, kStatuses.size() + 1> http_responses_;  // the last: any other
  Counter http_turn_shares_spent_;
  CompressionCells compression_;
  std::int64_t start_time_s_;
  const session::AcceptGate* gate_ = nullptr;
  const ByteBudget* budget_ = nullptr;
  const ByteBudget* unfinished_ = nullptr;
  const AccessGate* access_ = nullptr;
  const DefenceCells* defence_ = nullptr;
  const ObserveCells* observe_ = nullptr;
  const streams::Catalog* streams_ = nullptr;
  const relay::RelayCounters* relay_ = nullptr;
  const relay::LeaseCounters* leases_ = nullptr;
  const SharedSessionCounters* shared_sessions_ = nullptr;
  const canvasserver::Rooms* canvas_ = nullptr;

  // Guards the lists; the cells in them need no lock.
  mutable std::mutex mutex_;
  std::deque<NetworkMetrics> networks_;
  std::deque<UpstreamMetrics> upstreams_;
};

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// Every metric that render() can produce, in its order. Static.
std::span<const MetricInfo> metric_infos();

}  // namespace fanfare::gateway
