#pragma once
// A WebSocket of a JSON-RPC service (fanfare/rpc.h): its caller, the end of the caller's credentials, and the events
// that the caller pays for. On the loop's thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/rpc.h"
#include "fanfare/session.h"
#include "rpc/connection.h"
#include "rpc/registry.h"
#include "session/loop_server.h"

namespace fanfare::api {

class RpcSession final : public Session {
 public:
  // Everything must outlive the session.
  struct Context {
    rpc::Registry& registry;
    rpc::Service& service;
    session::LoopServer& server;
  };
  RpcSession(const Context& context, rpc::Caller caller);
  ~RpcSession() override;
  static RpcSession& of(Session& session) { return static_cast<RpcSession&>(session); }

  // The session is open: its credentials may end from now on, and it gets the broadcasts.
  void open();
  void close();

  // Other credentials, that came in a message.
  RpcResult<bool> authenticate(std::string_view token);
  RpcResult<Json> subscribe(const std::string& event, std::optional<Position> since);
  bool unsubscribe(std::string_view event);
  void pay_for_event(std::size_t bytes);
  // A binary frame for the program's own handler: it costs one call and its bytes. False: it was refused, and the client
  // has the answer.
  bool admit_binary(std::size_t bytes);

  rpc::Connection connection;

 private:
  // Those events that are sent to all, but for what an earlier identity of the session has joined.
  void join_broadcasts(const RpcIdentity* before);
  bool may_have(const RpcIdentity* identity, std::string_view name, const rpc::EventEntry& event) const;
  // Closes it when its credentials end.
  void watch_credentials();
  void stop_watching();
  RpcError refuse(const rpc::Refusal& refusal) const;
  Instant now() const { return context_.server.loop().now(); }

  const Context context_;
  net::TimerId end_of_credentials_;
  std::vector<std::string> paid_events_;  // those it has subscribed to; a broadcast costs nothing
};

}  // namespace fanfare::api
