#pragma once
// The plan of a gateway. The configuration file and the command line are both converted to it, so the gateway
// has one input and does not depend on its origin. Plain data, already validated (ports in range, URLs well
// formed, every network with a backend).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "access/plan.h"
#include "base/log.h"
#include "base/time.h"
#include "canvasserver/room_plan.h"
#include "eth/filter_limits.h"
#include "eth/resume_limits.h"
#include "fanfare/nats.h"
#include "gateway/admin_plan.h"
#include "gateway/defend/plan.h"
#include "gateway/observe/plan.h"
#include "net/loop.h"
#include "server/browser_rules.h"
#include "server/listener.h"
#include "streams/limits.h"
#include "streams/spec.h"
#include "upstream/head_hints_choice.h"
#include "upstream/http_client_choice.h"
#include "ws/connection.h"

namespace fanfare::gateway {

// The features that can be mounted on a listener; mounts.h makes a mount of each.
struct RpcFeature {  // JSON-RPC
  // Index in ServePlan::networks. Empty: {project} and {chainId} in the path name it.
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
  bool is_open = false;  // on a port of its own: needs no credentials

  bool operator==(const MetricsFeature&) const = default;
};
// The streams (docs/streams.md). Needs ServePlan::streams.
struct StreamsFeature {
  bool operator==(const StreamsFeature&) const = default;
};
struct StreamEventsFeature {  // as Server-Sent Events
  bool operator==(const StreamEventsFeature&) const = default;
};

// The rooms of the canvas (docs/canvas.md), at a path with {room}. Needs ServePlan::canvas.
struct CanvasFeature {
  enum class Part : std::uint8_t { socket, image, info };
  Part part = Part::socket;

  bool operator==(const CanvasFeature&) const = default;
};

struct WebFeature {       // the dashboard (web_page.h)
  std::string directory;  // of its built files

  bool operator==(const WebFeature&) const = default;
};
struct AboutFeature {   // what the dashboard needs to know of this server, as JSON
  std::string version;  // of the program

  bool operator==(const AboutFeature&) const = default;
};

// The admin API, for callers whose role grants it. Needs ServePlan::admin and ServePlan::access.
struct AdminFeature {
  bool operator==(const AdminFeature&) const = default;
};

struct MountPlan {
  std::string path;  // a server::PathPattern
  std::variant<RpcFeature, HealthFeature, ReadyFeature, MetricsFeature, WebFeature, AboutFeature,
               StreamsFeature, StreamEventsFeature, CanvasFeature, AdminFeature>
      feature;

  bool operator==(const MountPlan&) const = default;
};

// Limits for new connections. Zero: no limit.
struct AcceptPlan {
  std::size_t connections_max = 0;                         // of all kinds, over all ports
  std::uint32_t connections_per_address_max = 1024;        // an IPv4 address or an IPv6 /64
  std::uint32_t connections_per_second_per_address = 200;  // new ones
  // Whether the two limits above apply to loopback addresses too. By default, programs and proxies on this
  // machine are not limited; configured limits apply to them.
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

// permessage-deflate (RFC 7692) for clients that offer it. No state of a connection is kept between messages.
struct MessageCompression {
  bool enabled = false;
  std::size_t bytes_min = 256;                   // a shorter message is sent uncompressed
  std::size_t bytes_max = std::size_t{1} << 20;  // a longer one, too: it would block its loop

  bool operator==(const MessageCompression&) const = default;
};

// gzip and deflate for the bodies of HTTP answers (answer_compressor.h).
struct AnswerCompression {
  bool enabled = false;
  std::size_t bytes_min = 2048;  // a shorter body is sent uncompressed
  // Bodies of one loop that wait to be compressed: beyond it a body is sent uncompressed.
  std::size_t waiting_bytes_max = std::size_t{64} << 20;

  bool operator==(const AnswerCompression&) const = default;
};

// Of a connection, with WebSocketSettings::relayed_sessions: a session's copy must fit into one message of the broker.
inline constexpr std::size_t kRelayedSubscriptionsMax = 1000;

// All limits and intervals of the WebSocket side. These defaults are the documented ones.
struct WebSocketSettings {
  bool enabled = true;
  std::size_t connections_per_network_max = 10'000;    // one more is rejected with 503
  std::size_t subscriptions_per_connection_max = 100;  // one more is answered -32005
  Duration ping_interval = std::chrono::seconds(30);   // zero: no pings
  Duration pong_timeout = std::chrono::seconds(60);    // after an unanswered ping
  std::size_t read_buffer_bytes =
      4096;  // read from a socket at once, if that is more than the loop's own size
  std::size_t write_buffer_bytes = 4096;                  // no effect: writes are gathered, not buffered
  std::size_t message_bytes_max = std::size_t{16} << 20;  // a longer message closes with 1009
  std::size_t outbox_bytes_max = std::size_t{128} << 20;  // a reader further behind closes with 1013
  std::uint32_t notifications_behind_max = 65'536;        // a reader further behind closes with 1013
  Duration slow_timeout = std::chrono::seconds(10);  // a reader without progress for so long closes with 1013
  std::uint32_t fragments_max =
      ws::kDefaultLimits.fragments_max;        // a message in more frames closes with 1009
  std::uint16_t frames_per_turn_max = 4096;    // of one connection; the rest waits for the loop's next turn
  std::uint32_t bytes_per_turn_max = 1 << 20;  // of one connection, too
  // A message that has come in part: slower than 1 KiB a second over this time closes with 1008; zero: never.
  Duration message_timeout = std::chrono::seconds(10);
  Duration idle_timeout = Duration::zero();  // no message at all: closes with 1008; zero: never
  // Every subscription has a unique id, unless its connection requests shared ones (routes.h).
  bool unique_subscription_ids = false;
  MessageCompression compression = {};
  eth::ResumeLimits sessions = {};  // of clients that resume with a token (session_token.h), per network
  bool relayed_sessions = false;  // they continue at any instance (shared_sessions.h); needs ServePlan::relay

  bool operator==(const WebSocketSettings&) const = default;
};

// The methods that a project's clients may call: patterns of method_rules.h, besides the built-in rules.
struct MethodPlan {
  std::vector<std::string> allow;
  std::vector<std::string> deny;

  bool operator==(const MethodPlan&) const = default;
};

struct HttpSettings {
  std::size_t body_bytes_max = std::size_t{16} << 20;     // a longer request body is rejected with 413
  std::size_t head_bytes_max = std::size_t{16} << 10;     // a longer request head is rejected with 431
  std::size_t header_count_max = 100;                     // more header lines are rejected with 431
  Duration handshake_timeout = std::chrono::seconds(10);  // from the accept to the first request's head
  AnswerCompression compression = {};

  bool operator==(const HttpSettings&) const = default;
};

// Memory limits for clients' requests in progress and their answers.
struct AnswerPlan {
  std::uint32_t batch_items_max = 1000;                 // a longer batch is rejected as a whole: -32600
  std::size_t batch_answer_bytes_max = 25'000'000;      // answers beyond it become -32003; zero: no limit
  std::size_t held_bytes_max = std::size_t{512} << 20;  // of all clients together: -32005
  std::size_t held_bytes_per_project_max = std::size_t{512} << 20;     // of those of one project: -32005
  std::size_t held_bytes_per_connection_max = std::size_t{256} << 20;  // of one: -32005
  // Of messages and bodies that have not come whole, of all clients together: closed with 1013, answered 503.
  std::size_t unfinished_bytes_max = std::size_t{256} << 20;

  bool operator==(const AnswerPlan&) const = default;
};

// How the head of a chain is followed.
struct PollSettings {
  Duration interval_min = std::chrono::milliseconds(200);
  Duration interval_max = std::chrono::seconds(2);
  std::size_t reorg_window_blocks = 256;   // how deep a fork can be resolved
  std::size_t resume_window_blocks = 256;  // how far back a cursor is replayed
  Duration logs_warm_up{};                 // eth::ChainSourceOptions

  bool operator==(const PollSettings&) const = default;
};

// How the nodes of a network are called on behalf of clients.
struct ReadSettings {
  std::size_t cache_bytes_max = std::size_t{64} << 20;  // for answers that cannot change; zero: no cache
  Duration hedge_after = std::chrono::seconds(1);  // a slow read is also sent to another node; zero: never
  eth::FilterLimits filters = {};                  // the limits of clients' filters

  bool operator==(const ReadSettings&) const = default;
};

// Calls of one node in flight, and calls that wait for it (upstream/call_queue.h).
struct UpstreamLimits {
  std::size_t client_calls_max = 64;               // at the node, for clients
  std::size_t source_calls_max = 16;               // at the node, for heads, logs, receipts, checks
  std::size_t queued_calls_max = 4096;             // of clients; one more is answered -32005
  std::size_t queued_calls_per_client_max = 1024;  // of one client; one more is answered -32005

  bool operator==(const UpstreamLimits&) const = default;
};

struct UpstreamPlan {
  std::string id;   // bounded and chosen by the operator: safe for logs and metric labels
  std::string url;  // http or https. May contain a secret: logs show upstream::redacted() of it.
  std::vector<std::pair<std::string, std::string>> headers;  // sent with every request, in this order
  Duration timeout = std::chrono::seconds(10);               // of one call
  UpstreamLimits limits = {};
  upstream::HttpClientChoice http_client = upstream::HttpClientChoice::automatic;  // of an http or https URL
  upstream::HeadHintsChoice head_hints = upstream::HeadHintsChoice::automatic;     // of an http or https URL

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
  std::size_t sync_blocks = 0;  // the chain starts so far behind, and catches up; zero: in sync at once

  bool operator==(const DevBackend&) const = default;
};

// An in-process chain that reports its events (chain_hooks.h).
class ChainHooks;
struct HookBackend {
  std::shared_ptr<ChainHooks> hooks;

  bool operator==(const HookBackend&) const = default;
};

using Backend = std::variant<UpstreamBackend, DevBackend, HookBackend>;

struct NetworkPlan {
  std::string project = "main";
  // Empty: the upstream's answer to eth_chainId (only if one network is served).
  std::optional<std::uint64_t> chain_id;
  PollSettings poll;
  ReadSettings reads = {};
  Duration chain_check_every = std::chrono::seconds(60);  // interval of chain checks; zero: never
  Backend backend;
  MethodPlan methods = {};
  std::vector<std::string> origins = {};  // of its project; empty: browsers.origins

  bool operator==(const NetworkPlan&) const = default;
};

// A stream, and the index of the network or the upstream that is polled.
struct StreamPlan {
  enum class Source : std::uint8_t { network, upstream };

  streams::StreamSpec spec;
  Source source = Source::network;
  std::size_t index = 0;  // in ServePlan::networks, or in StreamsPlan::upstreams
  bool relayed = false;   // other instances have it as well; needs ServePlan::relay

  bool operator==(const StreamPlan&) const = default;
};

struct StreamsPlan {
  streams::Limits limits = {};
  std::vector<UpstreamPlan> upstreams;  // nodes that belong to no network: http or https
  std::vector<StreamPlan> streams;

  bool operator==(const StreamsPlan&) const = default;
};

struct CanvasPlan {
  std::vector<canvasserver::RoomPlan> rooms;

  bool operator==(const CanvasPlan&) const = default;
};

struct ServePlan {
  log::Level log_level = log::Level::info;
  std::vector<ListenerPlan> listeners;
  std::vector<NetworkPlan> networks;  // unique by (project, chain_id); one if a listener names it by index
  WebSocketSettings websocket;
  HttpSettings http;
  AcceptPlan accept;
  server::BrowserOptions browsers = {};
  AnswerPlan answers = {};
  Duration shutdown_timeout = std::chrono::seconds(10);  // from SIGTERM to the exit at the latest
  // The connections are closed one after another over this part of shutdown_timeout, so that their clients do
  // not all connect to the next server at once. Zero: all at once. Empty: as long as it takes to close
  // shutdown_closes_per_second (stop_times.h).
  std::optional<Duration> shutdown_spread = {};
  std::size_t shutdown_closes_per_second = 500;
  // After this time those clients are asked to come back, counted from their close. Empty: comeback_after() (stop_times.h).
  std::optional<Duration> shutdown_retry_after = {};
  // Within this time the successor of a binary upgrade must be ready; otherwise it is ended.
  Duration upgrade_timeout = std::chrono::seconds(30);
  std::size_t loops = 0;  // threads; zero: one per core
  // Threads that talk to nodes and follow their heads: one per network. With more networks than threads,
  // networks share them (upstream_threads.h). At least 1.
  std::size_t upstream_threads_max = 32;
  // Data received from the WebSocket nodes of a project and not processed yet: a node that needs more is
  // closed.
  std::size_t received_bytes_per_project_max = std::size_t{256} << 20;
  net::LoopKind loop_kind = net::LoopKind::automatic;
  // LoopOptions::busy_poll, of the event loops and of the threads that talk to nodes.
  std::size_t busy_poll_us = 0;
  std::optional<StreamsPlan> streams = {};
  std::optional<NatsOptions> relay = {};  // the broker of relayed streams
  std::optional<CanvasPlan> canvas = {};
  std::optional<AdminPlan> admin = {};
  // Who may do what; null: no access control. Secrets in it are hashes.
  std::shared_ptr<const access::AccessPlan> access = {};
  // A WebSocket may authenticate by its first message within this time; zero: it may not.
  Duration first_message_within = Duration::zero();
  // Written at the start and removed at the end (access/password.h), for a user with these roles. Empty: none.
  std::string cookie_file = {};
  std::vector<std::string> cookie_roles = {};
  DefencePlan defence = {};
  ObservePlan observe = {};
  // Files that decide who may do what: the configuration, and those with keys and secrets that it names.
  std::vector<std::string> access_files = {};
  // How often is looked whether they have changed; zero: never.
  Duration access_check_every = std::chrono::seconds(5);

  bool operator==(const ServePlan&) const = default;
};

}  // namespace fanfare::gateway
