#pragma once
// What a program says about its JSON-RPC service, its methods, its events and its callers (fanfare/rpc.h). Plain data.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/http.h"
#include "fanfare/options.h"
#include "fanfare/session.h"
#include "fanfare/topic.h"

namespace fanfare {

// A token bucket: each use takes tokens, and so many come back in each second.
struct RpcRate {
  std::uint64_t per_second = 0;  // zero: no limit
  // After a quiet time; zero: as many as per second. At most what a minute brings, otherwise start() fails.
  std::uint64_t burst = 0;

  friend bool operator==(const RpcRate&, const RpcRate&) = default;
};

// What one identity, or one address, may use over all its connections and requests. Zero: no limit. Beyond a limit the
// answer is -32005 with data.retry_after_ms. Over HTTP it has the status 429 with Retry-After if all calls of the
// request are refused.
struct RpcLimits {
  RpcRate requests = {};  // calls, by RpcMethod::cost; those of a batch one by one. An invalid call costs 1
  RpcRate subscriptions = {};  // calls of `subscribe`
  RpcRate connections = {};    // new WebSockets; beyond it the upgrade is answered with 429
  // Of requests, answers and events. They are counted afterwards: calls are refused until the debt is paid.
  RpcRate bytes = {};
  std::uint32_t connections_max = 0;    // open WebSockets; one more: 429
  std::uint32_t subscriptions_max = 0;  // live ones; one more: -32005

  friend bool operator==(const RpcLimits&, const RpcLimits&) = default;
};

// Who calls, as the program's `authenticate` decided.
struct FANFARE_EXPORT RpcIdentity {
  std::string name = {};                      // its account: callers with one name share its limits
  std::vector<std::string> permissions = {};  // those it has, of RpcMethod and RpcEvent; "*": all
  // Those that it may call and subscribe to: names, beginnings such as "get*", or "*" for all.
  std::vector<std::string> methods = {"*"};
  std::vector<std::string> events = {"*"};
  std::string role = {};                 // for Rpc::metrics(); "": "none"
  std::optional<RpcLimits> limits = {};  // empty: RpcOptions::per_identity
  // Strangers have this name, too: then each address has an account of its own.
  bool is_shared = false;
  // From then on its calls are refused (-32001), and its WebSockets closed (1008). fanfare_authenticate prolongs them.
  std::optional<std::chrono::system_clock::time_point> expires_at = {};
  // A WebSocket without credentials that will send them in its first message (fanfare_authenticate), before
  // expires_at. Until then it can do nothing else.
  bool awaits_credentials = false;
  // A caller without credentials. It may hand in some later on the same WebSocket (fanfare_authenticate), and then has
  // their identity; what it has subscribed to stays.
  bool is_anonymous = false;
  // Once it is true, the credentials do not hold any more, as after expires_at: calls are refused from then on, and
  // WebSockets closed within a second. Null: that never happens. Any thread may set it.
  std::shared_ptr<const std::atomic<bool>> withdrawn = {};

  bool may(std::string_view permission) const;
  bool may_call(std::string_view method) const;
  bool may_subscribe(std::string_view event) const;
};

// Why credentials that came in a message are refused.
struct RpcDenial {
  std::string message = "the credentials are not valid";
  std::chrono::milliseconds retry_after = {};  // more than zero: -32005 instead of -32001
};

// What callers of one role did, since the Rpc was made.
struct RpcRoleMetrics {
  std::string role;
  std::uint64_t calls = 0;               // including refused ones
  std::uint64_t refused_permission = 0;  // calls: unknown, or not granted
  std::uint64_t refused_limit = 0;       // calls, subscriptions and WebSockets
  std::uint64_t refused_expired = 0;     // calls
};

enum class RpcRun : std::uint8_t {
  loop,    // on the loop's thread: for short methods
  worker,  // on a thread of the pool (RpcOptions::workers), in the order of the calls
};

// What is said about a method.
struct RpcMethod {
  std::string description = {};
  std::string permission = {};  // "": every caller may call it
  RpcRun run = RpcRun::loop;
  std::uint32_t cost = 1;  // tokens of RpcLimits::requests
  // From the request to the answer of a method that does not answer at once: then -32002. Checked every 50 ms;
  // zero: no timeout.
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
};

// A kind of event. A client subscribes to it over a WebSocket:
//
//   -> {"jsonrpc":"2.0","id":1,"method":"subscribe","params":["newblock"]}
//   <- {"jsonrpc":"2.0","id":1,"result":{"event":"newblock","position":{"epoch":7,"offset":41},"recovered":true}}
//   <- {"jsonrpc":"2.0","method":"newblock","params":{"value":{...},"position":{"epoch":7,"offset":42}}}
//
// Every event after the position in the reply follows, in order, and never before the reply. A client that was
// disconnected passes the position of the last event it got: subscribe("newblock", {"epoch":7,"offset":42}). It gets
// what it missed, and then what is new. If some of that is not in the history any more, `recovered` is false, and
// `missed` says which: {"after":POSITION,"until":POSITION,"count":12}. The count is left out if it is unknown, because
// the program was restarted without history on disk (another epoch). Events that are lost later, such as by the policy
// for slow readers, are reported at their place:
// {"jsonrpc":"2.0","method":"rpc.missed","params":{"event":"newblock","after":...}}.
struct RpcEvent {
  std::string description = {};
  std::string permission = {};  // to subscribe; "": none
  bool broadcast = false;  // every WebSocket whose caller may subscribe to it gets it from its opening on
  // What is kept for clients that were disconnected. messages_max = 0: nothing.
  HistoryLimits history = {.messages_max = 1000};
  // What is kept on disk, in the store of the server's hub (fanfare/store.h): clients get from there what `history` no
  // longer has, also after a restart of the program. By default nothing is. A program with such events makes the Hub
  // and calls Hub::set_store() before Rpc::serve(); otherwise start() returns bad_option.
  HistoryLimits stored = {};
  // For clients that read too slowly. By default they are disconnected (1013), and may come back with their position.
  TopicPolicy slow_readers = {};
};

struct RpcOptions {
  std::string title = "JSON-RPC";
  std::string version = "1.0";
  bool help = true;  // has the method `help`; `rpc.discover` is always there
  // Also accepts requests without the member `jsonrpc`, or with "1.0" or "1.1", as clients of Bitcoin Core send them.
  // Their answers have both members: {"result":R,"error":null,"id":ID}. Without an id, the id is null.
  bool version_1 = false;

  // Decides about each HTTP request and each WebSocket upgrade. Runs on the loop's thread. Empty: every client that can
  // connect may call every method. fanfare/access.h has one for users with passwords.
  std::function<Expected<RpcIdentity, Response>(const Request&)> authenticate = {};

  // Decides about a key or token in a message of an open WebSocket: the method `fanfare_authenticate` with the
  // parameter `token`. It renews credentials before they expire, and it is how a browser without headers can
  // authenticate. `peer` is that of Request::peer(). Runs on the loop's thread. Empty: there is no such method. A renewal
  // must have the same name, role, permissions, methods and events as before: other credentials need another connection.
  std::function<Expected<RpcIdentity, RpcDenial>(std::string_view token, std::string_view peer)>
      authenticate_message = {};

  // Limits of each identity that has none of its own, and of each address (an IPv4 address or an IPv6 /64) over all its
  // identities. Unix sockets are one address together. All servers that serve the Rpc share the accounts.
  RpcLimits per_identity = {};
  RpcLimits per_address = {};
  std::size_t accounts_max =
      65'536;  // identities, and addresses, that are remembered beside those with connections

  // By default start() returns bad_option if other machines can reach this service without TLS or without
  // `authenticate`: by a TCP listener that is not on loopback, that was inherited, or that is behind a proxy.
  bool allow_insecure_public = false;

  std::size_t workers = 4;  // threads for RpcRun::worker; started with the first such call
  // Calls that wait for a worker; further ones: -32005. Clients take turns, and one with fewer waiting calls displaces the
  // newest of the one that has most (-32005). An identity is one client; without a name, each connection is one.
  std::size_t work_queue_max = 64;
  std::chrono::milliseconds retry_after = std::chrono::seconds(1);  // told to callers whom the queue refuses

  std::uint32_t requests_in_flight_max = 256;  // of one WebSocket; beyond it the connection is not read
  // A longer batch is refused as a whole: -32600. Batches of more than 4 KiB are read in slices, so that they do not hold
  // the loop; at most 256 calls of `subscribe` and `unsubscribe` in one: -32005.
  std::uint32_t batch_items_max = 1000;
  std::size_t batch_answer_bytes_max = 25'000'000;  // further answers of a batch: -32003
  // Requests in progress and unsent answers, of one client and of all of them: -32005.
  std::size_t held_bytes_per_client_max = std::size_t{64} << 20;
  std::size_t held_bytes_max = std::size_t{512} << 20;

  // Gets binary frames. Empty: they are JSON-RPC, like text; answers are always text.
  std::function<void(Session&, Bytes)> binary = {};
  // The route's own settings, as in WebSocket. With `authenticate`, "fanfare" is one more subprotocol: browsers offer it
  // beside "fanfare.bearer.TOKEN".
  std::vector<std::string> subprotocols = {};
  std::optional<Deflate> deflate = {};
  // Which browsers may call. Names in the Host of a request: a name or address without a port, "*.example.com",
  // "loopback", or "*" for any. Origins of pages: "https://app.example", "loopback", or "*". Other requests are
  // answered with 403. Empty: "loopback" if every TCP listener is on loopback, otherwise any.
  std::vector<std::string> allowed_hosts = {};
  std::vector<std::string> allowed_origins = {};
};

}  // namespace fanfare
