#pragma once
// The JSON-RPC methods of one network on one loop: eth_subscribe and eth_unsubscribe are answered here, filters
// by the network (filter_calls.h), and every other method by its nodes (forward.h). Messages for the network go
// to its worker's thread, and the replies come back through the loop's mailbox.

#include <memory>
#include <optional>
#include <string>

#include "gateway/call_permission.h"
#include "gateway/defend/loop_guard.h"
#include "gateway/loop_events.h"
#include "gateway/network.h"
#include "rpc/methods.h"
#include "session/loop_server.h"
#include "upstream/worker.h"

namespace fanfare::gateway {

class NetworkMethods final : public rpc::Methods {
 public:
  // Everything must outlive this object.
  struct Context {
    Network& network;
    upstream::Worker& worker;
    session::LoopServer& server;
    LoopEvents& events;
    EventSubscriber& (*subscriber_of)(session::Session& session);  // of a WebSocket session
    AccessGate* gate = nullptr;                                    // null: no access control
    // The connection has handed in credentials. Null without a gate.
    void (*renewed)(session::Session& session, std::shared_ptr<const access::Principal> principal) = nullptr;
    LoopGuard* guard = nullptr;  // null: new work is always taken on
    std::size_t worker_index = 0;
  };

  explicit NetworkMethods(const Context& context);

  // The rules for calls of the network's plan, from the next call on.
  void set_rules(const NetworkPlan& plan) { permission_.emplace(plan, context_.gate); }

  std::optional<rpc::Refusal> refusal(const jsonrpc::Request& request, const rpc::Caller& caller) override;
  rpc::Begun begin(const jsonrpc::Request& request, const rpc::Origin& origin, rpc::Message& message,
                   std::string& answer) override;
  void run(rpc::Message message, const rpc::Origin& origin, rpc::Done done) override;
  void activate(rpc::Connection& connection, const std::string& id) override;
  void withdraw(rpc::Connection& connection, const std::string& id) override;

 private:
  class Pending;

  EventSubscriber& subscriber_of(const rpc::Connection& connection) const {
    return context_.subscriber_of(connection.session());
  }
  void subscribe(const jsonrpc::Request& request, const rpc::Origin& origin, rpc::Message& message,
                 std::string& answer);
  void unsubscribe(const jsonrpc::Request& request, const rpc::Origin& origin, std::string& answer);
  void authenticate(const jsonrpc::Request& request, const rpc::Origin& origin, std::string& answer);
  void tell_session(const jsonrpc::Request& request, const rpc::Origin& origin, std::string& answer) const;

  const Context context_;
  std::optional<CallPermission> permission_;  // always set
};

}  // namespace fanfare::gateway
