#pragma once
// What the admin API shows, as plain data. Times are in seconds, sizes in bytes.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fanfare::admin {

struct ConnectionInfo {
  std::string id;    // connection_id.h
  std::string kind;  // "websocket", "http", "opening" (TLS or the PROXY header are not complete)
  std::string address;
  double age_s = 0;
  std::string user_agent;
  std::string principal;  // empty: nobody was authenticated
  std::string service;    // "rpc", "streams", "canvas"; empty for plain HTTP
  std::string project;    // of the network
  std::string network;    // "main/1"
  std::string room;
  std::vector<std::string> topics;  // of its subscriptions, or its streams
  std::size_t subscriptions = 0;
  std::size_t bytes_behind = 0;  // queued for the client and not taken by the kernel
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
};

struct UpstreamInfo {
  std::string name;
  std::string network;  // "main/1"; "streams" for the streams' own
  std::string url;      // without secrets
  bool enabled = true;
  bool used = true;
  std::string reason;      // why it is not used, or not preferred; empty: nothing is wrong
  std::uint64_t head = 0;  // 0: unknown
  std::uint64_t lag = 0;   // blocks behind the best of its network
  // "live": it announces its blocks beside HTTP; "none: " and why not. Empty: it is not asked.
  std::string head_hints = {};
  double latency_s = 0;      // smoothed
  std::uint64_t calls = 0;   // that ended
  std::uint64_t errors = 0;  // without an answer
  std::vector<std::pair<std::string, std::uint64_t>> errors_by_kind;
  bool can_be_disabled = true;
};

struct NetworkInfo {
  std::string name;  // "main/1"
  std::string project;
  bool ready = false;
  std::string reason;  // why not; or the problem of one of its upstreams
  std::uint64_t head = 0;
  std::optional<double> head_age_s;
  std::size_t connections = 0;
  std::int64_t subscriptions = 0;
  std::uint64_t requests = 0;  // so far, as the following
  std::uint64_t notifications = 0;
  std::uint64_t slow_closed = 0;
  std::vector<UpstreamInfo> upstreams;
};

struct StreamInfo {
  std::string name;
  bool healthy = true;
  std::string reason;  // why not
  std::size_t subscribers = 0;
  std::uint64_t values = 0;
  std::uint64_t missed = 0;
};

struct RoomInfo {
  std::string name;
  bool healthy = true;
  std::string reason;
  std::uint64_t users = 0;
  std::uint64_t connections = 0;
  std::uint64_t pixels = 0;
  double tick_interval_s = 0;
};

struct ProcessInfo {
  std::string version;
  double uptime_s = 0;
  std::size_t loops = 0;
  std::string loop_kind;
  std::size_t connections = 0;  // of all kinds
  std::uint64_t memory_bytes = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_received = 0;
};

// The outcome of a reload. One line for each entry.
struct ReloadInfo {
  bool applied = false;
  std::vector<std::string> changes;
  std::vector<std::string> needs_restart;
  std::vector<std::string> errors;
};

// The outcome of a binary upgrade.
struct UpgradeInfo {
  int pid = 0;          // of the process that has taken over; 0: none has
  std::string problem;  // then: why
};

}  // namespace fanfare::admin
