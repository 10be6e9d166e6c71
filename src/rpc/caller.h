#pragma once
// Who sent a JSON-RPC message, and how. Every call is checked and executed for its caller.

#include <cstdint>
#include <memory>

#include "session/member.h"
#include "trace/call.h"

namespace fanfare {
struct RpcIdentity;
}  // namespace fanfare

namespace fanfare::access {
struct Principal;
class Payer;
}  // namespace fanfare::access

namespace fanfare::rpc {

class Connection;
struct RoleCounters;

enum class Transport : std::uint8_t { http, websocket, count_ };

struct Caller {
  Transport transport = Transport::http;
  // A program on this machine, or a page that this machine serves: not a page of unknown origin, and not a
  // client behind a proxy.
  bool is_local = false;
  std::shared_ptr<const access::Principal> principal = {};  // null: nobody was authenticated
  // As a program's own `authenticate` decided (fanfare/rpc.h); null: it has none.
  std::shared_ptr<const RpcIdentity> identity = {};
  // Pays for its calls, subscriptions and bytes; null: nobody does. Loop thread.
  std::shared_ptr<access::Payer> payer = {};
  // Of its role, for metrics of a program (callers.h); null: nobody counts.
  std::shared_ptr<RoleCounters> counters = {};
  // Where its calls come from, for those who record them; null: nobody does.
  std::shared_ptr<trace::Request> record = {};
};

// Where a message comes from. Borrowed for the call.
struct Origin {
  session::Member& session;
  const Caller& caller;
  Connection* connection = nullptr;  // null over HTTP
};

}  // namespace fanfare::rpc
