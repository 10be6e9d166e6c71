#pragma once
// A JSON-RPC service on one loop, over WebSocket and HTTP. It reads messages, asks its methods (methods.h) for
// the answers, and sends them; it knows nothing of the methods' meaning.
//
//   text -> parse -> for each call: memory? valid? permitted? -> begin() -> [run()] -> reply -> activate()
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
#include "jsonrpc/request.h"
#include "rpc/connection.h"
#include "rpc/methods.h"
#include "rpc/observer.h"
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
  void on_drained(Connection& connection);
  void on_close(Connection& connection);

  const Limits& limits() const { return limits_; }

 private:
  friend class Connection;

  // The error is the answer to the whole text.
  std::expected<Message, Reply> read(std::string_view text, const Origin& origin,
                                     std::shared_ptr<ByteShare> share);
  // Adds to `limited` if a limit refuses the call, and keeps the longest time to wait in the message.
  Begun begin(const jsonrpc::Request& request, const Origin& origin, Message& message, std::string& answer,
              std::size_t& limited);
  void handle_message(Connection& connection, std::string_view text);
  static void respond(session::HttpConnection& session, Respond& respond, Reply reply);
  // A request's bytes are paid after its calls have been checked: otherwise one above the burst could never be made.
  void pay(const Caller& caller, std::size_t bytes) const;
  // For what is no call, so that sending it is no way around a limit.
  std::optional<Refusal> pay_for_nothing(const Caller& caller, std::size_t cost = 1) const;
  // For a new client.
  std::shared_ptr<ByteShare> make_share() const;

  // Queues an answer, or keeps it while the client has enough to read: the server's own answers must not
  // cause it to close the connection.
  void reply(Connection& connection, Reply reply);
  void send(Connection& connection, Reply reply);
  // Answers the late calls.
  Reply finish(Connection& connection, Reply reply);
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

  const Limits limits_;
  const Context context_;
  jsonrpc::Parser parser_;
  std::vector<Connection*> watched_;
  net::TimerId watch_timer_;
};

}  // namespace fanfare::rpc
