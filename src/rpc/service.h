#pragma once
// A JSON-RPC service on one loop, over WebSocket and HTTP. It reads messages, asks its methods (methods.h) for
// the answers, and sends them; it knows nothing of the methods' meaning.
//
//   text -> parse -> for each call: memory? valid? permitted? -> begin() -> [run()] -> reply -> activate()
//
// A long batch is read, and its answer is put together, in slices (slices.h). A connection is not read meanwhile, so its calls
// begin in their order; answers to earlier messages are sent as they come.
//
// A connection's messages are answered in the order in which the answers come. Up to requests_in_flight_max
// calls may be in flight; beyond that the connection is not read until some are answered. Answers are sent as
// fast as their client reads, and a client that reads nothing is closed. Slowness means no progress over
// time, never the size of a request.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_budget.h"
#include "fanfare/unique_function.h"
#include "rpc/call_reader.h"
#include "rpc/connection.h"
#include "rpc/long_answer.h"
#include "rpc/methods.h"
#include "rpc/observer.h"
#include "rpc/slices.h"
#include "session/http_connection.h"
#include "session/loop_server.h"

namespace fanfare::rpc {

struct Limits {
  std::uint32_t requests_in_flight_max = 256;       // of one connection; each element of a batch counts
  std::uint32_t batch_items_max = 1000;             // a longer batch is rejected as a whole: -32600
  std::size_t batch_answer_bytes_max = 25'000'000;  // answers beyond it become -32003, as in go-ethereum
  std::size_t held_bytes_per_connection_max = 256 << 20;  // of requests in progress and their answers: -32005
  // Events to a connection since it became congested, without catching up once: one more closes it with 1013.
  std::uint32_t notifications_behind_max = 65'536;
  bool version_1 = false;  // jsonrpc::ParseLimits::version_1
  // A congested connection without progress for this long is closed with 1013. Checked four times as often.
  Duration slow_timeout = std::chrono::seconds(10);
};

class Service {
 public:
  // Everything must outlive the service.
  struct Context {
    Methods& methods;
    Observer& observer;
    session::LoopServer& server;
    ByteBudget& budget;  // the memory for all clients' requests in progress and their answers
    // The service's part of a session's data.
    Connection& (*connection_of)(session::Session& session);
    Clock& clock = system_clock();    // measures slices
    SliceLoad* slice_load = nullptr;  // counts work that waits for its next slice; null: not counted
  };

  Service(const Limits& limits, const Context& context);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Answers a POST with `respond`, now or later; not at all if the client has disconnected by then.
  using Respond = UniqueFunction<void(session::HttpConnection&, session::HttpResponse)>;
  void handle_http(session::HttpConnection& session, std::string_view body, const Caller& caller,
                   Respond respond);

  // The endpoint of its sessions passes these on.
  static void on_open(Connection& connection, session::Session& session);
  void on_message(Connection& connection, std::string_view text);
  // Answers a message with this refusal, unread.
  void refuse_message(Connection& connection, std::string_view text, const Refusal& refusal);
  void on_drained(Connection& connection);
  // While it is held, its further messages are not read.
  void hold(Connection& connection, bool holds);
  void on_close(Connection& connection);

  const Limits& limits() const { return limits_; }
  // Not within a call of this object. A connection keeps the memory that it may hold.
  void set_limits(const Limits& limits);
  // Long messages and answers that are not done.
  std::size_t in_slices() const { return slices_.size(); }

 private:
  friend class Connection;

  static Origin origin_of(Connection& connection);
  void handle_message(Connection& connection, std::string_view text);
  // Runs the calls of a message that was read.
  void run(Connection& connection, ReadText read);
  // Does `step` in slices, until it returns true or the connection is not open any more.
  template <typename Step>
  void do_in_slices(Connection& connection, Step step);
  // Nothing is read from the connection for this time.
  void rest(Connection& connection, Duration time);
  // Over HTTP, where the answer comes later instead.
  void run_http(session::HttpConnection& session, const Caller& caller, ReadText read, Respond respond);
  void answer(session::HttpConnection& session, Reply reply, Respond respond);
  template <typename Step>
  void do_in_slices(session::HttpConnection& session, Step step);
  Respond after(Duration time, Respond respond);
  void pay(const Caller& caller, std::size_t bytes) const;
  // For a new client.
  std::shared_ptr<ByteShare> make_share() const;

  // Queues an answer, or keeps it while the client has enough to read: the server's own answers must not
  // cause it to close the connection.
  void reply(Connection& connection, Reply reply);
  void send(Connection& connection, Reply reply);
  // Answers the late calls.
  Reply finish(Connection& connection, Reply reply);
  void join_in_slices(Connection& connection, Reply reply);
  void send_waiting(Connection& connection);
  void settle_subscriptions(Connection& connection, const Reply& reply);
  // Reads from the client, or pauses reading while it has too much in flight.
  void update_reading(Connection& connection) const;
  void end(Connection& connection, Ended why, std::string_view words);
  // Watches a connection from when it becomes congested until it has drained.
  void watch(Connection& connection);
  void unwatch(Connection& connection);
  void check_watched();
  void check_watched_later();

  Limits limits_;
  const Context context_;
  CallReader reader_;
  std::vector<Connection*> watched_;
  net::TimerId watch_timer_;
  Slices slices_;  // refer to everything above
};

}  // namespace fanfare::rpc
