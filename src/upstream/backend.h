#pragma once
// A JSON-RPC backend as the gateway sees it: a node behind HTTP, a pool of them, the development chain in the
// same process. Everything here happens on one worker thread.

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
#include "upstream/failure.h"

namespace fanfare::upstream {

// Whether a call may be made a second time after some of it was sent. A call that was never sent may always
// be.
enum class Repeat : std::uint8_t {
  if_unsent,  // it changes something, or nobody knows: at most one node gets it, at most once
  always,     // it only reads
};

// Whose turn a call takes in our queue for a node (call_queue.h). Both values are opaque.
struct Caller {
  // Who asks: today the peer's address. Empty: unknown, and each connection is a client of its own.
  std::string client;
  std::uint64_t connection = 0;

  // Whether both wait in the same turn.
  bool is_same_client(const Caller& other) const {
    return client == other.client && (!client.empty() || connection == other.connection);
  }
};

// How long a call waited in a queue of ours, kept by the queue and read by whoever made the call. That time
// says nothing about the node. Worker thread.
struct QueueTime {
  bool waiting = false;
  Instant left_at{};                         // when it left the queue for the node; unset: it has not waited
  std::shared_ptr<QueueTime> of_whole = {};  // of the call that this is an attempt of

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
  // From call() to done(), waiting for a connection included, all attempts together. Unset: the backend's
  // own.
  std::optional<Duration> timeout;
  // Set: `timeout` is the node's alone. It begins when the call leaves our queue, in which the call may wait
  // as long, and all of it is over at this time.
  std::optional<Instant> deadline = {};
  // A question of the gateway's own (heads, logs of subscriptions, receipts, checks, probes): it never waits
  // behind clients' calls.
  bool for_source = false;
  Caller caller = {};  // of a client's call
  std::shared_ptr<QueueTime> queue_time = {};
  // The JSON-RPC method, or "batch": a label for metrics, nothing is decided by it.
  std::string method;
  Repeat repeat = Repeat::if_unsent;
  // Only nodes known to have this block may answer, as long as some node may have it: a pool whose chain went
  // back gives way (Reply::gave_way). 0: any node.
  std::uint64_t head_min = 0;
  // Members known to have this block are asked before the others; nobody is asked whether it has it.
  std::uint64_t head_preferred = 0;
  // Only this member of a pool knows what it is about (Reply::member): nobody else is asked.
  std::optional<std::size_t> member;
  // A node that lacks the method may be asked for the answer's parts instead (receipts_endpoint.h).
  bool composable = false;
  // The id that the answer must have, raw; a pool takes no other. Empty: the answer is not looked at, as for
  // batches. With it a read that a node cannot answer (node_error.h) is given to another.
  std::string id;
  // The answer says which chain the node is on: one on another chain than its network's is not used.
  bool tells_chain_id = false;
  // So many answers to the same question were of no use: a pool begins with another member each time.
  std::uint32_t attempt = 0;
  // Whose share of the memory the answer counts against while it is here; null: nobody's. Without room the
  // call ends with FailureKind::no_room.
  std::shared_ptr<ByteShare> payer = {};
};

struct Reply {
  std::string body;
  // Which member of a pool answered; 0 from a single endpoint.
  std::size_t member = 0;
  // The bytes of the body, of CallOptions::payer. Shared: results are copied.
  std::shared_ptr<ByteHold> hold = {};
  // No node had the block of CallOptions::head_min any more: the chain itself went back.
  bool gave_way = false;
  // It came over a connection that was opened for this call: another node may stand at the address by now.
  bool new_connection = false;
};

using Result = std::expected<Reply, Failure>;
using Done = UniqueFunction<void(Result)>;

class Backend {
 public:
  Backend() = default;
  // Ends outstanding calls with FailureKind::shutdown.
  virtual ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  // Sends one JSON-RPC text (a request or a batch) as it is. `done` runs on the worker thread, exactly once,
  // never before call() has returned. Worker thread only.
  virtual void call(std::string body, CallOptions options, Done done) = 0;

  // Which connection a call made now would use, where the backend keeps one and notices that it is lost; the
  // number changes with every reconnect. Empty: reconnects are not noticed (HTTP).
  virtual std::optional<std::uint64_t> connection() const { return std::nullopt; }
  // `reconnected` runs on the worker thread each time connection() has changed to an open one. Never after
  // the backend has gone.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): the backends that have reconnects keep it.
  virtual void on_reconnect(std::function<void()> /*reconnected*/) {}

  // For logs and metrics: an id from the configuration or a redacted URL. Good as long as the backend.
  virtual std::string_view name() const = 0;
};

// One finished call, for metrics. The views are good for the call of the observer.
struct CallReport {
  std::string_view endpoint;
  std::string_view method;
  Duration latency{};
  std::optional<FailureKind> failure;  // unset: answered
  int http_status = 0;
  std::size_t bytes_sent = 0;
  std::size_t bytes_received = 0;  // of the body, as it is after decompression
};

// Told what happens, on the worker thread. It outlives the backends it is given to.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void call_finished(const CallReport& report) = 0;
  // A member of a pool was put aside (available = false) or taken back.
  virtual void availability_changed(std::string_view /*endpoint*/, bool /*available*/) {}
  // A member of a pool stands still while another has newer blocks (stalled = true), or has caught up.
  virtual void stall_changed(std::string_view /*endpoint*/, bool /*stalled*/) {}
  // A member of a pool was found on another chain (right = false) and is not used, or is back on the right
  // one.
  virtual void chain_changed(std::string_view /*endpoint*/, bool /*right*/) {}
  // A member of a pool gave an answer that another one's proved wrong.
  virtual void disagreed(std::string_view /*endpoint*/) {}
  // A node behind WebSocket sent what nobody asked for, and is left alone for a while.
  virtual void flooded(std::string_view /*endpoint*/) {}
  // A call was made again at another member.
  virtual void failed_over(std::string_view /*from*/, std::string_view /*to*/) {}
};

}  // namespace fanfare::upstream
