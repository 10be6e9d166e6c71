#pragma once
// What a gateway is asked to serve. The configuration file and the command line both become this, so that
// the gateway has one input and cannot tell which of them it came from. Plain data: whoever builds it has
// checked it (ports in range, URLs well formed, every network with a backend).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "eth/filter_limits.h"
#include "net/loop.h"
#include "server/browser_rules.h"
#include "server/listener.h"
#include "ws/connection.h"

namespace fanfare::gateway {

// What can be mounted on a listener; mounts.h makes a mount of each.
struct RpcFeature {  // JSON-RPC
  // Index in ServePlan::networks. Empty: the path's {project} and {chainId} name it.
  std::optional<std::size_t> network = {};
  bool http = true;       // over POST
  bool websocket = true;  // over WebSocket, with subscriptions

  bool operator==(const RpcFeature&) const = default;
};
struct HealthFeature {
  bool operator==(const HealthFeature&) const = default;
};
struct ReadyFeature {
  bool operator==(const ReadyFeature&) const = default;
};
struct MetricsFeature {
  bool operator==(const MetricsFeature&) const = default;
};

struct MountPlan {
  std::string path;  // a server::PathPattern
  std::variant<RpcFeature, HealthFeature, ReadyFeature, MetricsFeature> feature;

  bool operator==(const MountPlan&) const = default;
};

// Who is let in. Zero: no limit.
struct AcceptPlan {
  std::size_t connections_max = 0;                         // of all kinds, over all ports
  std::uint32_t connections_per_address_max = 1024;        // an IPv4 address or an IPv6 /64
  std::uint32_t connections_per_second_per_address = 200;  // new ones
  // Whether the two above hold for addresses of loopback, too. By default programs of this machine, and
  // proxies on it, are not limited; limits that somebody chose are.
  bool limits_loopback = false;

  bool operator==(const AcceptPlan&) const = default;
};

struct ListenerPlan {
  server::ListenerOptions at;
  // The name under which a service manager passes a socket for it: "http", "websocket", "metrics".
  std::string socket_name = "http";
  std::vector<MountPlan> mounts;

  bool operator==(const ListenerPlan&) const = default;
};

// permessage-deflate (RFC 7692) for clients that offer it. Nothing is kept of a connection between messages.
struct MessageCompression {
  bool enabled = false;
  std::size_t bytes_min = 256;                   // a shorter message is sent as it is
  std::size_t bytes_max = std::size_t{1} << 20;  // a longer one, too: it would hold up its loop

  bool operator==(const MessageCompression&) const = default;
};

// gzip and deflate for the bodies of HTTP answers (answer_compressor.h).
struct AnswerCompression {
  bool enabled = false;
  std::size_t bytes_min = 2048;  // a shorter body is sent as it is
  // Bodies of one loop that wait to be compressed: one more is sent as it is.
  std::size_t waiting_bytes_max = std::size_t{64} << 20;

  bool operator==(const AnswerCompression&) const = default;
};

// Every limit and interval of the WebSocket side. These defaults are the documented ones.
struct WebSocketSettings {
  bool enabled = true;
  std::size_t connections_per_network_max = 10'000;    // one more is refused with 503
  std::size_t subscriptions_per_connection_max = 100;  // one more is answered -32005
  Duration ping_interval = std::chrono::seconds(30);   // zero: no pings
  Duration pong_timeout = std::chrono::seconds(60);    // after a ping that nothing answered
  std::size_t read_buffer_bytes =
      4096;  // what a loop reads from a socket at once, if it is more than its own
  std::size_t write_buffer_bytes = 4096;                  // no effect: writes are gathered, not buffered
  std::size_t message_bytes_max = std::size_t{16} << 20;  // a longer message closes with 1009
  std::size_t outbox_bytes_max = std::size_t{128} << 20;  // a reader further behind closes with 1013
  std::uint32_t notifications_behind_max = 65'536;        // for one that is behind: the same
  Duration slow_timeout = std::chrono::seconds(10);  // for one that is behind and takes nothing: the same
  std::uint32_t fragments_max =
      ws::kDefaultLimits.fragments_max;        // a message in more frames closes with 1009
  std::uint16_t frames_per_turn_max = 4096;    // of one connection; the rest waits for the loop's next turn
  std::uint32_t bytes_per_turn_max = 1 << 20;  // the same
  Duration idle_timeout = Duration::zero();    // no message either way: closes with 1008; zero: never
  // Every subscription has an id that no other has, unless its connection asks for shared ones (routes.h).
  bool unique_subscription_ids = false;
  MessageCompression compression = {};

  bool operator==(const WebSocketSettings&) const = default;
};

// Which methods a project's clients may call: patterns of method_rules.h, besides the built-in rules.
struct MethodPlan {
  std::vector<std::string> allow;
  std::vector<std::string> deny;

  bool operator==(const MethodPlan&) const = default;
};

struct HttpSettings {
  std::size_t body_bytes_max = std::size_t{16} << 20;     // a longer request body is refused with 413
  std::size_t head_bytes_max = std::size_t{16} << 10;     // a longer request head is refused with 431
  std::size_t header_count_max = 100;                     // more header lines are refused with 431
  Duration handshake_timeout = std::chrono::seconds(10);  // from the accept to the first request's head
  AnswerCompression compression = {};

  bool operator==(const HttpSettings&) const = default;
};

// What clients' requests under way and their answers may occupy.
struct AnswerPlan {
  std::uint32_t batch_items_max = 1000;             // a longer batch is refused as a whole: -32600
  std::size_t batch_answer_bytes_max = 25'000'000;  // what does not fit is answered -32003; zero: no limit
  std::size_t held_bytes_max = std::size_t{512} << 20;                 // of all clients together: -32005
  std::size_t held_bytes_per_project_max = std::size_t{512} << 20;     // of those of one project: -32005
  std::size_t held_bytes_per_connection_max = std::size_t{256} << 20;  // of one: -32005

  bool operator==(const AnswerPlan&) const = default;
};

// How the head of a chain is followed.
struct PollSettings {
  Duration interval_min = std::chrono::milliseconds(200);
  Duration interval_max = std::chrono::seconds(2);
  std::size_t reorg_window_blocks = 256;   // how deep a fork can be resolved
  std::size_t resume_window_blocks = 256;  // how far back a cursor is replayed

  bool operator==(const PollSettings&) const = default;
};

// How the nodes of a network are asked on behalf of clients.
struct ReadSettings {
  std::size_t cache_bytes_max = std::size_t{64} << 20;  // answers that cannot change; zero: none are kept
  Duration hedge_after = std::chrono::seconds(1);  // a slow read is given to another node too; zero: never
  eth::FilterLimits filters = {};                  // what clients' filters may cost

  bool operator==(const ReadSettings&) const = default;
};

// Calls of one node at once, and those that wait for it (upstream/call_queue.h).
struct UpstreamLimits {
  std::size_t client_calls_max = 64;               // at the node, for clients
  std::size_t source_calls_max = 16;               // at the node, for heads, logs, receipts, checks
  std::size_t queued_calls_max = 4096;             // of clients; one more is answered -32005
  std::size_t queued_calls_per_client_max = 1024;  // of one client; likewise

  bool operator==(const UpstreamLimits&) const = default;
};

struct UpstreamPlan {
  std::string id;   // bounded and chosen by the operator: good for logs and metric labels
  std::string url;  // http or https. May hold a secret: logs show upstream::redacted() of it.
  std::vector<std::pair<std::string, std::string>> headers;  // sent with every request, in this order
  Duration timeout = std::chrono::seconds(10);               // of one call
  UpstreamLimits limits = {};

  bool operator==(const UpstreamPlan&) const = default;
};
using UpstreamBackend = std::vector<UpstreamPlan>;  // at least one, in order of preference

// The built-in development chain.
struct DevBackend {
  Duration block_time = std::chrono::seconds(1);  // at least 1 ms
  std::uint64_t seed = 1;
  std::size_t transactions_per_block = 20;
  std::size_t reorg_every_blocks = 0;  // zero: never
  std::size_t reorg_depth_blocks = 3;  // at most
  std::size_t sync_blocks = 0;  // the chain starts this far behind, and catches up; zero: in sync at once

  bool operator==(const DevBackend&) const = default;
};

// A chain in the same process, which tells what happens (chain_hooks.h).
class ChainHooks;
struct HookBackend {
  std::shared_ptr<ChainHooks> hooks;

  bool operator==(const HookBackend&) const = default;
};

using Backend = std::variant<UpstreamBackend, DevBackend, HookBackend>;

struct NetworkPlan {
  std::string project = "main";
  // Empty: whatever the upstream answers to eth_chainId (only where one network is served).
  std::optional<std::uint64_t> chain_id;
  PollSettings poll;
  ReadSettings reads = {};
  Duration chain_check_every = std::chrono::seconds(60);  // that each node is on this chain; zero: never
  Backend backend;
  MethodPlan methods = {};
  std::vector<std::string> origins = {};  // of its project, instead of browsers.origins; empty: those

  bool operator==(const NetworkPlan&) const = default;
};

struct ServePlan {
  log::Level log_level = log::Level::info;
  std::vector<ListenerPlan> listeners;
  std::vector<NetworkPlan>
      networks;  // unique by (project, chain_id); one where a listener names it by its index
  WebSocketSettings websocket;
  HttpSettings http;
  AcceptPlan accept;
  server::BrowserOptions browsers = {};
  AnswerPlan answers = {};
  Duration shutdown_timeout = std::chrono::seconds(10);  // from SIGTERM to the exit at the latest
  std::size_t loops = 0;                                 // threads; zero: one a core
  // Threads that talk to nodes and follow their heads: one a network, with more networks than that they share
  // (upstream_threads.h). At least 1.
  std::size_t upstream_threads_max = 32;
  // What the WebSocket nodes of a project have sent and is not worked off: one that needs more ends.
  std::size_t received_bytes_per_project_max = std::size_t{256} << 20;
  net::LoopKind loop_kind = net::LoopKind::automatic;

  bool operator==(const ServePlan&) const = default;
};

}  // namespace fanfare::gateway
