#pragma once
// The methods that a program registered (fanfare/rpc.h), on one loop. Short ones answer at once; the others
// answer later, from a worker or any other thread, within their timeout.

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/methods.h"
#include "rpc/open_call.h"
#include "rpc/registry.h"
#include "rpc/slices.h"
#include "session/loop_server.h"

namespace fanfare::rpc {

// RpcIdentity::withdrawn.
bool is_withdrawn(const RpcIdentity& identity);
// The error text for a caller whose credentials have expired or were withdrawn. Static.
std::string_view end_of(const RpcIdentity& identity);

class RegisteredMethods final : public Methods {
 public:
  // Runs a handler. False: it threw; the exception is counted and logged.
  using Guard = bool (*)(std::string_view method, const std::function<void()>& handler);

  // Everything must outlive this object.
  struct Context {
    Registry& registry;
    session::LoopServer& server;
    std::shared_ptr<const OpenMessage::Post> post;
    // The session that handlers see.
    Session& (*handle_of)(session::Session& session);
    Connection& (*connection_of)(session::Session& session);
    Guard guard;
  };

  explicit RegisteredMethods(const Context& context) : context_(context), slices_(context.server.loop()) {}
  ~RegisteredMethods() override;

  std::optional<Refusal> refusal(const jsonrpc::Request& request, const Caller& caller) override;
  Begun begin(const jsonrpc::Request& request, const Origin& origin, Message& message,
              std::string& answer) override;
  void run(Message message, const Origin& origin, Done done) override;
  void finish(Connection& connection, Message& message) override;

 private:
  struct Deadline {
    std::weak_ptr<OpenCall> call;
    Instant at;
  };
  // A message that was not delivered yet, with the deadlines of its calls.
  struct Waiting {
    std::shared_ptr<OpenMessage> message;
    std::vector<Deadline> deadlines;
  };

  // `entry` null: there is no such method.
  std::optional<Refusal> refuse_caller(const MethodEntry* entry, const Caller& caller) const;
  std::optional<Refusal> refuse_method(const MethodEntry* entry, std::string_view name,
                                       const Caller& caller) const;
  // The answer of a method that answers at once; empty for a notification.
  std::string answer_now(const MethodEntry& entry, std::string_view id, std::string_view params,
                         const Origin& origin) const;
  void start(Waiting& waiting, std::size_t index, const Origin& origin);
  void start_on_worker(const std::shared_ptr<OpenCall>& call, BoundCall bound, const Origin& origin);
  void call_here(const std::shared_ptr<OpenCall>& call, BoundCall& bound, const Origin& origin) const;
  // Ends calls whose time is over, and cancels those whose caller is gone.
  void sweep();
  void sweep_later();
  bool is_over(Waiting& waiting, Instant now) const;

  const Context context_;
  std::list<Waiting> waiting_;  // its elements stay where they are
  net::TimerId timer_;
  Slices slices_;  // refer to everything above
};

}  // namespace fanfare::rpc
