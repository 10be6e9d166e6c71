#pragma once
// A JSON-RPC backend as the gateway sees it: a node behind HTTP, a pool of nodes, or the in-process
// development chain. All functions run on one worker thread.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/byte_budget.h"
#include "base/time.h"
#include "fanfare/unique_function.h"
#include "jsonrpc/response.h"
#include "trace/call.h"
#include "upstream/failure.h"

namespace fanfare::upstream {

// Whether a call may be repeated after some of it was sent. A call that was never sent may always be
// repeated.
enum class Repeat : std::uint8_t {
  if_unsent,  // it changes something, or is unknown: sent to at most one node, at most once
  always,     // it only reads
};

// The caller's identity in the queue in front of a node (call_queue.h). Both values are opaque.
struct Caller {
  // The client: currently the peer's address. Empty: unknown, and each connection counts as a client.
  std::string client;
  std::uint64_t connection = 0;

  // Whether both share a turn in the queue.
  bool is_same_client(const Caller& other) const {
    return client == other.client && (!client.empty() || connection == other.connection);
  }
};

// How long a call waited in the gateway's queue; the queue writes it, and the caller reads it. This time says
// nothing about the node. Worker thread.
struct QueueTime {
  bool waiting = false;
  Instant left_at{};                         // when it left the queue for the node; unset: not yet
  std::shared_ptr<QueueTime> of_whole = {};  // of the call to which this attempt belongs

  void begin() { set_waiting(true); }
  void leave(Instant now) {
    left_at = now;
    set_waiting(false);
  }
  void give_up() { set_waiting(false); }

 private:
  void set_waiting(bool is_waiting) {
    waiting = is_waiting;
    if (of_whole != nullptr) of_whole->waiting = is_waiting;
  }
};

struct CallOptions {
  // From call() to done(), for all attempts together, including the wait for a connection. Unset: the
  // backend's default.
  std::optional<Duration> timeout;
  // If set, `timeout` covers the node's time alone: it begins when the call leaves the gateway's queue. The
  // call may wait in the queue for up to `timeout` as well. Everything ends at this deadline.
  std::optional<Instant> deadline = {};
  // A call of the gateway itself (heads, logs of subscriptions, receipts, checks, probes): it never waits
  // behind clients' calls.
  bool for_source = false;
  Caller caller = {};  // of a client's call
  std::shared_ptr<QueueTime> queue_time = {};
  // The JSON-RPC method, or "batch": only a label for metrics.
  std::string method;
  Repeat repeat = Repeat::if_unsent;
  // Only nodes known to have this block may answer, as long as some node may have it. If the chain went back,
  // a pool drops the condition (Reply::gave_way). 0: any node.
  std::uint64_t head_min = 0;
  // Members known to have this block are tried before the others; no head is fetched to find out.
  std::uint64_t head_preferred = 0;
  // Only this member of a pool can answer (Reply::member), as for state it holds: no other is tried.
  std::optional<std::size_t> member;
  // If the node lacks the method, the answer may be composed from other calls (receipts_node.h).
  bool composable = false;
  // The raw id that the answer must have; a pool rejects any other. Empty: the answer is not checked, as for
  // batches. If set, a read that a node cannot answer (node_error.h) is retried on another.
  std::string id;
  // The answer contains the node's chain id: an answer from a chain other than the network's is not used.
  bool tells_chain_id = false;
  // So many answers to this request were unusable: a pool begins with another member each time.
  std::uint32_t attempt = 0;
  // The memory share that pays for the answer while it is held; null: unlimited. Without room the call ends
  // with FailureKind::no_room.
  std::shared_ptr<ByteShare> payer = {};
  // The clients' calls that it is made for; null: nobody records them.
  trace::CallsPtr traced = {};
  // This attempt for them, which a pool begins; its headers are for the node.
  trace::AttemptPtr attempt_record = {};
};

struct Reply {
  std::string body;
  // the member of a pool that answered; 0 from a single endpoint
  std::size_t member = 0;
  // The bytes of the body, charged to CallOptions::payer. Shared: results are copied.
  std::shared_ptr<ByteHold> hold = {};
  // No node had the block of CallOptions::head_min any more: the chain itself went back.
  bool gave_way = false;
  // The answer came over a connection opened for this call: another node may be at the address by now.
  bool new_connection = false;

  // What a scan of the body found, so that all readers share one scan. Use answer_of().
  struct Scan {
    const char* of = nullptr;  // the body's bytes
    std::size_t bytes = 0;
    std::optional<jsonrpc::Answer> answer;
  };
  mutable Scan scan = {};
};

// The reply as one response. Empty: it is none, or a batch. Points into the body, and is valid while the reply
// stays where it is. The first caller scans the body; a later one scans it again only if it is short or was
// replaced. Worker thread.
std::optional<jsonrpc::Answer> answer_of(const Reply& reply);
// Keeps the result of a scan of this reply's body.
void note_scan(const Reply& reply, const std::optional<jsonrpc::Answer>& answer);

using Result = std::expected<Reply, Failure>;
using Done = UniqueFunction<void(Result)>;

class Backend {
 public:
  Backend() = default;
  // Ends outstanding calls with FailureKind::shutdown.
  virtual ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  // Sends one JSON-RPC text (a request or a batch) unchanged. `done` runs on the worker thread, exactly once,
  // never before call() has returned. Worker thread only.
  virtual void call(std::string body, CallOptions options, Done done) = 0;

  // The number of the connection that a call would use now, if the backend keeps one and detects its loss. It
  // changes with every reconnect. Empty: reconnects are not detected (HTTP).
  virtual std::optional<std::uint64_t> connection() const { return std::nullopt; }
  // `reconnected` runs on the worker thread each time connection() has changed to an open one. Never after
  // the backend is destroyed.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): the backends that have reconnects keep it.
  virtual void on_reconnect(std::function<void()> /*reconnected*/) {}
  // The node is known to be reachable again: a lost connection is tried now instead of after its delay, and
  // calls wait for it. On the worker thread.
  virtual void connect_now() {}

  // For logs and metrics: an id from the configuration or a redacted URL. Valid while the backend exists.
  virtual std::string_view name() const = 0;
};

// One finished call, for metrics. The views are valid during the observer's callback.
struct CallReport {
  std::string_view endpoint;
  std::string_view method;
  Duration latency{};
  std::optional<FailureKind> failure;  // unset: answered
  int http_status = 0;
  std::size_t bytes_sent = 0;
  std::size_t bytes_received = 0;  // of the body, after decompression
};

// Receives events, on the worker thread. It must outlive its backends.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void call_finished(const CallReport& report) = 0;
  // A member of a pool was put aside (available = false) or became available again.
  virtual void availability_changed(std::string_view /*endpoint*/, bool /*available*/) {}
  // A member's head stands still while another has newer blocks (stalled = true), or has caught up.
  virtual void stall_changed(std::string_view /*endpoint*/, bool /*stalled*/) {}
  // A member was found on another chain (right = false) and is not used, or is on the right chain again.
  virtual void chain_changed(std::string_view /*endpoint*/, bool /*right*/) {}
  // A member's answer was proved wrong by another member's.
  virtual void disagreed(std::string_view /*endpoint*/) {}
  // A node behind WebSocket sent unrequested messages, and is not used for a while.
  virtual void flooded(std::string_view /*endpoint*/) {}
  // A node behind HTTP announces blocks beside it before polls find them (hint_connection.h), or does not any more.
  virtual void hints_changed(std::string_view /*endpoint*/, bool /*live*/) {}
  // A call was retried on another member.
  virtual void failed_over(std::string_view /*from*/, std::string_view /*to*/) {}
};

}  // namespace fanfare::upstream
